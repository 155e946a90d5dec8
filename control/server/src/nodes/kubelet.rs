//! Nodes that are reached as kubelets are: by HTTPS, at the address and port that their Node publishes, as a client that
//! they know by its certificate.
//!
//! As kube-apiserver does unless it is told whom to believe (`--kubelet-certificate-authority`), this server believes any
//! certificate that a node shows: nodes make their own. What it shows is proof of itself and of no use to whoever sees it.

use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use coracle_api::ApiError;
use coracle_store::{Key, Store};
use http::header::{CONNECTION, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{Extensions, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::http::{error, names};
use crate::outbound::{Outbound, Trust, TrustError};
use crate::pki::Identity;
use crate::read::parse;

/// Kinds of addresses by which a node may be reached, the first that it has (kubeadm's
/// `--kubelet-preferred-address-types`).
const ADDRESS_TYPES: [&str; 3] = ["InternalIP", "ExternalIP", "Hostname"];

/// What belongs to one connection and is not passed on (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 5] = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// The way to them.
#[derive(Clone)]
pub(crate) struct Kubelets {
    store: Store,
    outbound: Outbound,
}

impl Kubelets {
    /// Nodes in `store`, which know this server as `identity`, and which it knows by certificates of `authorities` (PEM).
    pub(crate) fn new(
        store: Store,
        identity: Option<&Identity>,
        authorities: Option<&str>,
    ) -> Result<Self, TrustError> {
        let trust = authorities.map_or_else(Trust::anybody, Trust::authorities);
        let trust = match identity {
            Some(identity) => trust.showing(identity),
            None => trust,
        };
        Ok(Self { outbound: Outbound::new(store.clone(), &trust)?, store })
    }

    /// The API of the node, if it publishes where that is.
    pub(super) fn router(&self, node: &str) -> Option<Router> {
        let record = self.store.get(&Key::new("nodes", "", node))?;
        let place = place(&parse(&record.json).ok()?)?;
        let outbound = self.outbound.clone();
        Some(Router::new().fallback(move |request: Request<Body>| forward(outbound.clone(), place.clone(), request)))
    }
}

/// `address:port` of the API of a node.
fn place(node: &Value) -> Option<String> {
    let port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"].as_u64();
    let port = port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0)?;
    let addresses = node["status"]["addresses"].as_array()?;
    let of_type = |wanted: &&str| addresses.iter().find(|address| address["type"] == **wanted)?["address"].as_str();
    let host = ADDRESS_TYPES.iter().find_map(of_type)?;
    match host.parse() {
        Ok(IpAddr::V6(v6)) => Some(format!("[{v6}]:{port}")),
        _ => Some(format!("{host}:{port}")),
    }
}

/// Passes a request on, and the connection that it may become.
async fn forward(outbound: Outbound, place: String, request: Request<Body>) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let Ok(uri) = format!("https://{place}{path}").parse::<Uri>() else {
        return error(&ApiError::internal(format!("the address {place:?} of a node is not usable")));
    };
    let upgrade = names(&parts.headers, &CONNECTION, "upgrade").then(|| parts.headers.get(UPGRADE).cloned()).flatten();
    let mut onward = Request::new(body);
    *onward.method_mut() = parts.method;
    *onward.uri_mut() = uri;
    *onward.headers_mut() = parts.headers;
    for name in HOP_BY_HOP.into_iter().chain([HOST]) {
        onward.headers_mut().remove(name);
    }
    if let Some(protocol) = upgrade {
        onward.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        onward.headers_mut().insert(UPGRADE, protocol);
    }
    match outbound.send(onward).await {
        Ok(mut answer) => {
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                let theirs = hyper::upgrade::on(&mut answer);
                if let Some(ours) = parts.extensions.remove::<OnUpgrade>() {
                    join(ours, theirs, parts.extensions);
                }
                return answer.map(Body::new);
            }
            HOP_BY_HOP.into_iter().for_each(|name| drop(answer.headers_mut().remove(name)));
            answer.map(Body::new)
        }
        Err(why) => error(&ApiError::internal(format!("error dialing backend: {why}"))),
    }
}

/// Copies bytes both ways until one side ends or the server closes. What else came with the request (see
/// [`super`]) is kept as long.
fn join(ours: OnUpgrade, theirs: OnUpgrade, kept: Extensions) {
    let closing = kept.get::<CancellationToken>().cloned().unwrap_or_default();
    tokio::spawn(async move {
        let copy = async {
            let (ours, theirs): (Upgraded, Upgraded) = tokio::try_join!(ours, theirs).ok()?;
            tokio::io::copy_bidirectional(&mut TokioIo::new(ours), &mut TokioIo::new(theirs)).await.ok()
        };
        let _ = closing.run_until_cancelled(copy).await;
        drop(kept);
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_reached_at_its_internal_address_and_published_port() {
        let node = |addresses: Value, port: Value| {
            place(
                &json!({ "status": { "addresses": addresses, "daemonEndpoints": { "kubeletEndpoint": { "Port": port } } } }),
            )
        };
        let both = json!([{ "type": "Hostname", "address": "n" }, { "type": "InternalIP", "address": "10.0.0.7" }]);
        assert_eq!(node(both.clone(), json!(10_250)).as_deref(), Some("10.0.0.7:10250"));
        assert_eq!(node(json!([{ "type": "Hostname", "address": "n" }]), json!(1)).as_deref(), Some("n:1"));
        let v6 = json!([{ "type": "InternalIP", "address": "fd00::7" }]);
        assert_eq!(node(v6, json!(10_250)).as_deref(), Some("[fd00::7]:10250"));
        assert_eq!(node(both.clone(), json!(null)), None);
        assert_eq!(node(both.clone(), json!(0)), None);
        assert_eq!(node(both, json!(70_000)), None);
        assert_eq!(node(json!([]), json!(10_250)), None);
    }
}
