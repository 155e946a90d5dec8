//! `proxy` to what listens on a pod, a Service or a node: the request goes there as it is, the answer comes back.
//!
//! Invariant: nobody is reached but pods and the endpoints of Services; addresses that mean this machine or its
//! neighbourhood are refused ([`place`]), whoever has written them down. Redirects are the client's to follow.

mod place;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use coracle_api::{ApiError, ApiResult};
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower::ServiceExt;

use place::Destination;

use super::connect_options;
use crate::http::{Target, text};
use crate::hub::Hub;
use crate::identity::User;
use crate::metrics::Held;
use crate::outbound::{Outbound, Trust};
use crate::write::{Notes, admit_connection};

/// What belongs to one connection and is not passed on (RFC 9110 §7.6.1), and who is asking: that is our business.
const KEPT_BACK: [HeaderName; 9] =
    [AUTHORIZATION, CONNECTION, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Segments of a path up to and with `proxy`: `/api/v1/namespaces/ns/pods/name/proxy`, `/api/v1/nodes/name/proxy`.
const SEGMENTS_NAMESPACED: usize = 7;
const SEGMENTS_CLUSTER: usize = 5;

/// How long a pod may take to accept a connection: as kube-apiserver's dialer has it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Passes a request on.
pub(crate) async fn proxy(
    hub: &Arc<Hub>,
    (user, notes): (&User, &Notes),
    target: Target,
    request: Request<Body>,
    held: Held,
) -> ApiResult<Response<Body>> {
    let (prefix, rest) = split(request.uri().path(), target.resource.namespaced);
    if rest.is_empty() && matches!(request.method().as_str(), "GET" | "HEAD") {
        return Ok(moved(&format!("{prefix}/"), request.uri().query()));
    }
    let mut options = connect_options::of_proxy(&target.resource.plural, &rest);
    admit_connection(hub, &target, (user, notes), &mut options).await?;
    let place = place::of(hub, &target).await?;
    let onward = onward(request, &prefix, &rest, &place)?;
    let answer = match place {
        Destination::Node(router) => router.oneshot(onward).await.map_err(ApiError::internal)?,
        Destination::Address(_, scheme) => match send(hub, onward, &scheme).await {
            Ok(answer) => answer,
            Err(why) => {
                return Ok(text(StatusCode::SERVICE_UNAVAILABLE, format!("error trying to reach service: {why}")));
            }
        },
    };
    let mut answer = answer.map(|body| {
        Body::new(body.map_frame(move |frame| {
            // Counted among the long-running requests until the last piece.
            let _ = &held;
            frame
        }))
    });
    for name in KEPT_BACK {
        answer.headers_mut().remove(name);
    }
    Ok(answer)
}

/// The path of the proxy itself, and what is behind it.
fn split(path: &str, namespaced: bool) -> (String, String) {
    let count = if namespaced { SEGMENTS_NAMESPACED } else { SEGMENTS_CLUSTER };
    let mut ends = path.match_indices('/').skip(count);
    match ends.next() {
        Some((end, _)) => (path[..end].to_string(), path[end..].to_string()),
        None => (path.to_string(), String::new()),
    }
}

/// Relative links need a path that ends with a slash.
fn moved(to: &str, query: Option<&str>) -> Response<Body> {
    let mut response = text(StatusCode::MOVED_PERMANENTLY, "");
    let to = query.map_or_else(|| to.to_string(), |query| format!("{to}?{query}"));
    if let Ok(to) = HeaderValue::from_str(&to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

/// The request as it goes on: the rest of the path, without what is between the client and us.
fn onward(request: Request<Body>, prefix: &str, rest: &str, place: &Destination) -> ApiResult<Request<Body>> {
    let (parts, body) = request.into_parts();
    let rest = if rest.is_empty() { "/" } else { rest };
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path: PathAndQuery = format!("{rest}{query}").parse().map_err(ApiError::internal)?;
    let mut uri = Uri::builder().path_and_query(path);
    if let Destination::Address(address, scheme) = place {
        uri = uri.scheme(scheme.clone()).authority(address.to_string());
    }
    let mut headers: HeaderMap = parts.headers;
    let host = headers.get(HOST).cloned();
    for name in KEPT_BACK {
        headers.remove(name);
    }
    if let Some(host) = host {
        headers.insert(HeaderName::from_static("x-forwarded-host"), host);
    }
    if let Ok(path) = HeaderValue::from_str(&format!("{prefix}{rest}")) {
        headers.insert(HeaderName::from_static("x-forwarded-uri"), path);
    }
    headers.insert(HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static("https"));
    let mut onward = Request::new(body);
    *onward.method_mut() = parts.method;
    *onward.uri_mut() = uri.build().map_err(ApiError::internal)?;
    *onward.headers_mut() = headers;
    Ok(onward)
}

/// Sends it, and returns when the head of the answer is there.
async fn send(hub: &Hub, request: Request<Body>, scheme: &Scheme) -> Result<Response<Body>, String> {
    if *scheme == Scheme::HTTPS {
        // Pods have certificates of their own making: upstream does not check them either.
        let outbound = Outbound::new(hub.store.clone(), &Trust::anybody()).map_err(|e| e.to_string())?;
        return outbound.send(request).await.map(|answer| answer.map(Body::new)).map_err(|e| e.to_string());
    }
    static CLIENT: OnceLock<Client<HttpConnector, Body>> = OnceLock::new();
    let client = CLIENT.get_or_init(|| {
        // No connection is kept: pods come and go, and an address may be another's a moment later.
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector)
    });
    client.request(request).await.map(|answer| answer.map(Body::new)).map_err(|error| {
        let mut deepest: &dyn std::error::Error = &error;
        while let Some(source) = deepest.source() {
            deepest = source;
        }
        deepest.to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_path_is_kept_as_it_is() {
        let path = "/api/v1/namespaces/n/pods/p/proxy/a%2Fb/";
        assert_eq!(split(path, true), ("/api/v1/namespaces/n/pods/p/proxy".into(), "/a%2Fb/".into()));
        assert_eq!(split("/api/v1/nodes/n/proxy", false), ("/api/v1/nodes/n/proxy".into(), String::new()));
    }
}
