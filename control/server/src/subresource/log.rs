//! `log` of a pod: asks the pod's node, and passes on what it says as it says it.

use axum::body::Body;
use coracle_api::{ApiError, ApiResult, Reason};
use futures::StreamExt;
use http::{Request, Response, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use crate::http::{Params, read_bytes, text};
use crate::hub::{Call, Hub};
use crate::metrics::Held;
use crate::read::{key, parse};

/// Query parameters that the node understands, under the same names.
const PASSED_ON: [&str; 7] =
    ["follow", "previous", "timestamps", "tailLines", "sinceSeconds", "sinceTime", "limitBytes"];

/// Of an error that a node answers with, so much is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// Answers with the log.
pub(super) async fn log(hub: &Hub, call: &Call, held: Held) -> ApiResult<Response<Body>> {
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
    if call.params.flag("previous") {
        check_previous(&call.target.name, &pod, &container)?;
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
    let uri =
        format!("/containerLogs/{}/{}/{container}?{}", call.target.namespace, call.target.name, query(&call.params));
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
    let params = &call.params;
    let invalid = |text: String| {
        ApiError::new(Reason::Invalid, format!("PodLogOptions \"{}\" is invalid: {text}", call.target.name))
    };
    for (name, least) in [("tailLines", 0), ("sinceSeconds", 1), ("limitBytes", 1)] {
        if let Some(number) = params.integer(name)?.filter(|n| *n < least) {
            return Err(invalid(format!("{name}: Invalid value: {number}: must be greater than or equal to {least}")));
        }
    }
    if params.get("sinceSeconds").is_some() && params.get("sinceTime").is_some() {
        return Err(invalid("Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified".into()));
    }
    match params.get("sinceTime").map(str::parse::<jiff::Timestamp>) {
        Some(Err(_)) => Err(ApiError::bad_request("sinceTime: Invalid value: must be a time in RFC 3339")),
        _ => Ok(()),
    }
}

fn query(params: &Params) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in PASSED_ON {
        if let Some(value) = params.get(name) {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

/// The container that is meant: the named one, or the only one.
fn container(pod_name: &str, pod: &Value, named: Option<&str>) -> ApiResult<String> {
    let names = |list: &str| -> Vec<String> {
        let containers = pod["spec"][list].as_array().map(Vec::as_slice).unwrap_or_default();
        containers.iter().filter_map(|c| Some(c["name"].as_str()?.to_string())).collect()
    };
    let (containers, init) = (names("containers"), names("initContainers"));
    match named {
        Some(name) if containers.iter().chain(&init).chain(&names("ephemeralContainers")).any(|c| c == name) => {
            Ok(name.into())
        }
        Some(name) => Err(ApiError::bad_request(format!("container {name} is not valid for pod {pod_name}"))),
        None => match (
            containers.as_slice(),
            pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str(),
        ) {
            ([only], _) if init.is_empty() => Ok(only.clone()),
            (many, Some(default)) if many.iter().any(|c| c == default) => Ok(default.into()),
            ([], _) => Err(ApiError::bad_request(format!("pod {pod_name} has no containers"))),
            (many, _) => {
                let mut choice = format!("choose one of: [{}]", many.join(" "));
                if !init.is_empty() {
                    choice += &format!(" or one of the init containers: [{}]", init.join(" "));
                }
                Err(ApiError::bad_request(format!("a container name must be specified for pod {pod_name}, {choice}")))
            }
        },
    }
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
    fn the_container_is_the_only_one_or_must_be_named() {
        let one = json!({ "spec": { "containers": [{ "name": "a" }] } });
        assert_eq!(container("p", &one, None).unwrap(), "a");
        let two = json!({ "spec": { "containers": [{ "name": "a" }, { "name": "b" }] } });
        assert_eq!(
            container("p", &two, None).unwrap_err().message,
            "a container name must be specified for pod p, choose one of: [a b]"
        );
        assert_eq!(container("p", &two, Some("x")).unwrap_err().message, "container x is not valid for pod p");
    }

    #[test]
    fn a_container_that_has_run_before_is_not_waiting() {
        let status = |s: Value| json!({ "status": { "containerStatuses": [s] } });
        let creating = status(json!({ "name": "a", "state": { "waiting": { "reason": "ImagePullBackOff" } } }));
        assert_eq!(waiting(&creating, "a").as_deref(), Some("ImagePullBackOff"));
        let crashed = status(json!({ "name": "a", "state": { "waiting": {} }, "lastState": { "terminated": {} } }));
        assert_eq!(waiting(&crashed, "a"), None);
        assert_eq!(waiting(&json!({}), "a").as_deref(), Some("ContainerCreating"));
    }
}
