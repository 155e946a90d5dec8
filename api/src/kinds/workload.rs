//! What deployments, replica sets and jobs have in common: a selector and a pod template that fit together.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector as WireSelector;
use serde::Deserialize;
use serde_json::Value;

use super::check::Errors;
use super::json::{has, integer, part, text};
use super::pod;
use crate::field::{FieldError, Path};
use crate::names;
use crate::selector::LabelSelector;

const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

/// Checks `spec.selector` and `spec.template` of a kind whose pods restart always.
pub(super) fn validate(errors: &mut Errors, object: &Value, kind: &str) {
    let spec = Path::root("spec");
    let (selector_path, template_path) = (spec.child("selector"), spec.child("template"));
    let selector = object.pointer("/spec/selector").filter(|s| !s.is_null());
    match selector {
        None => errors.required(&selector_path, ""),
        Some(value) => {
            selector_errors(errors, value, &selector_path);
            if LabelSelector::from_value(Some(value)).is_ok_and(|s| s.is_everything()) {
                errors.invalid(&selector_path, value, &format!("empty selector is invalid for {kind}"));
            }
        }
    }
    let Some(template) = object.pointer("/spec/template").filter(|t| !t.is_null()) else {
        errors.required(&template_path, "");
        return;
    };
    labels_match(errors, selector, template, &template_path);
    errors.0.extend(pod::validate_template(template, &template_path));
    runs_always(errors, template, &template_path, "ReplicaSet");
}

/// The same for kinds whose selector may be missing: then it selects nothing, and no template fits.
/// `name` is the kind in lower case and `kind` as it is.
pub(super) fn selector_and_template(errors: &mut Errors, spec: &Value, path: &Path, name: &str, kind: &str) {
    let (selector, template) = (part(spec, "selector"), part(spec, "template"));
    let template_path = path.child("template");
    if !selector.is_null() {
        selector_errors(errors, &selector, &path.child("selector"));
    }
    let matches = LabelSelector::from_value(Some(&selector)).map(|s| s.matches_object(&template));
    if selector.is_null() || matches.is_ok_and(|matches| !matches) {
        let labels = part(&template, "metadata.labels");
        let path = template_path.child("metadata").child("labels");
        errors.invalid(&path, &labels, "`selector` does not match template `labels`");
    }
    if !selector.is_null() && LabelSelector::from_value(Some(&selector)).is_ok_and(|s| s.is_everything()) {
        errors.invalid(&path.child("selector"), &selector, &format!("empty selector is invalid for {name}"));
    }
    errors.0.extend(pod::validate_template(&template, &template_path));
    runs_always(errors, &template, &template_path, kind);
}

/// What a workload selects is chosen once.
pub(super) fn selector_stays(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    errors.fixed(&Path::root("spec"), &part(new, "spec"), &part(old, "spec"), &["selector"]);
    errors.0
}

/// The pods of a kind that replaces them run until somebody deletes them.
pub(super) fn runs_always(errors: &mut Errors, template: &Value, path: &Path, kind: &str) {
    let path = path.child("spec");
    match text(template, "spec.restartPolicy") {
        "Always" => {}
        policy => errors.not_supported(&path.child("restartPolicy"), policy, &["Always"]),
    }
    if has(template, "spec.activeDeadlineSeconds") {
        let detail = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.forbidden(&path.child("activeDeadlineSeconds"), &detail);
    }
}

/// Hash collisions are not forgotten.
pub(super) fn collisions(errors: &mut Errors, new: &Value, old: &Value) {
    let path = Path::root("status").child("collisionCount");
    let count = |object: &Value| integer(object, "status.collisionCount");
    errors.not_negative(&path, Some(count(new)));
    if count(new) < count(old) {
        errors.invalid(&path, &count(new), "cannot be decremented");
    }
}

/// The pods that a workload makes must be the pods that it means.
pub(super) fn labels_match(errors: &mut Errors, selector: Option<&Value>, template: &Value, path: &Path) {
    let Ok(parsed) = LabelSelector::from_value(selector) else { return };
    if !parsed.is_everything() && !parsed.matches_object(template) {
        let labels = template.pointer("/metadata/labels").cloned().unwrap_or_default();
        let labels_path = path.child("metadata").child("labels");
        errors.invalid(&labels_path, &labels, "`selector` does not match template `labels`");
    }
}

/// Checks the parts of a `LabelSelector` object.
pub(super) fn selector_errors(errors: &mut Errors, value: &Value, path: &Path) {
    let selector = match WireSelector::deserialize(value) {
        Ok(selector) => selector,
        Err(error) => return errors.invalid(path, value, &error.to_string()),
    };
    errors.0.extend(crate::metadata::labels(value.get("matchLabels"), &path.child("matchLabels")));
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        let path = path.child("matchExpressions").index(index);
        let count = expression.values.as_ref().map_or(0, Vec::len);
        match expression.operator.as_str() {
            "In" | "NotIn" if count == 0 => {
                errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if count > 0 => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.forbidden(&path.child("values"), detail);
            }
            operator if !OPERATORS.contains(&operator) => {
                errors.invalid(&path.child("operator"), &operator, "not a valid selector operator");
            }
            _ => {}
        }
        errors.named(&path.child("key"), &expression.key, names::qualified_name);
        for (index, text) in expression.values.iter().flatten().enumerate() {
            errors.named(&path.child("values").index(index), text, names::label_value);
        }
    }
}

/// Pods that are on their way out.
pub(super) const TERMINATING: &str = "terminatingReplicas";

/// The numbers in a status: none is negative, and no part is more than all replicas. `before` and `after` are the
/// numbers that are no parts, in the order in which they are looked at.
pub(super) fn status_counts(errors: &mut Errors, object: &Value, before: &[&str], parts: &[&str], after: &[&str]) {
    let path = Path::root("status");
    let count = |field: &str| integer(object, &format!("status.{field}"));
    for field in before.iter().chain(&["replicas"]).chain(parts).chain(after) {
        errors.not_negative(&path.child(field), Some(count(field)));
    }
    for part in parts.iter().filter(|part| count(part) > count("replicas")) {
        errors.invalid(&path.child(part), &count(part), "cannot be greater than status.replicas");
    }
    let available = count("availableReplicas");
    if available > count("readyReplicas") {
        errors.invalid(&path.child("availableReplicas"), &available, "cannot be greater than readyReplicas");
    }
}
