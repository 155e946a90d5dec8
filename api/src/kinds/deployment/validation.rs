//! Validation of deployments.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Deserialize;
use serde_json::Value;

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{has, integer, text};
use crate::kinds::workload;

pub(super) fn validate(deployment: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    let Some(spec) = deployment.get("spec").filter(|s| s.is_object()) else {
        errors.required(&path, "");
        return errors.0;
    };
    errors.not_negative(&path.child("replicas"), Some(integer(spec, "replicas")));
    workload::validate(&mut errors, deployment, "deployment");
    strategy(&mut errors, spec, &path.child("strategy"));
    for field in ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
        errors.not_negative(&path.child(field), Some(integer(spec, field)));
    }
    let deadline = integer(spec, "progressDeadlineSeconds");
    if has(spec, "progressDeadlineSeconds") && deadline <= integer(spec, "minReadySeconds") {
        errors.invalid(&path.child("progressDeadlineSeconds"), &deadline, "must be greater than minReadySeconds");
    }
    errors.0
}

pub(super) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let selector = |object: &Value| object.pointer("/spec/selector").cloned().unwrap_or_default();
    errors.unchanged(&Path::root("spec").child("selector"), &selector(new), &selector(old));
    errors.0
}

fn strategy(errors: &mut Errors, spec: &Value, path: &Path) {
    match text(spec, "strategy.type") {
        "Recreate" if has(spec, "strategy.rollingUpdate") => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            errors.forbidden(&path.child("rollingUpdate"), detail);
        }
        "Recreate" => {}
        "RollingUpdate" => rolling_update(errors, spec, &path.child("rollingUpdate")),
        other => errors.not_supported(&path.child("type"), other, &["Recreate", "RollingUpdate"]),
    }
}

fn rolling_update(errors: &mut Errors, spec: &Value, path: &Path) {
    let Some(rolling) = spec.pointer("/strategy/rollingUpdate").filter(|r| !r.is_null()) else {
        return errors.required(path, "this should be defaulted and never be nil");
    };
    let read = |field: &str| rolling.get(field).and_then(|v| IntOrString::deserialize(v).ok());
    let (unavailable, surge) = (read("maxUnavailable"), read("maxSurge"));
    for (field, value) in [("maxUnavailable", &unavailable), ("maxSurge", &surge)] {
        if let Some(value) = value {
            amount(errors, value, &path.child(field));
        }
    }
    let is_zero = |value: &Option<IntOrString>| value.as_ref().and_then(number_or_percent).is_some_and(|n| n == 0);
    if is_zero(&unavailable) && is_zero(&surge) {
        errors.invalid(&path.child("maxUnavailable"), &unavailable, "may not be 0 when `maxSurge` is 0");
    }
    let over = |value: &IntOrString| matches!(value, IntOrString::String(_)) && number_or_percent(value) > Some(100);
    if let Some(value) = unavailable.filter(over) {
        errors.invalid(&path.child("maxUnavailable"), &value, "must not be greater than 100%");
    }
}

fn number_or_percent(value: &IntOrString) -> Option<i64> {
    match value {
        IntOrString::Int(number) => Some(i64::from(*number)),
        IntOrString::String(text) => {
            let digits = text.strip_suffix('%')?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
        }
    }
}

fn amount(errors: &mut Errors, value: &IntOrString, path: &Path) {
    match (value, number_or_percent(value)) {
        (IntOrString::Int(number), _) => errors.not_negative(path, Some(*number)),
        (IntOrString::String(_), Some(_)) => {}
        (IntOrString::String(text), None) => {
            let detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or \
                          '93%', regex used for validation is '[0-9]+%')";
            errors.invalid(path, text, detail);
        }
    }
}

/// Parts can't be more than the whole, and hash collisions are not forgotten.
pub(super) fn validate_status(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    workload::status_counts(&mut errors, new, &["updatedReplicas", "readyReplicas", "availableReplicas"]);
    let count = |object: &Value| integer(object, "status.collisionCount");
    if count(new) < count(old) {
        errors.invalid(&Path::root("status").child("collisionCount"), &count(new), "cannot be decremented");
    }
    errors.0
}
