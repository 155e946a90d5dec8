//! `wasi:sockets` of a pod: wasmtime-wasi's implementation, behind the pod's own view of addresses and names.
//!
//! Every call that carries an address is translated here and then delegated; all else is delegated as it is.
//! Names are resolved by the pod, with bindings of our own, since wasmtime's resolver stream cannot be made
//! outside of it.

mod delegate;
mod lookup;
mod tcp;
mod udp;

use std::sync::Arc;

use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::{
    p2::{
        SocketError,
        bindings::sockets::{
            self,
            network::{self, ErrorCode},
        },
    },
    sockets::WasiSocketsCtxView,
};

use crate::{
    NetworkError,
    descriptors::{Descriptor, DescriptorBudget},
    limits,
    pod::Pod,
    sandbox::Sandbox,
};

/// The sockets one instance has open, each with leave for its descriptor.
pub(crate) struct SocketCount {
    budget: Arc<DescriptorBudget>,
    open: Vec<Descriptor>,
}

impl SocketCount {
    pub(crate) fn new(budget: Arc<DescriptorBudget>) -> SocketCount {
        SocketCount { budget, open: Vec::new() }
    }

    /// Leave to open one more.
    fn check(&self) -> Result<Descriptor, ErrorCode> {
        let room = self.open.len() < limits::SOCKETS_PER_INSTANCE as usize;
        room.then(|| self.budget.take()).flatten().ok_or(ErrorCode::NewSocketLimit)
    }

    fn opened(&mut self, leave: Descriptor) {
        self.open.push(leave);
    }

    fn closed(&mut self) {
        self.open.pop();
    }
}

/// The sockets of one instance, seen through its pod.
pub(crate) struct PodSockets<'a> {
    inner: WasiSocketsCtxView<'a>,
    count: &'a mut SocketCount,
    pod: &'a Arc<Pod>,
}

impl network::Host for PodSockets<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.inner.convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime_wasi::p2::IoError>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner.network_error_code(error)
    }
}

impl network::HostNetwork for PodSockets<'_> {
    fn drop(&mut self, network: Resource<network::Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.inner, network)
    }
}

struct HasPodSockets;

impl HasData for HasPodSockets {
    type Data<'a> = PodSockets<'a>;
}

fn view(sandbox: &mut Sandbox) -> PodSockets<'_> {
    let Sandbox { wasi, table, sockets, outgoing, .. } = sandbox;
    PodSockets { inner: WasiSocketsCtxView { ctx: wasi.sockets(), table }, count: sockets, pod: outgoing.pod() }
}

/// Puts the pod's sockets in the place of wasmtime's. The linker must allow shadowing.
pub(crate) fn add_to_linker(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    sockets::tcp::add_to_linker::<Sandbox, HasPodSockets>(linker, view)?;
    sockets::tcp_create_socket::add_to_linker::<Sandbox, HasPodSockets>(linker, view)?;
    sockets::udp::add_to_linker::<Sandbox, HasPodSockets>(linker, view)?;
    sockets::udp_create_socket::add_to_linker::<Sandbox, HasPodSockets>(linker, view)?;
    lookup::add_to_linker(linker)
}

/// What a guest is told when the host's network says no.
fn error_code(error: NetworkError) -> ErrorCode {
    match error {
        NetworkError::NotFound => ErrorCode::NameUnresolvable,
        NetworkError::TemporaryFailure => ErrorCode::TemporaryResolverFailure,
        NetworkError::Refused => ErrorCode::ConnectionRefused,
        NetworkError::Denied => ErrorCode::AccessDenied,
        NetworkError::Unreachable => ErrorCode::RemoteUnreachable,
    }
}
