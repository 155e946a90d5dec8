//! Validation of Events.

use serde_json::Value;

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{has, text};
use crate::meta;
use crate::names;

const TYPES: &[&str] = &["Normal", "Warning"];
const ACTION_LIMIT_BYTES: usize = 128;
const REASON_LIMIT_BYTES: usize = 128;
const NOTE_LIMIT_BYTES: usize = 1024;

/// An event lives in the namespace of the object it is about; those about cluster objects in `default`.
pub(super) fn core(event: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    namespace(&mut errors, event, "involvedObject");
    errors.0
}

fn namespace(errors: &mut Errors, event: &Value, about: &str) {
    let path = Path::root(about).child("namespace");
    let of_object = text(event, &format!("{about}.namespace"));
    match (of_object, meta::namespace(event)) {
        ("", "default" | "kube-system" | "") => {}
        (object, event) if object != event => errors.invalid(&path, &object, "does not match event.namespace"),
        _ => {}
    }
}

/// The newer group asks for more: who reports, what was done, and when.
pub(super) fn events_v1(event: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    namespace(&mut errors, event, "regarding");
    // Events written through the older group have no `eventTime`, and are taken as they are.
    if !has(event, "eventTime") {
        errors.required(&Path::root("eventTime"), "");
        return errors.0;
    }
    let controller = text(event, "reportingController");
    errors.required_name(&Path::root("reportingController"), controller, names::qualified_name);
    for (field, limit_bytes) in
        [("reportingInstance", ACTION_LIMIT_BYTES), ("action", ACTION_LIMIT_BYTES), ("reason", REASON_LIMIT_BYTES)]
    {
        let path = Path::root(field);
        match text(event, field) {
            "" => errors.required(&path, ""),
            value if value.len() > limit_bytes => {
                errors.invalid(&path, &value, &format!("can have at most {limit_bytes} characters"));
            }
            _ => {}
        }
    }
    if text(event, "note").len() > NOTE_LIMIT_BYTES {
        errors.invalid(
            &Path::root("note"),
            &text(event, "note"),
            &format!("can have at most {NOTE_LIMIT_BYTES} characters"),
        );
    }
    let kind = text(event, "type");
    if !TYPES.contains(&kind) {
        errors.invalid(&Path::root("type"), &"", &format!("has invalid value: {kind}"));
    }
    errors.0
}

/// Only the series of an event goes on.
pub(super) fn events_v1_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    for field in [
        "regarding",
        "related",
        "reason",
        "note",
        "type",
        "reportingController",
        "reportingInstance",
        "action",
        "eventTime",
    ] {
        let part = |event: &Value| event.get(field).cloned().unwrap_or_default();
        errors.unchanged(&Path::root(field), &part(new), &part(old));
    }
    errors.0
}
