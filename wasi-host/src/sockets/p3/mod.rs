//! `wasi:sockets@0.3` of a pod, made as that of 0.2 is: every address is translated here, all else is wasmtime's.
//!
//! In 0.3 a socket that was never bound binds itself when it listens, connects or sends. Here it is bound to the
//! pod's address before that, as the kernel would choose one of the host's. What the guest sees of all this are the
//! addresses that it has named.

mod lookup;
mod tcp;
mod udp;

use std::net::{IpAddr, SocketAddr};

use wasmtime::component::Linker;
use wasmtime_wasi::{
    p3::{
        bindings::sockets::{
            ip_name_lookup,
            types::{self, ErrorCode, IpAddressFamily},
        },
        sockets::{SocketError, SocketResult},
    },
    sockets::{WasiSocketsCtxView, WasiSocketsView},
};

use super::{HasPodSockets, PodSockets, faces::fits, view};
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
    fn own_address(&self) -> IpAddr {
        self.pod.config.address
    }

    /// The family of the pod's address.
    fn own_family(&self) -> IpAddressFamily {
        family(self.own_address().is_ipv4())
    }

    /// The pod's address for a guest that binds `wanted`.
    fn bindable(&self, wanted: SocketAddr) -> SocketResult<SocketAddr> {
        Ok(self.pod.bindable(wanted).ok_or(ErrorCode::AddressNotBindable)?)
    }

    /// Where a connection or a datagram to `wanted` of a socket of that family really goes: maybe to an address of the
    /// other one, which is the pod's own.
    fn target(&self, wanted: SocketAddr, is_ipv4: bool) -> SocketResult<SocketAddr> {
        if !fits(wanted.ip(), is_ipv4) || wanted.port() == 0 || wanted.ip().is_unspecified() {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let target = self.pod.route(wanted).map_err(error_code)?;
        if target.is_ipv4() != is_ipv4 && target.ip() != self.own_address() {
            return Err(ErrorCode::RemoteUnreachable.into());
        }
        Ok(target)
    }
}

fn family(is_ipv4: bool) -> IpAddressFamily {
    if is_ipv4 { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 }
}

fn is_ipv4(family: IpAddressFamily) -> bool {
    matches!(family, IpAddressFamily::Ipv4)
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
