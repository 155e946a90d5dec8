//! `log` of a pod: asks the pod's node, and passes on what it says as it says it.

use axum::body::Body;
use coracle_api::field::{FieldError, Path};
use coracle_api::{ApiError, ApiResult, Reason};
use futures::StreamExt;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use super::container::container;
use super::socket;
use crate::http::{Params, read_bytes, text};
use crate::hub::{Call, Hub};
use crate::metrics::Held;
use crate::read::{key, parse};

/// Query parameters that the node understands, under the same names.
const PASSED_ON: [&str; 7] = ["follow", "timestamps", "tailLines", "sinceSeconds", "sinceTime", "limitBytes", "stream"];

/// Which of its streams a container's log shows (KEP-3288).
const STREAMS: [&str; 3] = ["All", "Stderr", "Stdout"];

/// Of an error that a node answers with, so much is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// Answers with the log, in messages if the client has asked for a WebSocket.
pub(super) async fn log(hub: &Hub, call: &Call, parts: Parts, held: Held) -> ApiResult<Response<Body>> {
    let answer = plain(hub, call, held.clone()).await?;
    if socket::is_asked_for(&parts.headers) {
        socket::stream(hub, parts, answer.into_body(), held).await
    } else {
        Ok(answer)
    }
}

async fn plain(hub: &Hub, call: &Call, held: Held) -> ApiResult<Response<Body>> {
    check_options(call)?;
    let record = hub.store.get(&key(&call.target));
    let record = record.ok_or_else(|| ApiError::not_found(&call.target.resource, &call.target.name))?;
    let pod = parse(&record.json)?;
    let container = container(&call.target.name, &pod, call.params.get("container"))?;
    let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    if node.is_empty() {
        // A pod that no node has, has said nothing.
        return Ok(text(StatusCode::OK, ""));
    }
    let mut previous = call.params.flag("previous");
    if previous {
        check_previous(&call.target.name, &pod, &container)?;
        // While a container waits to be started again, the last run is the one before.
        previous = status(&pod, &container).is_some_and(|status| status["state"]["waiting"].is_null());
    } else if let Some(reason) = waiting(&pod, &container) {
        let name = &call.target.name;
        return Err(ApiError::bad_request(format!(
            "container \"{container}\" in pod \"{name}\" is waiting to start: {}",
            waiting_text(&reason)
        )));
    }
    let router = hub.nodes.router(node).ok_or_else(|| {
        ApiError::internal(format!("cannot get the log of pod {}: node {node} is not connected", call.target.name))
    })?;
    let uri = format!(
        "/containerLogs/{}/{}/{container}?{}",
        call.target.namespace,
        call.target.name,
        query(&call.params, previous)
    );
    let request = Request::get(uri).body(Body::empty()).map_err(ApiError::internal)?;
    let answer = router.oneshot(request).await.map_err(ApiError::internal)?;
    if !answer.status().is_success() {
        return Err(failure(answer).await);
    }
    let closing = hub.closing.clone();
    let pieces = answer.into_body().into_data_stream().take_until(closing.cancelled_owned()).map(move |piece| {
        // Counted among the long-running requests until the last piece.
        let _ = &held;
        piece
    });
    Ok(text(StatusCode::OK, Body::from_stream(pieces)))
}

fn check_options(call: &Call) -> ApiResult<()> {
    let errors = option_errors(&call.params)?;
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid_kind(("", "PodLogOptions"), &call.target.name, &errors))
}

fn option_errors(params: &Params) -> ApiResult<Vec<FieldError>> {
    let mut errors = Vec::new();
    for (name, least, why) in [
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
    ] {
        if let Some(number) = params.integer(name)?.filter(|number| *number < least) {
            errors.push(FieldError::invalid(&Path::root(name), &number.into(), why));
        }
    }
    if params.get("sinceSeconds").is_some() && params.get("sinceTime").is_some() {
        let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
        errors.push(FieldError::forbidden(&Path::unnamed(), why));
    }
    if let Some(stream) = params.get("stream") {
        if !STREAMS.contains(&stream) {
            errors.push(FieldError::not_supported(&Path::root("stream"), &stream.into(), &STREAMS));
        }
        if stream != "All" && params.get("tailLines").is_some() {
            let why = "`tailLines` and specific `stream` are mutually exclusive for now";
            errors.push(FieldError::forbidden(&Path::unnamed(), why));
        }
    }
    if let Some(Err(_)) = params.get("sinceTime").map(str::parse::<jiff::Timestamp>) {
        return Err(ApiError::bad_request("sinceTime: Invalid value: must be a time in RFC 3339"));
    }
    Ok(errors)
}

fn query(params: &Params, previous: bool) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("previous", if previous { "true" } else { "false" });
    for name in PASSED_ON {
        if let Some(value) = params.get(name) {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

fn status<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let all = lists.iter().flat_map(|list| pod["status"][list].as_array().into_iter().flatten());
    all.into_iter().find(|s| s["name"] == container)
}

/// Why the container has not started, if it never has.
fn waiting(pod: &Value, container: &str) -> Option<String> {
    let status = match status(pod, container) {
        Some(status) => status,
        // The node has not said anything yet.
        None => return Some("ContainerCreating".into()),
    };
    let waits = &status["state"]["waiting"];
    // One that waits to be started again has said something before.
    if waits.is_null() || !status["lastState"]["terminated"].is_null() {
        return None;
    }
    Some(waits["reason"].as_str().unwrap_or("ContainerCreating").to_string())
}

fn check_previous(pod_name: &str, pod: &Value, container: &str) -> ApiResult<()> {
    if status(pod, container).is_some_and(|s| !s["lastState"]["terminated"].is_null()) {
        return Ok(());
    }
    Err(ApiError::bad_request(format!("previous terminated container \"{container}\" in pod \"{pod_name}\" not found")))
}

/// What the node says is wrong, as an error of the API.
async fn failure(answer: Response<Body>) -> ApiError {
    let code = answer.status();
    let body = read_bytes(answer.into_body(), MAX_ERROR_BYTES).await.unwrap_or_default();
    let message = String::from_utf8_lossy(&body).trim().to_string();
    match code {
        StatusCode::NOT_FOUND => ApiError::new(Reason::NotFound, message),
        StatusCode::BAD_REQUEST => ApiError::bad_request(message),
        _ => ApiError::internal(message),
    }
}

/// What the kubelet says of a container that has not started, by its waiting reason.
fn waiting_text(reason: &str) -> &str {
    match reason {
        "ErrImagePull" => "image can't be pulled",
        "ImagePullBackOff" => "trying and failing to pull image",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_that_has_run_before_is_not_waiting() {
        let status = |s: Value| json!({ "status": { "containerStatuses": [s] } });
        let creating = status(json!({ "name": "a", "state": { "waiting": { "reason": "ImagePullBackOff" } } }));
        assert_eq!(waiting(&creating, "a").as_deref(), Some("ImagePullBackOff"));
        let crashed = status(json!({ "name": "a", "state": { "waiting": {} }, "lastState": { "terminated": {} } }));
        assert_eq!(waiting(&crashed, "a"), None);
        assert_eq!(waiting(&json!({}), "a").as_deref(), Some("ContainerCreating"));
    }

    #[test]
    fn options_are_judged_as_in_kubernetes() {
        let said = |query: &str| -> Vec<String> {
            let errors = option_errors(&Params::parse(Some(query))).unwrap();
            errors.iter().map(ToString::to_string).collect()
        };
        assert!(said("tailLines=0&stream=All&limitBytes=1&sinceSeconds=1").is_empty());
        assert_eq!(said("tailLines=-1"), ["tailLines: Invalid value: -1: must be greater than or equal to 0"]);
        assert_eq!(said("limitBytes=0"), ["limitBytes: Invalid value: 0: must be greater than 0"]);
        assert_eq!(
            said("stream=Stdout&tailLines=3"),
            ["[]: Forbidden: `tailLines` and specific `stream` are mutually exclusive for now"]
        );
        assert_eq!(
            said("stream=stdout"),
            ["stream: Unsupported value: \"stdout\": supported values: \"All\", \"Stderr\", \"Stdout\""]
        );
    }
}
