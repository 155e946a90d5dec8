//! Validation of Events. Both groups' events are looked at in their `v1` form, whose names the errors have.

use serde_json::Value;

use super::to_core;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{has, integer, part, text};
use crate::meta;
use crate::names;

const TYPES: &[&str] = &["Normal", "Warning"];
const TEXT_LIMIT_BYTES: usize = 128;
const NOTE_LIMIT_BYTES: usize = 1024;

/// What both groups ask for, of an event in its `v1` form; `controller` is what the group calls the reporter.
fn common(errors: &mut Errors, event: &Value, controller: &str) {
    let path = Path::root("involvedObject").child("namespace");
    let (of_object, of_event) = (text(event, "involvedObject.namespace"), meta::namespace(event));
    // Events of the older kind have no `eventTime`, and are taken nearly as they are.
    let modern = has(event, "eventTime");
    let matches = match of_object {
        "" if modern => matches!(of_event, "default" | "kube-system"),
        "" => matches!(of_event, "" | "default"),
        object => modern || object == of_event,
    };
    if !matches {
        errors.invalid(&path, &of_object, "does not match event.namespace");
    }
    if !modern {
        return;
    }
    let (reporter, path) = (text(event, "reportingComponent"), Path::root(controller));
    if reporter.is_empty() {
        errors.required(&path, "");
    }
    errors.named(&path, reporter, names::qualified_name);
    for field in ["reportingInstance", "action", "reason"] {
        if text(event, field).is_empty() {
            errors.required(&Path::root(field), "");
        }
        at_most(errors, event, field, TEXT_LIMIT_BYTES);
    }
    at_most(errors, event, "message", NOTE_LIMIT_BYTES);
}

fn at_most(errors: &mut Errors, event: &Value, field: &str, limit_bytes: usize) {
    if text(event, field).len() > limit_bytes {
        errors.invalid(&Path::root(field), &"", &format!("can have at most {limit_bytes} characters"));
    }
}

/// All errors in an event of the core group.
pub(super) fn core(event: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    common(&mut errors, event, "reportingComponent");
    errors.0
}

/// All errors that both a new and a changed event of the newer group can have.
pub(super) fn events_v1(event: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    common(&mut errors, &to_core(event.clone()), "reportingController");
    errors.0
}

/// The newer group asks for more of a new event: when it happened, and nothing that is deprecated.
pub(super) fn new_events_v1(event: &Value) -> Vec<FieldError> {
    let (mut errors, event) = (Errors::default(), to_core(event.clone()));
    series(&mut errors, &event);
    if !has(&event, "eventTime") {
        errors.required(&Path::root("eventTime"), "");
    }
    let kind = text(&event, "type");
    if !TYPES.contains(&kind) {
        errors.invalid(&Path::root("type"), &"", &format!("has invalid value: {kind}"));
    }
    let source = ["source.component", "source.host"].iter().any(|field| !text(&event, field).is_empty());
    for (field, set) in [
        ("firstTimestamp", has(&event, "firstTimestamp")),
        ("lastTimestamp", has(&event, "lastTimestamp")),
        ("count", integer(&event, "count") != 0),
        ("source", source),
    ] {
        if set {
            errors.invalid(&Path::root(field), &"", "needs to be unset");
        }
    }
    errors.0
}

fn series(errors: &mut Errors, event: &Value) {
    if !has(event, "series") {
        return;
    }
    if integer(event, "series.count") < 2 {
        errors.invalid(&Path::root("series.count"), &"", "should be at least 2");
    }
    if !has(event, "series.lastObservedTime") {
        errors.required(&Path::root("series.lastObservedTime"), "");
    }
}

/// Only the series of an event goes on, and its message: releases up to 1.20 let that be patched, and their conformance
/// suite holds servers to it.
pub(super) fn events_v1_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (new, old) = (to_core(new.clone()), to_core(old.clone()));
    if part(&new, "series") != part(&old, "series") {
        series(&mut errors, &new);
    }
    let before = ["involvedObject", "reason", "source", "firstTimestamp", "lastTimestamp", "count", "reason"];
    errors.fixed(&Path::empty(), &new, &old, &before);
    errors.fixed(&Path::empty(), &new, &old, &["type", "eventTime", "action", "related"]);
    let reporter = part(&new, "reportingComponent");
    errors.unchanged(&Path::root("reportingController"), &reporter, &part(&old, "reportingComponent"));
    errors.fixed(&Path::empty(), &new, &old, &["reportingInstance"]);
    errors.0
}
