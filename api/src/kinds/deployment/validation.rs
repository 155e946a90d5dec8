//! Validation of deployments.

use serde_json::Value;

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{has, integer, part, text};
use crate::kinds::workload::TERMINATING;
use crate::kinds::{amount, workload};

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
    let (unavailable, surge) = (part(rolling, "maxUnavailable"), part(rolling, "maxSurge"));
    amount::validate(errors, &unavailable, &path.child("maxUnavailable"));
    amount::validate(errors, &surge, &path.child("maxSurge"));
    let is_zero = |value: &Value| amount::number(value) == Some(0);
    if is_zero(&unavailable) && is_zero(&surge) {
        errors.invalid(&path.child("maxUnavailable"), &unavailable, "may not be 0 when `maxSurge` is 0");
    }
    amount::at_most_all(errors, &unavailable, &path.child("maxUnavailable"));
}

/// Parts can't be more than the whole, and hash collisions are not forgotten.
pub(super) fn validate_status(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let parts = ["updatedReplicas", "readyReplicas", "availableReplicas"];
    workload::status_counts(&mut errors, new, &["observedGeneration"], &parts, &["unavailableReplicas", TERMINATING]);
    workload::collisions(&mut errors, new, old);
    errors.0
}
