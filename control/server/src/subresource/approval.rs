//! `approval` of a certificate signing request: its conditions, and nothing else of it.

use axum::body::Body;
use coracle_api::ApiResult;
use coracle_api::field::{FieldError, Path};
use coracle_api::patch::patch_object;
use http::Response;
use serde_json::{Value, json};

use crate::http::Verb;
use crate::hub::{Call, Hub};
use crate::read::key;
use crate::write::{Next, Writer, author, body_of, check_version, edit_as, now, patch_kind, respond, revise_as};

/// Conditions that stay once they are there, and exclude each other.
const FINAL: [&str; 2] = ["Approved", "Denied"];

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
        let mut new = old.clone();
        let conditions = wanted["status"].get("conditions").cloned().unwrap_or_else(|| json!([]));
        new["status"]["conditions"] = timed(conditions, &old["status"]["conditions"]);
        let object = revise_as(resource, new, old, &author, check)?;
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

fn check(new: &Value, old: &Value) -> Vec<FieldError> {
    let path = Path::root("status").child("conditions");
    let types = |csr: &Value| -> Vec<String> {
        let conditions = csr["status"]["conditions"].as_array().into_iter().flatten();
        conditions.map(|c| c["type"].as_str().unwrap_or_default().to_string()).collect()
    };
    let (has, had) = (types(new), types(old));
    let mut errors = Vec::new();
    if FINAL.iter().all(|kind| has.iter().any(|h| h == kind)) {
        let why = "Approved and Denied conditions are mutually exclusive";
        errors.push(FieldError::invalid(&path, &new["status"]["conditions"], why));
    }
    for kind in FINAL.iter().chain(&["Failed"]).filter(|kind| had.iter().any(|h| h == *kind)) {
        if !has.iter().any(|h| h == kind) {
            errors.push(FieldError::forbidden(&path, &format!("updates may not remove a condition of type {kind:?}")));
        }
    }
    for (index, condition) in new["status"]["conditions"].as_array().into_iter().flatten().enumerate() {
        let (path, kind) = (path.index(index), text(condition, "type"));
        if kind.is_empty() {
            errors.push(FieldError::required(&path.child("type"), ""));
        }
        match text(condition, "status") {
            "" => errors.push(FieldError::required(&path.child("status"), "")),
            "True" => {}
            status if matches!(kind, "Approved" | "Denied" | "Failed") => {
                errors.push(FieldError::not_supported(&path.child("status"), &json!(status), &["True"]));
            }
            _ => {}
        }
        if has.iter().take(index).any(|earlier| earlier == kind) {
            errors.push(FieldError::duplicate(&path.child("type"), &json!(kind)));
        }
    }
    errors
}

fn text<'a>(condition: &'a Value, field: &str) -> &'a str {
    condition[field].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csr(types: &[&str]) -> Value {
        let conditions: Vec<Value> = types.iter().map(|t| json!({ "type": t, "status": "True" })).collect();
        json!({ "metadata": { "name": "c" }, "status": { "conditions": conditions } })
    }

    #[test]
    fn a_decision_stays() {
        let texts = |new: &Value, old: &Value| check(new, old).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(texts(&csr(&["Approved"]), &csr(&[])).is_empty());
        assert!(texts(&csr(&["Approved", "Denied"]), &csr(&[]))[0].contains("mutually exclusive"));
        let removed = texts(&csr(&[]), &csr(&["Approved"]));
        let expected = "status.conditions: Forbidden: updates may not remove a condition of type \"Approved\"";
        assert_eq!(removed, [expected]);
    }
}
