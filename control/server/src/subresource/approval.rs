//! `approval` of a certificate signing request: its metadata and conditions, and nothing else of it.

use axum::body::Body;
use coracle_api::ApiResult;
use coracle_api::kinds::signing_request::validate_approval;
use http::Response;
use serde_json::{Value, json};

use super::part;
use crate::hub::{Call, Hub};
use crate::write::now;

/// Answers a PUT or PATCH.
pub(super) async fn update(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    part::update(hub, call, take_conditions, validate_approval).await
}

fn take_conditions(wanted: &Value, old: &Value) -> Value {
    let conditions = wanted["status"].get("conditions").cloned().unwrap_or_else(|| json!([]));
    let mut new = json!({ "metadata": wanted["metadata"] });
    for kept in ["apiVersion", "kind", "spec", "status"] {
        new[kept] = old[kept].clone();
    }
    new["status"]["conditions"] = timed(conditions, &old["status"]["conditions"]);
    new
}

/// Conditions with the times that nobody gave.
fn timed(mut conditions: Value, old: &Value) -> Value {
    let now = now();
    for condition in conditions.as_array_mut().into_iter().flatten() {
        let before = old.as_array().into_iter().flatten().find(|o| o["type"] == condition["type"]);
        let same = before.filter(|before| before["status"] == condition["status"]);
        if condition["lastTransitionTime"].is_null() {
            condition["lastTransitionTime"] =
                same.map_or_else(|| json!(now), |before| before["lastTransitionTime"].clone());
        }
        if condition["lastUpdateTime"].is_null() {
            condition["lastUpdateTime"] = json!(now);
        }
    }
    conditions
}
