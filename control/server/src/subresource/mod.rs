//! What lies below an object: `status`, `scale`, `binding`, `log`, `finalize`, `eviction`, `ephemeralcontainers`,
//! `resize`, `token`, `approval`, `proxy`, `exec`, `attach`, `portforward`.

mod approval;
mod binding;
mod connect;
mod connect_options;
mod container;
mod containers;
mod eviction;
mod finalize;
mod log;
mod part;
mod proxy;
mod scale;
mod socket;
mod token;

pub(crate) use proxy::proxy;
pub(crate) use socket::is_asked_for as wants_socket;

use std::sync::Arc;

use axum::body::Body;
use coracle_api::{ApiError, ApiResult, Subresource};
use http::Response;
use http::request::Parts;

use crate::http::Verb;
use crate::hub::{Call, Hub};
use crate::metrics::Held;
use crate::read;
use crate::server::detached;
use crate::write::{Part, update_part};

/// Does what a request on a subresource asks for.
///
/// `parts` are those of the request, with what it takes to change its protocol.
pub(crate) async fn serve(hub: &Arc<Hub>, call: Call, parts: Parts, held: Held) -> ApiResult<Response<Body>> {
    let subresource = call.target.subresource.ok_or_else(ApiError::no_such_path)?;
    match (subresource, call.verb) {
        (Subresource::Log, _) => log::log(hub, &call, parts, held).await,
        (Subresource::Attach | Subresource::Exec | Subresource::PortForward, _) => {
            connect::connect(hub, &call, parts, held).await
        }
        (Subresource::Status, Verb::Get) => read::get(hub, &call).await,
        (Subresource::Scale, Verb::Get) => scale::get(hub, &call).await,
        (Subresource::EphemeralContainers | Subresource::Resize | Subresource::Approval, Verb::Get) => {
            read::get(hub, &call).await
        }
        (Subresource::Token, _) => token::issue(hub, &call).await,
        _ => {
            let hub = hub.clone();
            detached(async move {
                match subresource {
                    Subresource::Status => update_part(&hub, &call, Part::Status).await,
                    Subresource::Scale => scale::update(&hub, &call).await,
                    Subresource::Binding => binding::bind(&hub, &call).await,
                    Subresource::Finalize => finalize::finalize(&hub, &call).await,
                    Subresource::Eviction => eviction::evict(&hub, &call).await,
                    Subresource::EphemeralContainers => containers::debug(&hub, &call).await,
                    Subresource::Resize => containers::resize(&hub, &call).await,
                    Subresource::Approval => approval::update(&hub, &call).await,
                    Subresource::Log
                    | Subresource::Token
                    | Subresource::Proxy
                    | Subresource::Attach
                    | Subresource::Exec
                    | Subresource::PortForward => Err(ApiError::no_such_path()),
                }
            })
            .await
        }
    }
}
