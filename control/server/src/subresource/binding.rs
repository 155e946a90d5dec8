//! `binding` of a pod: gives it to a node, once.

use std::sync::Arc;

use axum::body::Body;
use coracle_api::decode::decode_as;
use coracle_api::field::{FieldError, Path};
use coracle_api::{ApiError, ApiResult, Reason, Resource, meta, names};
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::http::status_success;
use crate::hub::{Call, Hub};
use crate::read::key;
use crate::write::{Author, Next, Writer, author, edit_as, now, parsed, revise_as};

/// Answers a POST of a `v1 Binding`, below the pod or (its name in the body) to the namespace's `bindings`.
pub(super) async fn bind(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let author = author(call)?;
    let (binding, _) = decode_as("v1", "Binding", parsed(call, "Binding")?, call.params.field_validation()?)?;
    let mut target = call.target.clone();
    if target.name.is_empty() {
        target.name = meta::name(&binding).to_string();
    }
    check(&target.name, &target.resource, &binding)?;
    let resource = target.resource.clone();
    let decide = |pod: &Value| {
        let (name, resource, pod, author) = (target.name.clone(), resource.clone(), pod.clone(), author.clone());
        let make = move |binding: &Value| {
            check(&name, &resource, binding)?;
            assign(&resource, &pod, binding, &author)
        };
        Ok(Next::Ask { asked: binding.clone(), before: None, make: Box::new(make), pinned: false })
    };
    edit_as(hub, &Writer::of(call)?, &key(&target), decide).await?;
    Ok(status_success(StatusCode::CREATED, Map::new()))
}

fn check(pod: &str, resource: &Arc<Resource>, binding: &Value) -> ApiResult<()> {
    let named = meta::name(binding);
    if !named.is_empty() && named != pod {
        return Err(ApiError::bad_request("name in URL does not match name in Binding object"));
    }
    let (target, path) = (&binding["target"], Path::root("target"));
    let mut errors = Vec::new();
    let kind = target["kind"].as_str().unwrap_or_default();
    if !matches!(kind, "" | "Node") {
        errors.push(FieldError::not_supported(&path.child("kind"), &json!(kind), &["Node", "<empty>"]));
    }
    let node = target["name"].as_str().unwrap_or_default();
    if node.is_empty() {
        errors.push(FieldError::required(&path.child("name"), ""));
    } else {
        let wrong = names::subdomain_name(node, false);
        errors.extend(wrong.into_iter().map(|why| FieldError::invalid(&path.child("name"), &json!(node), &why)));
    }
    if errors.is_empty() {
        return Ok(());
    }
    let mut error = ApiError::invalid(resource, pod, &errors);
    error.message = error.message.replacen("Pod ", "Binding ", 1);
    Err(error)
}

/// The pod on its node. 409 when it is on one already, or going.
fn assign(resource: &Resource, pod: &Value, binding: &Value, author: &Author) -> ApiResult<Value> {
    let (name, node) = (meta::name(pod), binding["target"]["name"].as_str().unwrap_or_default());
    let conflict = |why: String| {
        let message = format!("Operation cannot be fulfilled on {}/binding \"{name}\": {why}", resource.plural);
        let mut error = ApiError::new(Reason::Conflict, message).about(resource, name);
        error.details.insert("kind".into(), json!(format!("{}/binding", resource.plural)));
        error
    };
    for (what, wanted, actual) in [
        ("UID", meta::uid(binding), meta::uid(pod)),
        ("ResourceVersion", meta::resource_version(binding), meta::resource_version(pod)),
    ] {
        if !wanted.is_empty() && wanted != actual {
            return Err(conflict(format!(
                "Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {actual}"
            )));
        }
    }
    if meta::is_deleting(pod) {
        return Err(conflict(format!("pod {name} is being deleted, cannot be assigned to a host")));
    }
    if let Some(already) = pod["spec"]["nodeName"].as_str().filter(|n| !n.is_empty()) {
        return Err(conflict(format!("pod {name} is already assigned to node \"{already}\"")));
    }
    if pod["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty()) {
        return Err(conflict(format!("pod {name} has non-empty .spec.schedulingGates")));
    }
    let mut new = pod.clone();
    new["spec"]["nodeName"] = json!(node);
    for field in ["annotations", "labels"] {
        for (key, value) in binding["metadata"][field].as_object().into_iter().flatten() {
            new["metadata"][field][key] = value.clone();
        }
    }
    set_scheduled(&mut new);
    revise_as(resource, new, pod, author, |_, _| Vec::new())
}

fn set_scheduled(pod: &mut Value) {
    let condition = json!({
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": null,
        "lastTransitionTime": now(),
        "observedGeneration": pod["metadata"]["generation"],
    });
    let condition: Map<String, Value> = condition
        .as_object()
        .cloned()
        .unwrap_or_default()
        .into_iter()
        .filter(|(k, v)| k == "lastProbeTime" || !v.is_null())
        .collect();
    if !pod["status"]["conditions"].is_array() {
        pod["status"]["conditions"] = json!([]);
    }
    let Some(conditions) = pod["status"]["conditions"].as_array_mut() else { return };
    conditions.retain(|c| c["type"] != "PodScheduled");
    conditions.push(Value::Object(condition));
}
