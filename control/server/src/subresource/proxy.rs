//! `proxy` to what listens on a pod, a Service or a node: the request goes there as it is, the answer comes back.
//!
//! Invariant: nobody is reached but pods and the endpoints of Services; addresses that mean this machine or its
//! neighbourhood are refused, unless a pod of ours has the address.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use coracle_api::{ApiError, ApiResult, Reason};
use coracle_store::{Key, Scope};
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
use serde_json::Value;
use tower::ServiceExt;

use super::connect_options;
use crate::http::{Target, text};
use crate::hub::Hub;
use crate::identity::User;
use crate::metrics::Held;
use crate::outbound::{Outbound, Trust, ready};
use crate::read::{key, parse};
use crate::write::{Notes, admit_connection};

/// What belongs to one connection and is not passed on (RFC 9110 §7.6.1), and who is asking: that is our business.
const KEPT_BACK: [HeaderName; 9] =
    [AUTHORIZATION, CONNECTION, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Segments of a path up to and with `proxy`: `/api/v1/namespaces/ns/pods/name/proxy`, `/api/v1/nodes/name/proxy`.
const SEGMENTS_NAMESPACED: usize = 7;
const SEGMENTS_CLUSTER: usize = 5;

/// Where a request goes.
enum Destination {
    /// To a node, by its transport.
    Node(axum::Router),
    /// To an address, with TLS or without.
    Address(SocketAddr, Scheme),
}

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
    let place = match target.resource.plural.as_ref() {
        "pods" => pod(hub, &target)?,
        "services" => service(hub, &target)?,
        _ => node(hub, &target)?,
    };
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

/// `name`, `name:port`, `scheme:name:port`
fn parts<'n>(what: &str, name: &'n str) -> ApiResult<(Scheme, &'n str, &'n str)> {
    let pieces: Vec<&str> = name.split(':').collect();
    match pieces.as_slice() {
        [name] => Ok((Scheme::HTTP, name, "")),
        [name, port] => Ok((Scheme::HTTP, name, port)),
        ["" | "http", name, port] => Ok((Scheme::HTTP, name, port)),
        ["https", name, port] => Ok((Scheme::HTTPS, name, port)),
        _ => Err(ApiError::bad_request(format!("invalid {what} request {name:?}"))),
    }
}

fn pod(hub: &Hub, target: &Target) -> ApiResult<Destination> {
    let (scheme, name, port) = parts("pod", &target.name)?;
    let record = hub.store.get(&Key::new("pods", target.namespace.as_str(), name));
    let record = record.ok_or_else(|| ApiError::not_found(&target.resource, name))?;
    let pod = parse(&record.json)?;
    let declared = || {
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        containers.into_iter().find_map(|c| c["ports"][0]["containerPort"].as_u64())
    };
    let default = if scheme == Scheme::HTTPS { 443 } else { 80 };
    let port = match port {
        "" => declared().and_then(|p| u16::try_from(p).ok()).unwrap_or(default),
        text => text.parse().map_err(|_| ApiError::bad_request(format!("invalid pod request {:?}", target.name)))?,
    };
    let ip: IpAddr = pod["status"]["podIP"].as_str().unwrap_or_default().parse().map_err(|_| refused())?;
    Ok(Destination::Address(SocketAddr::new(allowed(hub, &target.namespace, ip)?, port), scheme))
}

fn service(hub: &Hub, target: &Target) -> ApiResult<Destination> {
    let (scheme, name, port) = parts("service", &target.name)?;
    let unavailable = |why: String| ApiError::new(Reason::ServiceUnavailable, why);
    let record = hub.store.get(&Key::new("services", target.namespace.as_str(), name));
    let record = record.ok_or_else(|| ApiError::not_found(&target.resource, name))?;
    let port = match port.parse::<u64>() {
        Err(_) => port.to_string(),
        Ok(number) => {
            let service = parse(&record.json)?;
            let ports = service["spec"]["ports"].as_array().into_iter().flatten();
            let found = ports.into_iter().find(|p| p["port"].as_u64() == Some(number));
            let found =
                found.ok_or_else(|| unavailable(format!("no service port {number} found for service {name:?}")))?;
            found["name"].as_str().unwrap_or_default().to_string()
        }
    };
    let endpoints = ready(&hub.store, &target.namespace, name, &port);
    if endpoints.is_empty() {
        return Err(unavailable(format!("no endpoints available for service {name:?}")));
    }
    let chosen = endpoints[rand::random_range(0..endpoints.len())];
    Ok(Destination::Address(SocketAddr::new(allowed(hub, &target.namespace, chosen.ip())?, chosen.port()), scheme))
}

/// A node is its own API; other ports of the machine are not ours to open.
fn node(hub: &Hub, target: &Target) -> ApiResult<Destination> {
    let (_, name, port) = parts("node", &target.name)?;
    let record = hub.store.get(&Key { name: name.into(), ..key(target) });
    let record = record.ok_or_else(|| ApiError::not_found(&target.resource, name))?;
    let own: Value = parse(&record.json)?["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"].clone();
    if !port.is_empty() && own.as_u64().map(|p| p.to_string()).as_deref() != Some(port) {
        return Err(ApiError::bad_request("address not allowed"));
    }
    let router = hub
        .nodes
        .router(name)
        .ok_or_else(|| ApiError::new(Reason::ServiceUnavailable, format!("node {name} is not connected")))?;
    Ok(Destination::Node(router))
}

fn refused() -> ApiError {
    ApiError::bad_request("address not allowed")
}

/// The address, if requests may go there. Clusters of one machine have pods at loopback addresses: those are theirs.
fn allowed(hub: &Hub, namespace: &str, ip: IpAddr) -> ApiResult<IpAddr> {
    let local = match ip {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if local || ip.is_unspecified() || ip.is_multicast() {
        return Err(refused());
    }
    if !ip.is_loopback() {
        return Ok(ip);
    }
    // 127.0.0.1 is everybody's, and so is a pod's that shares the machine's network.
    let shared = IpAddr::from([127, 0, 0, 1]);
    let text = ip.to_string();
    let pods = hub.store.list(&Scope::namespaced("pods", namespace));
    let of_pod = pods.iter().any(|pod| pod.lifted.field("status.podIP") == Some(text.as_str()));
    if ip != shared && ip.is_ipv4() && of_pod { Ok(ip) } else { Err(refused()) }
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
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http()
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
    fn names_carry_scheme_and_port() {
        assert_eq!(parts("pod", "a").unwrap(), (Scheme::HTTP, "a", ""));
        assert_eq!(parts("pod", "a:80").unwrap(), (Scheme::HTTP, "a", "80"));
        assert_eq!(parts("pod", "https:a:web").unwrap(), (Scheme::HTTPS, "a", "web"));
        assert_eq!(parts("pod", "ftp:a:1").unwrap_err().message, "invalid pod request \"ftp:a:1\"");
    }

    #[test]
    fn the_rest_of_the_path_is_kept_as_it_is() {
        let path = "/api/v1/namespaces/n/pods/p/proxy/a%2Fb/";
        assert_eq!(split(path, true), ("/api/v1/namespaces/n/pods/p/proxy".into(), "/a%2Fb/".into()));
        assert_eq!(split("/api/v1/nodes/n/proxy", false), ("/api/v1/nodes/n/proxy".into(), String::new()));
    }
}
