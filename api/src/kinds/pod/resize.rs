//! `resize`: how much CPU and memory the containers of a running pod have (KEP-1287), and the pod as a whole (KEP-5419).

use k8s_openapi::api::core::v1::{Pod, PodSpec};
use serde_json::{Map, Value};

use super::validation;
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, same};
use crate::kinds::json::{carry_over, decode, has, list, part, text};
use crate::pod::qos_class;

const ONLY: &str = "only cpu and memory resources are mutable";
const LISTS: [&str; 2] = ["containers", "initContainers"];

/// Puts what a resize may change into the pod that is there. Containers that are not the same ones are left for
/// validation to refuse.
pub fn take_resize(new: &mut Value, wanted: &Value) {
    let (Some(spec), Some(wanted)) = (new.get_mut("spec").filter(|s| s.is_object()), wanted.get("spec")) else {
        return;
    };
    if LISTS.iter().any(|key| list(spec, key).len() != list(wanted, key).len()) {
        *spec = wanted.clone();
        return;
    }
    carry_over(spec, wanted, "resources");
    for key in LISTS {
        let renamed = list(spec, key).iter().zip(list(wanted, key)).any(|(a, b)| text(a, "name") != text(b, "name"));
        if renamed {
            carry_over(spec, wanted, key);
            continue;
        }
        let containers = spec.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten();
        for (container, wanted) in containers.zip(list(wanted, key)) {
            carry_over(container, wanted, "resources");
            carry_over(container, wanted, "resizePolicy");
        }
    }
}

/// All errors in a write to the `resize` of a pod.
pub fn validate_resize(new: &Value, old: &Value) -> Vec<FieldError> {
    let refused = |why: &str| vec![FieldError::forbidden(&Path::unnamed(), why)];
    if validation::is_mirror(old) {
        return refused("static pods cannot be resized");
    }
    if text(old, "spec.os.name") == "windows" {
        return refused("windows pods cannot be resized");
    }
    let mut errors = Errors(validation::validate(new));
    let path = Path::root("spec");
    if class(new) != class_of_status(old) {
        let shown = text(new, "status.qosClass");
        errors.invalid(&path, &shown, "Pod QOS Class may not change as a result of resizing");
    }
    if !node_can(old) {
        errors.forbidden(&path, "Pod running on node without support for resize");
    }
    let (mut spec, before) = (part(new, "spec"), part(old, "spec"));
    of_pod(&mut errors, &mut spec, &before, &path);
    if !same_containers(&mut errors, &spec, &before, &path) {
        return errors.0;
    }
    for key in ["initContainers", "containers"] {
        for (index, (now, before)) in list(&spec, key).iter().zip(list(&before, key)).enumerate() {
            if key == "containers" || text(before, "restartPolicy") == "Always" {
                nothing_removed(&mut errors, now, before, "resource", &path.child(key).index(index).child("resources"));
            }
        }
    }
    put_back(&mut errors, &mut spec, &before, &path);
    if errors.0.is_empty() && !same(&spec, &before) {
        errors.forbidden(&path, ONLY);
    }
    errors.0
}

fn class(pod: &Value) -> &'static str {
    let spec: PodSpec = decode(pod, "spec").unwrap_or_default();
    qos_class(&Pod { spec: Some(spec), ..Pod::default() }).as_str()
}

fn class_of_status(pod: &Value) -> String {
    match text(pod, "status.qosClass") {
        "" => class(pod).to_string(),
        class => class.to_string(),
    }
}

/// A node that reports the resources of its containers can change them.
fn node_can(pod: &Value) -> bool {
    let running = list(pod, "status.containerStatuses").iter().find(|status| has(status, "state.running"));
    running.is_none_or(|status| has(status, "resources"))
}

/// Requirements of the pod as a whole.
fn of_pod(errors: &mut Errors, spec: &mut Value, before: &Value, path: &Path) {
    let any = |spec: &Value| {
        ["requests", "limits"]
            .iter()
            .any(|list| !part(spec, &format!("resources.{list}")).as_object().is_none_or(Map::is_empty))
    };
    if !any(spec) && !any(before) {
        return;
    }
    if has(before, "resources") && !has(spec, "resources") {
        return errors.forbidden(&path.child("resources"), "pod-level resources cannot be removed");
    }
    nothing_removed(errors, spec, before, "pod-level resource", &path.child("resources"));
    keep_amounts(spec, before);
    if !same(&part(spec, "resources"), &part(before, "resources")) {
        errors.forbidden(path, "only cpu and memory resources are mutable at pod-level");
    }
}

/// Containers stay, in their order and under their names.
fn same_containers(errors: &mut Errors, spec: &Value, before: &Value, path: &Path) -> bool {
    let found = errors.0.len();
    for key in LISTS {
        let (now, before, path) = (list(spec, key), list(before, key), path.child(key));
        if now.len() != before.len() {
            errors.forbidden(&path, &format!("{key} may not be added or removed on resize"));
            continue;
        }
        for (index, _) in now.iter().zip(before).enumerate().filter(|(_, (a, b))| text(a, "name") != text(b, "name")) {
            let detail = format!("{key} may not be renamed or reordered on resize");
            errors.forbidden(&path.index(index).child("name"), &detail);
        }
    }
    errors.0.len() == found
}

fn nothing_removed(errors: &mut Errors, now: &Value, before: &Value, what: &str, path: &Path) {
    for field in ["requests", "limits"] {
        let of = |holder: &Value| part(holder, &format!("resources.{field}")).as_object().cloned().unwrap_or_default();
        let (now, before) = (of(now), of(before));
        if before.len() > now.len() || before.keys().any(|name| !now.contains_key(name)) {
            errors.forbidden(&path.child(field), &format!("{what} {field} cannot be removed"));
        }
    }
}

/// Takes what may change from the old pod, and tells of what else changed in a container.
fn put_back(errors: &mut Errors, spec: &mut Value, before: &Value, path: &Path) {
    for key in LISTS {
        let containers = spec.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten();
        for (index, (container, before)) in containers.zip(list(before, key)).enumerate() {
            let init = key == "initContainers";
            if init && text(before, "restartPolicy") != "Always" {
                if !same(container, before) {
                    errors.forbidden(path, "resources for non-sidecar init containers are immutable");
                }
                continue;
            }
            keep_amounts(container, before);
            if same(container, before) {
                continue;
            }
            if init {
                let detail = "only cpu and memory resources for sidecar containers are mutable";
                errors.forbidden(&path.child(key).index(index), detail);
            } else {
                errors.forbidden(path, ONLY);
            }
        }
    }
}

/// Takes CPU and memory from the old requirements, so that only other changes are left to see.
fn keep_amounts(holder: &mut Value, before: &Value) {
    if holder["resources"].is_null() {
        return;
    }
    for list in ["requests", "limits"] {
        for resource in ["cpu", "memory"] {
            match before.get("resources").and_then(|r| r.get(list)?.get(resource)) {
                Some(amount) => holder["resources"][list][resource] = amount.clone(),
                None => {
                    let amounts = holder["resources"].get_mut(list).and_then(Value::as_object_mut);
                    amounts.map(|amounts| amounts.remove(resource));
                }
            }
        }
    }
}
