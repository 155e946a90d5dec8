//! `approval` of a certificate signing request: its metadata and conditions, and nothing else of it.

use axum::body::Body;
use coracle_api::ApiResult;
use coracle_api::kinds::signing_request::validate_approval;
use coracle_api::patch::patch_object;
use http::Response;
use serde_json::{Value, json};

use crate::http::Verb;
use crate::hub::{Call, Hub};
use crate::read::key;
use crate::write::{Next, Writer, author, body_of, check_version, edit_as, now, patch_kind, respond, revise_as};

/// Answers a PUT or PATCH.
pub(super) async fn update(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let resource = &call.target.resource;
    let author = author(call)?;
    let given = if call.verb == Verb::Patch { None } else { Some(body_of(call)?) };
    let mut warnings = Vec::new();
    let decide = |old: &Value| {
        let (wanted, found) = match &given {
            Some(given) => given.clone(),
            None => patch_object(resource, patch_kind(call)?, old, &call.body, call.params.field_validation()?)?,
        };
        warnings = found;
        let pinned = check_version(call, &wanted, old)?;
        let conditions = wanted["status"].get("conditions").cloned().unwrap_or_else(|| json!([]));
        let mut new = json!({ "metadata": wanted["metadata"] });
        for kept in ["apiVersion", "kind", "spec", "status"] {
            new[kept] = old[kept].clone();
        }
        new["status"]["conditions"] = timed(conditions, &old["status"]["conditions"]);
        let object = revise_as(resource, new, old, &author, validate_approval)?;
        Ok(Next::Write { object, pinned })
    };
    let edited = edit_as(hub, &Writer::of(call)?, &key(&call.target), decide).await?;
    respond(call, &edited.record, &warnings)
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
