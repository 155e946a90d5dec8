//! Names, resolved by the pod.

use wasmtime::component::Accessor;
use wasmtime_wasi::p3::bindings::sockets::{
    ip_name_lookup::{self, ErrorCode},
    types::IpAddress,
};

use super::super::{HasPodSockets, PodSockets, lookup::is_name};
use crate::{NetworkError, sandbox::Sandbox};

impl ip_name_lookup::Host for PodSockets<'_> {}

impl ip_name_lookup::HostWithStore<Sandbox> for HasPodSockets {
    async fn resolve_addresses(
        store: &Accessor<Sandbox, Self>,
        name: String,
    ) -> wasmtime::Result<Result<Vec<IpAddress>, ErrorCode>> {
        if !is_name(&name) {
            return Ok(Err(ErrorCode::InvalidArgument));
        }
        let (pod, shared) = store.with(|mut access| {
            let sockets = access.get();
            (sockets.pod.clone(), sockets.places.shared())
        });
        let _turn = shared.lookups.acquire().await?;
        let addresses = pod.resolve(&name).await;
        Ok(addresses.map(|found| found.into_iter().map(IpAddress::from).collect()).map_err(error_code))
    }
}

fn error_code(error: NetworkError) -> ErrorCode {
    match error {
        NetworkError::NotFound => ErrorCode::NameUnresolvable,
        NetworkError::TemporaryFailure => ErrorCode::TemporaryResolverFailure,
        NetworkError::Denied => ErrorCode::AccessDenied,
        NetworkError::Refused | NetworkError::Unreachable => ErrorCode::PermanentResolverFailure,
    }
}
