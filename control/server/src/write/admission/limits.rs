//! `LimitRanger`: what containers get that say nothing, and how much or little they, pods and claims may ask for.

use async_trait::async_trait;
use coracle_api::field::aggregate;
use coracle_api::pod::{self, ResourceList};
use coracle_api::quantity::Quantity;
use coracle_api::quota::amounts;
use coracle_api::{ApiResult, meta};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{Action, Admitted, Plugin, all_stored};
use crate::hub::Hub;

const RANGES: &str = "limitranges";
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

pub(super) struct LimitRanger;

#[async_trait]
impl Plugin for LimitRanger {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        let resizes = write.action == Action::Update && write.subresource == "resize" && write.concerns("", "pods");
        // A pod's resources can't change otherwise.
        let claims = write.subresource.is_empty()
            && write.concerns("", "persistentvolumeclaims")
            && write.action != Action::Delete;
        write.creates("pods") || claims || resizes
    }

    async fn admit(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        if write.creates("pods") {
            for range in all_stored(hub, RANGES, write.namespace) {
                set_defaults(object, &range);
            }
        }
        Ok(())
    }

    async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        // What goes is let go, as it is: its finalizers are taken by updates.
        if write.old.is_some_and(meta::is_deleting) {
            return Ok(());
        }
        let check = if write.concerns("", "pods") { check_pod } else { check_claim };
        for range in all_stored(hub, RANGES, write.namespace) {
            let mut found = Vec::new();
            for limit in range["spec"]["limits"].as_array().into_iter().flatten() {
                check(object, limit, &mut found);
            }
            // What is wrong with several containers is said once.
            if !found.is_empty() {
                return Err(write.forbidden(&aggregate(found)));
            }
        }
        Ok(())
    }
}

/// Gives containers what the range says when they don't say it themselves, and notes it on the pod.
fn set_defaults(pod: &mut Value, range: &Value) {
    let limits = range["spec"]["limits"].as_array().into_iter().flatten();
    let (mut requests, mut most) = (json!({}), json!({}));
    for limit in limits.filter(|limit| limit["type"] == "Container") {
        for (from, into) in [("defaultRequest", &mut requests), ("default", &mut most)] {
            for (name, amount) in limit[from].as_object().into_iter().flatten() {
                into[name] = amount.clone();
            }
        }
    }
    let mut notes = Vec::new();
    for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
        for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            for (field, word, defaults) in [("requests", "request", &requests), ("limits", "limit", &most)] {
                let set = fill(&mut container["resources"], field, defaults);
                if !set.is_empty() {
                    let name = container["name"].as_str().unwrap_or_default();
                    notes.push(format!("{} {word} for {what} {name}", set.join(", ")));
                }
            }
        }
    }
    if !notes.is_empty() {
        pod["metadata"]["annotations"][ANNOTATION] = json!(format!("LimitRanger plugin set: {}", notes.join("; ")));
    }
}

/// Adds what is missing, and says what that was.
fn fill(resources: &mut Value, field: &str, defaults: &Value) -> Vec<String> {
    let mut set = Vec::new();
    for (name, amount) in defaults.as_object().into_iter().flatten() {
        if resources[field][name].is_null() {
            resources[field][name] = amount.clone();
            set.push(name.clone());
        }
    }
    set
}

/// What somebody asks for and may use at most.
struct Asked {
    requests: ResourceList,
    limits: ResourceList,
}

fn check_pod(pod: &Value, limit: &Value, errors: &mut Vec<String>) {
    match limit["type"].as_str() {
        Some("Container") => {
            for list in ["containers", "initContainers"] {
                for container in pod["spec"][list].as_array().into_iter().flatten() {
                    let of = |field: &str| amounts(container["resources"].get(field));
                    check(limit, &Asked { requests: of("requests"), limits: of("limits") }, errors);
                }
            }
        }
        Some("Pod") => {
            // It was decoded by the same schema.
            let Ok(pod) = serde_json::from_value::<Pod>(pod.clone()) else { return };
            check(limit, &Asked { requests: pod::requests(&pod), limits: pod::limits(&pod) }, errors);
        }
        _ => {}
    }
}

fn check(limit: &Value, asked: &Asked, errors: &mut Vec<String>) {
    let kind = limit["type"].as_str().unwrap_or_default();
    for (name, least) in amounts(limit.get("min")) {
        errors.extend(too_little(kind, &name, least, asked));
    }
    for (name, most) in amounts(limit.get("max")) {
        errors.extend(too_much(kind, &name, most, asked));
    }
    for (name, ratio) in amounts(limit.get("maxLimitRequestRatio")) {
        errors.extend(too_wide(kind, &name, ratio, asked));
    }
}

fn too_little(kind: &str, name: &str, least: Quantity, asked: &Asked) -> Option<String> {
    let rule = format!("minimum {name} usage per {kind} is {least}");
    let Some(request) = asked.requests.get(name) else { return Some(format!("{rule}.  No request is specified")) };
    if *request < least {
        return Some(format!("{rule}, but request is {request}"));
    }
    let limit = asked.limits.get(name).filter(|limit| **limit < least)?;
    Some(format!("{rule}, but limit is {limit}"))
}

fn too_much(kind: &str, name: &str, most: Quantity, asked: &Asked) -> Option<String> {
    let rule = format!("maximum {name} usage per {kind} is {most}");
    let Some(limit) = asked.limits.get(name) else { return Some(format!("{rule}.  No limit is specified")) };
    if *limit > most {
        return Some(format!("{rule}, but limit is {limit}"));
    }
    let request = asked.requests.get(name).filter(|request| **request > most)?;
    Some(format!("{rule}, but request is {request}"))
}

fn too_wide(kind: &str, name: &str, most: Quantity, asked: &Asked) -> Option<String> {
    let rule = format!("{name} max limit to request ratio per {kind} is {most}");
    let given = |list: &ResourceList| list.get(name).copied().filter(|amount| !amount.is_zero());
    let Some(request) = given(&asked.requests) else {
        return Some(format!("{rule}, but no request is specified or request is 0"));
    };
    let Some(limit) = given(&asked.limits) else {
        return Some(format!("{rule}, but no limit is specified or limit is 0"));
    };
    let ratio = limit.nanos() as f64 / request.nanos() as f64;
    let allowed = most.nanos() as f64 / 1e9;
    (ratio > allowed).then(|| format!("{rule}, but provided ratio is {ratio:.6}"))
}

fn check_claim(claim: &Value, limit: &Value, errors: &mut Vec<String>) {
    let kind = "PersistentVolumeClaim";
    if limit["type"] != kind {
        return;
    }
    let requests = amounts(claim["spec"]["resources"].get("requests"));
    let asked = Asked { limits: ResourceList::new(), requests: requests.clone() };
    for (name, least) in amounts(limit.get("min")) {
        errors.extend(too_little(kind, &name, least, &asked));
    }
    for (name, most) in amounts(limit.get("max")) {
        let rule = format!("maximum {name} usage per {kind} is {most}");
        match requests.get(&name) {
            None => errors.push(format!("{rule}.  No request is specified")),
            Some(request) if *request > most => errors.push(format!("{rule}, but request is {request}")),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(resources: Value) -> Value {
        json!({ "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "resources": resources }] } })
    }

    #[test]
    fn containers_get_what_they_do_not_say_and_a_note_tells_it() {
        let range = json!({ "spec": { "limits": [{
            "type": "Container",
            "default": { "cpu": "500m", "memory": "1Gi" }, "defaultRequest": { "cpu": "100m" },
        }] } });
        let mut pod = pod(json!({ "limits": { "memory": "2Gi" } }));
        set_defaults(&mut pod, &range);
        let resources = &pod["spec"]["containers"][0]["resources"];
        assert_eq!(resources["limits"], json!({ "cpu": "500m", "memory": "2Gi" }));
        assert_eq!(resources["requests"], json!({ "cpu": "100m" }));
        let note = "LimitRanger plugin set: cpu request for container c; cpu limit for container c";
        assert_eq!(pod["metadata"]["annotations"][ANNOTATION], note);
    }

    #[test]
    fn ranges_are_enforced_in_kubernetes_words() {
        let limit = json!({
            "type": "Container", "min": { "cpu": "100m" }, "max": { "cpu": "1", "memory": "1Gi" },
            "maxLimitRequestRatio": { "cpu": "2" },
        });
        let errors = |resources: Value| {
            let mut errors = Vec::new();
            check_pod(&pod(resources), &limit, &mut errors);
            errors
        };
        let given = json!({ "requests": { "cpu": "50m" }, "limits": { "cpu": "2" } });
        assert_eq!(
            errors(given),
            [
                "minimum cpu usage per Container is 100m, but request is 50m",
                "maximum cpu usage per Container is 1, but limit is 2",
                "maximum memory usage per Container is 1Gi.  No limit is specified",
                "cpu max limit to request ratio per Container is 2, but provided ratio is 40.000000",
            ]
        );
        let fine = json!({ "requests": { "cpu": "500m" }, "limits": { "cpu": "1", "memory": "1Gi" } });
        assert!(errors(fine).is_empty());
    }

    #[test]
    fn claims_have_their_own_limits() {
        let limit =
            json!({ "type": "PersistentVolumeClaim", "min": { "storage": "2Gi" }, "max": { "storage": "4Gi" } });
        let errors = |size: &str| {
            let mut errors = Vec::new();
            check_claim(&json!({ "spec": { "resources": { "requests": { "storage": size } } } }), &limit, &mut errors);
            errors.join("")
        };
        assert_eq!(errors("1Gi"), "minimum storage usage per PersistentVolumeClaim is 2Gi, but request is 1Gi");
        assert_eq!(errors("5Gi"), "maximum storage usage per PersistentVolumeClaim is 4Gi, but request is 5Gi");
        assert_eq!(errors("3Gi"), "");
    }
}
