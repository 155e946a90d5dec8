//! What may change in a pod that exists.

use k8s_openapi::api::core::v1::{Pod, PodSpec};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{has, integer, list, object, text};
use crate::pod::qos_class;

/// Followed by what else changed.
const ONLY: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
     `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
     tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
/// Differences listed before the rest is only counted: the text goes into an error message.
const DIFFERENCES_SHOWN: usize = 16;

/// All errors in the step from the old pod to the new.
pub(super) fn validate(new: &Value, old: &Value) -> Vec<FieldError> {
    let path = Path::root("spec");
    let (Some(new), Some(old)) = (new.get("spec"), old.get("spec")) else { return Vec::new() };
    let mut errors = Errors::default();
    for key in ["containers", "initContainers"] {
        if list(new, key).len() != list(old, key).len() {
            errors.forbidden(&path.child(key), "pod updates may not add or remove containers");
        }
    }
    if !errors.0.is_empty() {
        return errors.0;
    }
    deadline(&mut errors, new, old, &path.child("activeDeadlineSeconds"));
    tolerations(&mut errors, new, old, &path.child("tolerations"));
    gates(&mut errors, new, old, &path.child("schedulingGates"));
    if !errors.0.is_empty() {
        return errors.0;
    }
    let mut differences = Vec::new();
    compare("spec", &with_permitted_changes(new, old), old, &mut differences);
    if !differences.is_empty() {
        errors.forbidden(&path, &format!("{ONLY}\n{}\n", shown(&differences)));
    }
    errors.0
}

fn deadline(errors: &mut Errors, new: &Value, old: &Value, path: &Path) {
    if !has(old, "activeDeadlineSeconds") {
        return;
    }
    let before = integer(old, "activeDeadlineSeconds");
    if !has(new, "activeDeadlineSeconds") {
        errors.invalid(path, &Value::Null, "must not update from a positive integer to nil value");
    } else if integer(new, "activeDeadlineSeconds") > before {
        let detail = "must be less than or equal to previous value";
        errors.invalid(path, &integer(new, "activeDeadlineSeconds"), detail);
    }
}

/// Tolerations can be added, and the seconds of existing ones can change.
fn tolerations(errors: &mut Errors, new: &Value, old: &Value, path: &Path) {
    let without_seconds = |toleration: &Value| {
        let mut fields = toleration.as_object().cloned().unwrap_or_default();
        fields.remove("tolerationSeconds");
        fields
    };
    let kept: Vec<Map<String, Value>> = list(new, "tolerations").iter().map(without_seconds).collect();
    if !list(old, "tolerations").iter().all(|t| kept.contains(&without_seconds(t))) {
        errors.forbidden(path, "existing toleration can not be modified except its tolerationSeconds");
    }
}

/// Scheduling gates can only go.
fn gates(errors: &mut Errors, new: &Value, old: &Value, path: &Path) {
    for gate in list(new, "schedulingGates") {
        if !list(old, "schedulingGates").iter().any(|o| text(o, "name") == text(gate, "name")) {
            let detail = format!("only deletion is allowed, but found new scheduling gate '{}'", text(gate, "name"));
            errors.forbidden(path, &detail);
        }
    }
}

/// The new spec with everything that may change as it was.
fn with_permitted_changes(new: &Value, old: &Value) -> Value {
    let mut munged = new.clone();
    for key in ["containers", "initContainers"] {
        let containers = munged.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten();
        for (container, before) in containers.zip(list(old, key)) {
            put_back(container, before, "image");
        }
    }
    put_back(&mut munged, old, "activeDeadlineSeconds");
    put_back(&mut munged, old, "tolerations");
    put_back(&mut munged, old, "schedulingGates");
    if integer(old, "terminationGracePeriodSeconds") < 0 && integer(new, "terminationGracePeriodSeconds") == 1 {
        put_back(&mut munged, old, "terminationGracePeriodSeconds");
    }
    // A gated pod is not scheduled yet, so its node selector can still get stricter (KEP-3838).
    let stricter = || {
        let mut kept = old.get("nodeSelector").and_then(Value::as_object).into_iter().flatten();
        kept.all(|(k, v)| new.get("nodeSelector").and_then(|s| s.get(k)) == Some(v))
    };
    if !list(old, "schedulingGates").is_empty() && stricter() {
        put_back(&mut munged, old, "nodeSelector");
    }
    munged
}

/// All errors in a write to the `resize` of a pod: CPU and memory of its containers change, and nothing else
/// (KEP-1287).
pub fn validate_resize(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    let (Some(spec), Some(before)) = (new.get("spec"), old.get("spec")) else { return Vec::new() };
    let class = |spec: &Value| {
        let spec = PodSpec::deserialize(spec).unwrap_or_default();
        qos_class(&Pod { spec: Some(spec), ..Pod::default() }).as_str()
    };
    if class(spec) != class(before) {
        errors.invalid(&path, &class(spec), "Pod QOS Class may not change as a result of resizing");
    }
    let mut munged = spec.clone();
    for key in ["containers", "initContainers"] {
        let containers = munged.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten();
        for (container, before) in containers.zip(list(before, key)) {
            put_back(container, before, "resizePolicy");
            keep_other_resources(container, before);
        }
    }
    let mut differences = Vec::new();
    compare("spec", &munged, before, &mut differences);
    if !differences.is_empty() {
        errors.forbidden(&path, &format!("only cpu and memory resources are mutable\n{}\n", shown(&differences)));
    }
    errors.0
}

/// Takes CPU and memory from the old container, so that only other changes are left to see.
fn keep_other_resources(container: &mut Value, before: &Value) {
    for list in ["requests", "limits"] {
        for resource in ["cpu", "memory"] {
            let old = before.get("resources").and_then(|r| r.get(list)?.get(resource)).cloned();
            let Some(resources) = container.get_mut("resources").filter(|r| r.is_object()) else { continue };
            match old {
                Some(amount) => drop(object(resources, list).map(|l| l.insert(resource.into(), amount))),
                None => drop(resources.get_mut(list).and_then(Value::as_object_mut).map(|l| l.remove(resource))),
            }
        }
    }
}

fn put_back(into: &mut Value, from: &Value, key: &str) {
    let Some(map) = into.as_object_mut() else { return };
    match from.get(key) {
        Some(value) => map.insert(key.to_string(), value.clone()),
        None => map.remove(key),
    };
}

/// Lists the paths whose values differ, taking absent, null and empty for the same.
pub(in crate::kinds) fn compare(path: &str, new: &Value, old: &Value, differences: &mut Vec<String>) {
    match (new, old) {
        (Value::Object(new_map), Value::Object(old_map)) => {
            let added = new_map.keys().filter(|k| !old_map.contains_key(*k));
            for key in old_map.keys().chain(added) {
                let part = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                compare(&format!("{path}.{key}"), &part(new_map), &part(old_map), differences);
            }
        }
        (Value::Array(new_list), Value::Array(old_list)) if new_list.len() == old_list.len() => {
            for (index, (new, old)) in new_list.iter().zip(old_list).enumerate() {
                compare(&format!("{path}[{index}]"), new, old, differences);
            }
        }
        _ if new == old || (is_empty(new) && is_empty(old)) => {}
        _ => differences.push(format!("  {path}:\n-   {old}\n+   {new}")),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        _ => false,
    }
}

fn shown(differences: &[String]) -> String {
    let shown = differences[..differences.len().min(DIFFERENCES_SHOWN)].join("\n");
    match differences.len().saturating_sub(DIFFERENCES_SHOWN) {
        0 => shown,
        more => format!("{shown}\n  ... // {more} more"),
    }
}
