//! `ephemeralcontainers` (KEP-277) and `resize` (KEP-1287) of a pod: the two ways to change the containers of a pod that
//! is there already. Each takes a whole pod and looks at its own part of it only.

use axum::body::Body;
use coracle_api::kinds::pod::{take_resize, validate_ephemeral_update, validate_resize};
use coracle_api::{ApiResult, meta};
use http::Response;
use serde_json::{Value, json};

use super::part::{self, Check};
use crate::hub::{Call, Hub};

/// Puts its part of a wanted pod into the one that is there.
type Take = fn(&mut Value, &Value);

/// Answers a PUT or PATCH of `ephemeralcontainers`.
pub(super) async fn debug(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    update(hub, call, take_ephemeral, validate_ephemeral_update).await
}

/// Answers a PUT or PATCH of `resize`.
pub(super) async fn resize(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    update(hub, call, take_resize, validate_resize).await
}

async fn update(hub: &Hub, call: &Call, take: Take, check: Check) -> ApiResult<Response<Body>> {
    let rules = call.target.resource.rules;
    let successor = move |wanted: &Value, old: &Value| {
        let mut new = old.clone();
        take(&mut new, wanted);
        // What the kind defaults for containers (image pull policy and the like) holds for new ones too.
        (rules.defaults)(&mut new);
        if new["spec"] != old["spec"] {
            let generation = meta::generation(old) + 1;
            new["metadata"]["generation"] = json!(generation);
        }
        new
    };
    part::update(hub, call, successor, check).await
}

fn take_ephemeral(new: &mut Value, wanted: &Value) {
    let containers = wanted["spec"].get("ephemeralContainers").cloned().unwrap_or_else(|| json!([]));
    if containers.as_array().is_some_and(Vec::is_empty) {
        if let Some(spec) = new["spec"].as_object_mut() {
            spec.remove("ephemeralContainers");
        }
    } else {
        new["spec"]["ephemeralContainers"] = containers;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_debug_containers_are_no_list() {
        let mut pod = json!({ "spec": { "ephemeralContainers": [{ "name": "a" }], "nodeName": "n" } });
        take_ephemeral(&mut pod, &json!({ "spec": {} }));
        assert_eq!(pod, json!({ "spec": { "nodeName": "n" } }));
        take_ephemeral(&mut pod, &json!({ "spec": { "ephemeralContainers": [{ "name": "b" }], "nodeName": "other" } }));
        assert_eq!(pod, json!({ "spec": { "ephemeralContainers": [{ "name": "b" }], "nodeName": "n" } }));
    }
}
