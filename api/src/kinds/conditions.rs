//! Conditions as all newer kinds have them (`metav1.Condition`).

use std::collections::BTreeSet;

use serde_json::Value;

use super::check::Errors;
use super::json::{integer, text};
use crate::field::{FieldError, Path};
use crate::names;

const REASON_LIMIT_BYTES: usize = 1024;
const MESSAGE_LIMIT_BYTES: usize = 32 * 1024;
const BAD_REASON: &str = "a condition reason must start with alphabetic character, optionally followed by a string of \
     alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or \
     'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is \
     '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";

/// Each type once, each with a status, a reason and a time.
pub(super) fn validate(errors: &mut Errors, conditions: &[Value], path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, condition) in conditions.iter().enumerate() {
        let path = path.index(index);
        if !seen.insert(text(condition, "type")) {
            errors.duplicate(&path.child("type"), &text(condition, "type"));
        }
        self::condition(errors, condition, &path);
    }
}

fn condition(errors: &mut Errors, condition: &Value, path: &Path) {
    errors.named(&path.child("type"), text(condition, "type"), names::qualified_name);
    errors.one_of_if_set(&path.child("status"), Some(text(condition, "status")), &["False", "True", "Unknown"]);
    let generation = integer(condition, "observedGeneration");
    if generation < 0 {
        errors.invalid(&path.child("observedGeneration"), &generation, "must be greater than or equal to zero");
    }
    if text(condition, "lastTransitionTime").is_empty() {
        errors.required(&path.child("lastTransitionTime"), "must be set");
    }
    let (reason, reason_path) = (text(condition, "reason"), path.child("reason"));
    if reason.is_empty() {
        errors.required(&reason_path, "must be set");
    } else {
        if !is_reason(reason) {
            errors.invalid(&reason_path, &reason, BAD_REASON);
        }
        if reason.len() > REASON_LIMIT_BYTES {
            errors.0.push(FieldError::too_long(&reason_path, REASON_LIMIT_BYTES));
        }
    }
    if text(condition, "message").len() > MESSAGE_LIMIT_BYTES {
        errors.0.push(FieldError::too_long(&path.child("message"), MESSAGE_LIMIT_BYTES));
    }
}

fn is_reason(text: &str) -> bool {
    let outer = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().last().is_some_and(outer)
        && text.bytes().all(|b| outer(b) || matches!(b, b',' | b':'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_says_everything() {
        let good = json!({ "type": "Ready", "status": "True", "reason": "ReasonA:ReasonB",
            "lastTransitionTime": "2026-01-01T00:00:00Z" });
        let bad = json!({ "type": "Ready", "status": "Maybe", "reason": "9", "observedGeneration": -1 });
        let mut errors = Errors::default();
        validate(&mut errors, &[good, bad], &Path::root("conditions"));
        let found: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "conditions[1].type: Duplicate value: \"Ready\"".to_string(),
                "conditions[1].status: Unsupported value: \"Maybe\": supported values: \"False\", \"True\", \"Unknown\"".into(),
                "conditions[1].observedGeneration: Invalid value: -1: must be greater than or equal to zero".into(),
                "conditions[1].lastTransitionTime: Required value: must be set".into(),
                format!("conditions[1].reason: Invalid value: \"9\": {BAD_REASON}"),
            ]
        );
    }
}
