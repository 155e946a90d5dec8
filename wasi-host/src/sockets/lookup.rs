//! `wasi:sockets/ip-name-lookup@0.2`, resolved by the pod.

use std::{net::IpAddr, vec};

use tokio_util::task::AbortOnDropHandle;
use wasmtime::{
    StoreContextMut,
    component::{Linker, Resource, ResourceType},
};
use wasmtime_wasi::p2::{
    DynPollable, Network, Pollable,
    bindings::sockets::network::{ErrorCode, IpAddress},
    subscribe,
};

use super::error_code;
use crate::{NetworkError, limits, sandbox::Sandbox};

/// The version named here serves all of 0.2: the linker matches versions that are compatible by semver.
const INTERFACE: &str = "wasi:sockets/ip-name-lookup@0.2.12";

/// A lookup under way, then its answers.
enum ResolveAddressStream {
    Waiting(AbortOnDropHandle<Result<Vec<IpAddr>, NetworkError>>),
    Answers(vec::IntoIter<IpAddr>),
    Failed(ErrorCode),
}

impl ResolveAddressStream {
    fn next(&mut self) -> Result<Option<IpAddress>, ErrorCode> {
        match self {
            Self::Waiting(_) => Err(ErrorCode::WouldBlock),
            Self::Answers(addresses) => Ok(addresses.next().map(IpAddress::from)),
            Self::Failed(code) => Err(*code),
        }
    }
}

#[async_trait::async_trait]
impl Pollable for ResolveAddressStream {
    async fn ready(&mut self) {
        if let Self::Waiting(lookup) = self {
            *self = match lookup.await {
                Ok(Ok(addresses)) => Self::Answers(addresses.into_iter()),
                Ok(Err(error)) => Self::Failed(error_code(error)),
                Err(_) => Self::Failed(ErrorCode::PermanentResolverFailure),
            };
        }
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    let mut interface = linker.instance(INTERFACE)?;
    interface.resource("resolve-address-stream", ResourceType::host::<ResolveAddressStream>(), |mut store, rep| {
        store.data_mut().table.delete(Resource::<ResolveAddressStream>::new_own(rep))?;
        Ok(())
    })?;
    interface.func_wrap("resolve-addresses", resolve_addresses)?;
    interface.func_wrap("[method]resolve-address-stream.resolve-next-address", resolve_next_address)?;
    interface.func_wrap("[method]resolve-address-stream.subscribe", subscribe_stream)
}

type Answer<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;

fn resolve_addresses(
    mut store: StoreContextMut<'_, Sandbox>,
    (network, name): (Resource<Network>, String),
) -> Answer<Resource<ResolveAddressStream>> {
    let sandbox = store.data_mut();
    sandbox.table.get(&network)?;
    if !is_name(&name) {
        return Ok((Err(ErrorCode::InvalidArgument),));
    }
    let pod = sandbox.outgoing.pod().clone();
    let lookup = tokio::spawn(async move { pod.resolve(&name).await });
    let stream = ResolveAddressStream::Waiting(AbortOnDropHandle::new(lookup));
    Ok((Ok(sandbox.table.push(stream)?),))
}

fn resolve_next_address(
    mut store: StoreContextMut<'_, Sandbox>,
    (stream,): (Resource<ResolveAddressStream>,),
) -> Answer<Option<IpAddress>> {
    Ok((store.data_mut().table.get_mut(&stream)?.next(),))
}

fn subscribe_stream(
    mut store: StoreContextMut<'_, Sandbox>,
    (stream,): (Resource<ResolveAddressStream>,),
) -> wasmtime::Result<(Resource<DynPollable>,)> {
    Ok((subscribe(&mut store.data_mut().table, stream)?,))
}

/// Whether `name` can be a host name or an address at all: letters, digits, and what joins them.
pub(super) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '[' | ']');
    (1..=limits::NAME_LIMIT_BYTES).contains(&name.len()) && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_nonsense() {
        for name in ["db", "db.default.svc.cluster.local.", "_http._tcp.db", "10.0.0.1", "[::1]", "bücher.example"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a b", "a/b", "http://a", "a\0", &"a".repeat(300)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
