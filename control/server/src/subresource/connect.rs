//! `exec`, `attach` and `portforward`: the request goes on to the pod's node, which changes the protocol and talks to
//! the client itself.

use std::sync::Arc;

use axum::body::Body;
use coracle_api::{ApiError, ApiResult, Subresource};
use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderName, Request, Response};
use serde_json::Value;
use tower::ServiceExt;

use super::connect_options;
use super::container::container;
use crate::http::{Params, names};
use crate::hub::{Call, Hub};
use crate::metrics::Held;
use crate::read::{key, parse};
use crate::write::admit_connection;

/// Headers that make the connection and are passed on; the client's others are for this server.
const PASSED_ON: [HeaderName; 7] = [
    CONNECTION,
    UPGRADE,
    http::header::SEC_WEBSOCKET_KEY,
    http::header::SEC_WEBSOCKET_VERSION,
    http::header::SEC_WEBSOCKET_PROTOCOL,
    http::header::SEC_WEBSOCKET_EXTENSIONS,
    HeaderName::from_static("x-stream-protocol-version"),
];

/// The streams of a program, by their names in the API and in the API of a node.
const STREAMS: [(&str, &str); 3] = [("stdin", "input"), ("stdout", "output"), ("stderr", "error")];

/// Passes the request on; what the node answers is the answer.
pub(super) async fn connect(hub: &Hub, call: &Call, parts: Parts, held: Held) -> ApiResult<Response<Body>> {
    let name = &call.target.name;
    let record = hub.store.get(&key(&call.target));
    let record = record.ok_or_else(|| ApiError::not_found(&call.target.resource, name))?;
    let pod = parse(&record.json)?;
    let call = &admitted(hub, call).await?;
    let path = path(call, &pod)?;
    if !names(&parts.headers, &CONNECTION, "upgrade") {
        return Err(ApiError::bad_request("Upgrade request required"));
    }
    let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    if node.is_empty() {
        return Err(ApiError::bad_request(format!("pod {name} does not have a host assigned")));
    }
    let router = hub.nodes.router(node);
    let router =
        router.ok_or_else(|| ApiError::internal(format!("cannot reach pod {name}: node {node} is not connected")))?;
    let request = onward(parts, &path, hub, held)?;
    router.oneshot(request).await.map_err(ApiError::internal)
}

/// The request as admission leaves it.
async fn admitted(hub: &Hub, call: &Call) -> ApiResult<Call> {
    let kind = match call.target.subresource {
        Some(Subresource::PortForward) => "PodPortForwardOptions",
        Some(Subresource::Attach) => "PodAttachOptions",
        _ => "PodExecOptions",
    };
    let mut options = connect_options::of_query(kind, &call.params);
    let given = options.clone();
    admit_connection(hub, &call.target, (&call.user, &call.notes), &mut options).await?;
    let mut call = call.clone();
    if options != given {
        call.params = connect_options::to_query(&options);
    }
    Ok(call)
}

/// Where the request goes on the node.
fn path(call: &Call, pod: &Value) -> ApiResult<String> {
    let (namespace, name) = (&call.target.namespace, &call.target.name);
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("uid", uid);
    let (verb, what) = match call.target.subresource {
        Some(Subresource::PortForward) => {
            for port in call.params.all("ports") {
                query.append_pair("ports", port);
            }
            return Ok(format!("/portForward/{namespace}/{name}?{}", query.finish()));
        }
        Some(Subresource::Attach) => ("attach", "attach"),
        _ => ("exec", "exec into"),
    };
    let container = container(name, pod, call.params.get("container"))?;
    check_options(call.target.subresource, &call.params)?;
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    if matches!(phase, "Succeeded" | "Failed") {
        let text = format!("cannot {what} a container in a completed pod; current phase is {phase}");
        return Err(ApiError::bad_request(text));
    }
    for (flag, theirs) in STREAMS.into_iter().chain([("tty", "tty")]) {
        if call.params.flag(flag) {
            query.append_pair(theirs, "1");
        }
    }
    for word in call.params.all("command").filter(|_| verb == "exec") {
        query.append_pair("command", word);
    }
    Ok(format!("/{verb}/{namespace}/{name}/{container}?{}", query.finish()))
}

fn check_options(subresource: Option<Subresource>, params: &Params) -> ApiResult<()> {
    if subresource == Some(Subresource::Exec) && params.all("command").next().is_none() {
        return Err(ApiError::bad_request("you must specify at least 1 command for the container"));
    }
    if STREAMS.iter().all(|(flag, _)| !params.flag(flag)) {
        return Err(ApiError::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
    }
    Ok(())
}

/// The request as it goes on: with the client's connection, and with what counts and ends it.
fn onward(parts: Parts, path: &str, hub: &Hub, held: Held) -> ApiResult<Request<Body>> {
    let request = Request::builder().method(parts.method).uri(path).body(Body::empty());
    let mut request = request.map_err(ApiError::internal)?;
    for name in PASSED_ON {
        for value in parts.headers.get_all(&name) {
            request.headers_mut().append(&name, value.clone());
        }
    }
    let extensions = request.extensions_mut();
    *extensions = parts.extensions;
    extensions.insert(hub.closing.clone());
    extensions.insert(Arc::new(held));
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_judged_before_anything_is_upgraded() {
        let said = |subresource, query: &str| {
            check_options(Some(subresource), &Params::parse(Some(query))).err().map(|error| error.message)
        };
        assert_eq!(said(Subresource::Exec, "command=ls&stdout=true"), None);
        let error = said(Subresource::Exec, "stdout=true").unwrap();
        assert_eq!(error, "you must specify at least 1 command for the container");
        let error = said(Subresource::Attach, "tty=true&stdin=false").unwrap();
        assert_eq!(error, "you must specify at least 1 of stdin, stdout, stderr");
    }
}
