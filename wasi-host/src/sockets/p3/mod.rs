//! `wasi:sockets@0.3` of a pod, made as that of 0.2 is: every address is translated here, all else is wasmtime's.
//!
//! In 0.3 a socket that was never bound binds itself when it listens, connects or sends. Here it is bound to the
//! pod's address before that, as the kernel would choose one of the host's.

mod lookup;
mod tcp;
mod udp;

use std::net::SocketAddr;

use wasmtime::component::Linker;
use wasmtime_wasi::{
    p3::{
        bindings::sockets::{
            ip_name_lookup,
            types::{self, ErrorCode, IpAddressFamily, IpSocketAddress},
        },
        sockets::{SocketError, SocketResult},
    },
    sockets::{WasiSocketsCtxView, WasiSocketsView},
};

use super::{HasPodSockets, PodSockets, view};
use crate::{NetworkError, sandbox::Sandbox};

/// Adds the pod's sockets. Nothing of wasmtime's own is linked that they would have to replace.
pub(crate) fn add_to_linker(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    types::add_to_linker::<Sandbox, HasPodSockets>(linker, view)?;
    ip_name_lookup::add_to_linker::<Sandbox, HasPodSockets>(linker, view)
}

/// The sockets of wasmtime below those of the pod.
fn inner(sandbox: &mut Sandbox) -> WasiSocketsCtxView<'_> {
    sandbox.sockets()
}

impl types::Host for PodSockets<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        types::Host::convert_error_code(&mut self.inner, error)
    }
}

impl PodSockets<'_> {
    /// Where a connection or a datagram to `remote` really goes.
    fn target(&self, remote: IpSocketAddress) -> SocketResult<SocketAddr> {
        let wanted = SocketAddr::from(remote);
        if wanted.port() == 0 || wanted.ip().is_unspecified() {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let target = self.pod.route(wanted).map_err(error_code)?;
        if target.is_ipv4() != wanted.is_ipv4() {
            return Err(ErrorCode::RemoteUnreachable.into());
        }
        Ok(target)
    }

    /// The address of the pod, at a port the kernel chooses. None: it is of the other family.
    fn any_port(&self, family: IpAddressFamily) -> Option<SocketAddr> {
        let own = self.pod.config.address;
        (own.is_ipv4() == matches!(family, IpAddressFamily::Ipv4)).then(|| SocketAddr::new(own, 0))
    }
}

/// What a guest is told when the host's network says no.
fn error_code(error: NetworkError) -> ErrorCode {
    match error {
        NetworkError::Refused => ErrorCode::ConnectionRefused,
        NetworkError::Denied => ErrorCode::AccessDenied,
        NetworkError::Unreachable | NetworkError::NotFound | NetworkError::TemporaryFailure => {
            ErrorCode::RemoteUnreachable
        }
    }
}
