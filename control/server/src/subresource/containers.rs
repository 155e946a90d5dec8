//! `ephemeralcontainers` (KEP-277) and `resize` (KEP-1287) of a pod: the two ways to change the containers of a pod that
//! is there already. Each takes a whole pod and looks at its own part of it only.

use axum::body::Body;
use coracle_api::field::{FieldError, Path};
use coracle_api::patch::patch_object;
use coracle_api::pod::qos_class;
use coracle_api::{ApiResult, meta};
use http::Response;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::http::Verb;
use crate::hub::{Call, Hub};
use crate::read::key;
use crate::write::{Next, Writer, author, body_of, check_version, edit_as, patch_kind, respond, revise_as};

/// Puts its part of a wanted pod into the one that is there.
type Take = fn(&mut Value, &Value);
/// What is wrong with the step from the old pod to the new one.
type Check = fn(&Value, &Value) -> Vec<FieldError>;

/// Pods that a node runs by itself carry this.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Answers a PUT or PATCH of `ephemeralcontainers`.
pub(super) async fn debug(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    update(hub, call, take_ephemeral, check_ephemeral).await
}

/// Answers a PUT or PATCH of `resize`.
pub(super) async fn resize(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    update(hub, call, take_resources, check_resources).await
}

async fn update(hub: &Hub, call: &Call, take: Take, check: Check) -> ApiResult<Response<Body>> {
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
        take(&mut new, &wanted);
        // What the kind defaults for containers (image pull policy and the like) holds for new ones too.
        (resource.rules.defaults)(&mut new);
        if new["spec"] != old["spec"] {
            let generation = meta::generation(old) + 1;
            new["metadata"]["generation"] = json!(generation);
        }
        let object = revise_as(resource, new, old, &author, check)?;
        Ok(Next::Write { object, pinned })
    };
    let edited = edit_as(hub, &Writer::of(call)?, &key(&call.target), decide).await?;
    respond(call, &edited.record, &warnings)
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

fn check_ephemeral(new: &Value, old: &Value) -> Vec<FieldError> {
    let path = Path::root("spec").child("ephemeralContainers");
    if is_static(old) {
        return vec![FieldError::forbidden(&Path::empty(), "static pods do not support ephemeral containers")];
    }
    let mut errors = Vec::new();
    for before in containers(old, "ephemeralContainers") {
        let name = before["name"].as_str().unwrap_or_default();
        match containers(new, "ephemeralContainers").iter().find(|c| c["name"] == before["name"]) {
            None => {
                let why = format!("existing ephemeral containers {name:?} may not be removed\n");
                errors.push(FieldError::forbidden(&path, &why));
            }
            Some(now) if now != before => {
                let why = format!("existing ephemeral containers {name:?} may not be changed\n");
                errors.push(FieldError::forbidden(&path, &why));
            }
            Some(_) => {}
        }
    }
    errors
}

fn take_resources(new: &mut Value, wanted: &Value) {
    for list in ["containers", "initContainers"] {
        let wanted = containers(wanted, list);
        for container in new["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(theirs) = wanted.iter().find(|c| c["name"] == container["name"]) else { continue };
            for field in ["resources", "resizePolicy"] {
                match theirs.get(field) {
                    Some(value) => container[field] = value.clone(),
                    None => {
                        container.as_object_mut().map(|fields| fields.remove(field));
                    }
                }
            }
        }
    }
}

fn check_resources(new: &Value, old: &Value) -> Vec<FieldError> {
    let spec = Path::root("spec");
    if is_static(old) {
        return vec![FieldError::forbidden(&Path::empty(), "static pods cannot be resized")];
    }
    if old["spec"]["os"]["name"] == "windows" {
        return vec![FieldError::forbidden(&Path::empty(), "windows pods cannot be resized")];
    }
    let mut errors = Vec::new();
    let class = |pod: &Value| serde_json::from_value::<Pod>(pod.clone()).ok().map(|pod| qos_class(&pod));
    if class(new) != class(old) {
        let why = "Pod QOS Class may not change as a result of resizing";
        errors.push(FieldError::invalid(&spec, &json!(class(new).map(|c| c.as_str())), why));
    }
    for list in ["containers", "initContainers"] {
        for (index, (now, before)) in containers(new, list).iter().zip(containers(old, list)).enumerate() {
            let path = spec.child(list).index(index);
            let sidecar = list == "containers" || before["restartPolicy"] == "Always";
            if !sidecar && now["resources"] != before["resources"] {
                let why = "only restartable init containers can be resized";
                errors.push(FieldError::forbidden(&path.child("resources"), why));
                continue;
            }
            check_container(now, before, &path.child("resources"), &mut errors);
        }
    }
    errors
}

/// CPU and memory may become more or less, not go away; nothing else may change.
fn check_container(now: &Value, before: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    for (field, word) in [("requests", "requests"), ("limits", "limits")] {
        let (has, had) = (&now["resources"][field], &before["resources"][field]);
        let names = [has, had].into_iter().filter_map(Value::as_object).flat_map(|m| m.keys());
        let names: std::collections::BTreeSet<&String> = names.collect();
        for name in names.into_iter().filter(|name| has[*name] != had[*name]) {
            let path = path.child(field).key(name);
            if !matches!(name.as_str(), "cpu" | "memory") {
                errors.push(FieldError::forbidden(&path, "only cpu and memory resources are mutable"));
            } else if has[name].is_null() {
                errors.push(FieldError::forbidden(&path, &format!("resource {word} cannot be removed")));
            }
        }
    }
}

fn is_static(pod: &Value) -> bool {
    meta::annotations(pod).contains_key(MIRROR)
}

fn containers<'p>(pod: &'p Value, list: &str) -> &'p [Value] {
    pod["spec"][list].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(spec: Value) -> Value {
        json!({ "metadata": { "name": "p", "generation": 1 }, "spec": spec })
    }

    fn texts(errors: &[FieldError]) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ephemeral_containers_are_added_only() {
        let old = pod(json!({ "ephemeralContainers": [{ "name": "a", "image": "x" }] }));
        let more =
            pod(json!({ "ephemeralContainers": [{ "name": "a", "image": "x" }, { "name": "b", "image": "y" }] }));
        assert!(check_ephemeral(&more, &old).is_empty());
        assert!(texts(&check_ephemeral(&pod(json!({})), &old))[0].contains("may not be removed"));
        let other = pod(json!({ "ephemeralContainers": [{ "name": "a", "image": "z" }] }));
        assert!(texts(&check_ephemeral(&other, &old))[0].contains("may not be changed"));
    }

    #[test]
    fn a_resize_changes_amounts_and_nothing_else() {
        let with = |cpu: &str, memory: Value| {
            let resources = json!({ "requests": { "cpu": cpu }, "limits": { "cpu": "4", "memory": memory } });
            pod(json!({ "containers": [{ "name": "c", "image": "x", "resources": resources }] }))
        };
        let old = with("1", json!("1Gi"));
        let mut new = old.clone();
        let mut wanted = with("2", json!("1Gi"));
        wanted["spec"]["containers"][0]["image"] = json!("y");
        take_resources(&mut new, &wanted);
        assert_eq!(new["spec"]["containers"][0]["image"], "x");
        assert_eq!(new["spec"]["containers"][0]["resources"]["requests"]["cpu"], "2");
        assert!(check_resources(&new, &old).is_empty());
        let mut less = old.clone();
        less["spec"]["containers"][0]["resources"]["limits"].as_object_mut().unwrap().remove("memory");
        let removed = texts(&check_resources(&less, &old));
        assert_eq!(
            removed,
            ["spec.containers[0].resources.limits[memory]: Forbidden: resource limits cannot be removed"]
        );
        let none = pod(json!({ "containers": [{ "name": "c", "image": "x" }] }));
        assert!(texts(&check_resources(&none, &old))[0].contains("Pod QOS Class may not change"));
    }
}
