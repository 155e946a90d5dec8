//! What may change in a pod that exists.

use std::collections::{BTreeSet, HashSet};

use k8s_openapi::api::core::v1::Toleration;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::validation::{annotation_updates, toleration_list};
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, same};
use crate::kinds::json::{carry_over, has, integer, list, part, text};
use crate::names;

/// Followed by what else changed.
const ONLY: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
     `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
     tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
/// Differences listed before the rest is only counted: the text goes into an error message.
const DIFFERENCES_SHOWN: usize = 16;

/// All errors in the step from the old pod to the new.
pub(super) fn validate(new: &Value, old: &Value) -> Vec<FieldError> {
    let path = Path::root("spec");
    let mut errors = Errors::default();
    annotation_updates(&mut errors, new, old);
    let (Some(new), Some(old)) = (new.get("spec"), old.get("spec")) else { return errors.0 };
    for key in ["containers", "initContainers"] {
        if list(new, key).len() != list(old, key).len() {
            errors.forbidden(&path.child(key), "pod updates may not add or remove containers");
            return errors.0;
        }
        images(&mut errors, list(new, key), &path.child(key));
    }
    if !deadline(&mut errors, new, old, &path.child("activeDeadlineSeconds")) {
        return errors.0;
    }
    tolerations(&mut errors, new, old, &path.child("tolerations"));
    gates(&mut errors, new, old, &path.child("schedulingGates"));
    if same(new, old) {
        return errors.0;
    }
    let mut munged = with_permitted_changes(new, old);
    if !list(old, "schedulingGates").is_empty() {
        direct(&mut errors, &mut munged, old, &path);
    }
    let difference = difference(old, &munged);
    if !difference.is_empty() {
        errors.forbidden(&path, &format!("{ONLY}\n{difference}"));
    }
    errors.0
}

fn images(errors: &mut Errors, containers: &[Value], path: &Path) {
    for (index, container) in containers.iter().enumerate() {
        let path = path.index(index).child("image");
        match text(container, "image") {
            "" => errors.required(&path, ""),
            image if image.trim() != image => {
                errors.invalid(&path, &image, "must not have leading or trailing whitespace");
            }
            _ => {}
        }
    }
}

/// A deadline can be set and come nearer. Says whether it is worth while to look further.
fn deadline(errors: &mut Errors, new: &Value, old: &Value, path: &Path) -> bool {
    const FIELD: &str = "activeDeadlineSeconds";
    let seconds = integer(new, FIELD);
    if !has(new, FIELD) {
        if has(old, FIELD) {
            errors.invalid(path, &Value::Null, "must not update from a positive integer to nil value");
        }
        return true;
    }
    if !(0..=i64::from(i32::MAX)).contains(&seconds) {
        errors.invalid(path, &seconds, &names::out_of_range(0, i64::from(i32::MAX)));
        return false;
    }
    if has(old, FIELD) && seconds > integer(old, FIELD) {
        errors.invalid(path, &seconds, "must be less than or equal to previous value");
        return false;
    }
    true
}

/// Tolerations can be added, and the seconds of existing ones can change.
fn tolerations(errors: &mut Errors, new: &Value, old: &Value, path: &Path) {
    let without_seconds = |toleration: &Value| {
        let mut fields = toleration.as_object().cloned().unwrap_or_default();
        fields.remove("tolerationSeconds");
        fields
    };
    let kept: HashSet<Map<String, Value>> = list(new, "tolerations").iter().map(without_seconds).collect();
    if !list(old, "tolerations").iter().all(|t| kept.contains(&without_seconds(t))) {
        return errors.forbidden(path, "existing toleration can not be modified except its tolerationSeconds");
    }
    if let Ok(Some(parsed)) = Option::<Vec<Toleration>>::deserialize(&part(new, "tolerations")) {
        toleration_list(errors, &parsed, path);
    }
}

/// Scheduling gates can only go.
fn gates(errors: &mut Errors, new: &Value, old: &Value, path: &Path) {
    let known: BTreeSet<&str> = list(old, "schedulingGates").iter().map(|gate| text(gate, "name")).collect();
    for (index, gate) in list(new, "schedulingGates").iter().enumerate() {
        let name = text(gate, "name");
        if !known.contains(name) {
            let detail = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            errors.forbidden(&path.index(index).child("name"), &detail);
        }
    }
}

/// The new spec with everything that may change as it was.
fn with_permitted_changes(new: &Value, old: &Value) -> Value {
    let mut munged = new.clone();
    for key in ["containers", "initContainers"] {
        let containers = munged.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten();
        for (container, before) in containers.zip(list(old, key)) {
            carry_over(container, before, "image");
        }
    }
    for key in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        carry_over(&mut munged, old, key);
    }
    if integer(old, "terminationGracePeriodSeconds") < 0 && integer(new, "terminationGracePeriodSeconds") == 1 {
        carry_over(&mut munged, old, "terminationGracePeriodSeconds");
    }
    munged
}

/// A gated pod is not scheduled yet, so where it can go may still get narrower (KEP-3838). What may change is put back.
fn direct(errors: &mut Errors, munged: &mut Value, old: &Value, path: &Path) {
    let (selector, before) = (part(munged, "nodeSelector"), part(old, "nodeSelector"));
    if !same(&selector, &before) {
        let mut kept = before.as_object().into_iter().flatten();
        if !kept.all(|(key, value)| selector.get(key) == Some(value)) {
            let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
            errors.invalid(&path.child("nodeSelector"), &selector, detail);
        }
        carry_over(munged, old, "nodeSelector");
    }
    let (affinity, before) = (part(munged, "affinity.nodeAffinity"), part(old, "affinity.nodeAffinity"));
    if same(&affinity, &before) {
        return;
    }
    narrower(errors, &affinity, &before, &path.child("affinity").child("nodeAffinity").child(REQUIRED));
    if munged["affinity"].is_null() {
        munged["affinity"] = Value::Object(Map::new());
    }
    carry_over(&mut munged["affinity"], &part(old, "affinity"), "nodeAffinity");
}

/// Terms are alternatives: none is added or taken away, and each only gets more requirements.
fn narrower(errors: &mut Errors, new: &Value, old: &Value, path: &Path) {
    let at = format!("{REQUIRED}.nodeSelectorTerms");
    let (terms, before) = (list(new, &at), list(old, &at));
    let path = path.child("nodeSelectorTerms");
    if before.is_empty() {
        return;
    }
    if terms.len() != before.len() {
        let detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        return errors.invalid(&path, &terms, detail);
    }
    for (index, (term, before)) in terms.iter().zip(before).enumerate() {
        let both = ["matchExpressions", "matchFields"];
        let was_empty = both.iter().all(|field| list(before, field).is_empty());
        let grew = both.iter().any(|field| list(term, field).len() > list(before, field).len());
        let keeps = both.iter().all(|field| list(term, field).starts_with(list(before, field)));
        if !keeps || (was_empty && grew) {
            let detail = "only additions are allowed (no mutations or deletions)";
            errors.invalid(&path.index(index), term, detail);
        }
    }
}

/// What differs between two versions, one place per block; empty when nothing does.
pub(super) fn difference(old: &Value, new: &Value) -> String {
    let mut differences = Vec::new();
    compare("spec", new, old, &mut differences);
    if differences.is_empty() { String::new() } else { format!("{}\n", shown(&differences)) }
}

/// Lists the paths whose values differ, taking absent, null and empty for the same.
pub(in crate::kinds) fn compare(path: &str, new: &Value, old: &Value, differences: &mut Vec<String>) {
    match (new, old) {
        (Value::Object(new_map), Value::Object(old_map)) => {
            let added = new_map.keys().filter(|k| !old_map.contains_key(*k));
            for key in old_map.keys().chain(added) {
                let (new, old) = (new_map.get(key).unwrap_or(&Value::Null), old_map.get(key).unwrap_or(&Value::Null));
                compare(&format!("{path}.{key}"), new, old, differences);
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

/// As many of them as an error message has room for.
pub(in crate::kinds) fn shown(differences: &[String]) -> String {
    let shown = differences[..differences.len().min(DIFFERENCES_SHOWN)].join("\n");
    match differences.len().saturating_sub(DIFFERENCES_SHOWN) {
        0 => shown,
        more => format!("{shown}\n  ... // {more} more"),
    }
}
