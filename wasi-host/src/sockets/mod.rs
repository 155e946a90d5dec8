//! `wasi:sockets` of a pod: wasmtime-wasi's implementation, behind the pod's own view of addresses and names.
//!
//! Every call that carries an address is translated here and then delegated; all else is delegated as it is.
//! Names are resolved by the pod, with bindings of our own, since wasmtime's resolver stream cannot be made
//! outside of it.

mod delegate;
mod faces;
mod lookup;
pub(crate) mod p3;
mod places;
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

pub(crate) use self::places::{Doorman, SocketPlaces};
use crate::{NetworkError, pod::Pod, sandbox::Sandbox};

/// The sockets of one instance, seen through its pod.
pub(crate) struct PodSockets<'a> {
    inner: WasiSocketsCtxView<'a>,
    places: &'a mut SocketPlaces,
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
    PodSockets { inner: WasiSocketsCtxView { ctx: wasi.sockets(), table }, places: sockets, pod: outgoing.pod() }
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
