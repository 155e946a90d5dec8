//! What can change in a claim, and in its status.

use serde_json::Value;

use super::{CLASS_ANNOTATION, basic};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{carry_over, entries, has, part, text, texts};
use crate::kinds::pod::{compare, shown};
use crate::quantity::Quantity;
use crate::{meta, metadata, names};

const FROZEN: &str =
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

const RESIZE_STATUSES: &[&str] = &[
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];

pub(super) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    let (mut spec, before) = (part(new, "spec"), part(old, "spec"));
    // What binds a claim to its volume can be said once.
    if text(&before, "volumeName").is_empty() {
        carry_over(&mut spec, &before, "volumeName");
    }
    let annotated = |claim: &Value| meta::annotations(claim).get(CLASS_ANNOTATION).map(|class| (*class).to_string());
    let (class, had) = (annotated(new), annotated(old));
    let now = has(&spec, "storageClassName").then(|| text(&spec, "storageClassName").to_string());
    let unnamed = now.is_some() && !has(&before, "storageClassName");
    // From the annotation to the field, which then says the same.
    let moved =
        unnamed && had.is_some() && now == had && class.as_ref().is_none_or(|class| Some(class) == had.as_ref());
    if !moved && class != had {
        let path = Path::root("metadata").child("annotations").child(CLASS_ANNOTATION);
        errors.invalid(&path, &class.unwrap_or_default(), metadata::IMMUTABLE);
    }
    if moved || (unnamed && (had.is_none() || now == had)) {
        carry_over(&mut spec, &before, "storageClassName");
    }
    // A bound claim can grow, and its volume be treated otherwise.
    if text(new, "status.phase") == "Bound" {
        if has(&spec, "resources.requests") {
            carry_over(&mut spec["resources"]["requests"], &part(&before, "resources.requests"), "storage");
        }
        carry_over(&mut spec, &before, "volumeAttributesClassName");
    }
    let mut differences = Vec::new();
    compare("spec", &spec, &before, &mut differences);
    if !differences.is_empty() {
        errors.forbidden(&path, &format!("{FROZEN}\n{}\n", shown(&differences)));
    }
    let storage = |value: &Value, path: &str| value.pointer(path).and_then(Quantity::from_value).unwrap_or_default();
    let wanted = storage(new, "/spec/resources/requests/storage");
    // Less than was asked for, but more than there is: that is how one recovers from having asked for too much.
    if wanted < storage(old, "/spec/resources/requests/storage") && wanted <= storage(old, "/status/capacity/storage") {
        let path = path.child("resources").child("requests").child("storage");
        errors.forbidden(&path, "field can not be less than status.capacity");
    }
    errors.fixed(&Path::empty(), &part(new, "spec"), &part(old, "spec"), &["volumeMode"]);
    attributes_class(&mut errors, new, old, &path.child("volumeAttributesClassName"));
    errors.0
}

/// A class of attributes that has been applied can be exchanged, not taken away.
fn attributes_class(errors: &mut Errors, new: &Value, old: &Value, path: &Path) {
    const FIELD: &str = "spec.volumeAttributesClassName";
    if part(new, FIELD) == part(old, FIELD) || !has(old, "status.currentVolumeAttributesClassName") {
        return;
    }
    let what = if !has(new, FIELD) {
        "nil"
    } else if text(new, FIELD).is_empty() {
        "empty string"
    } else {
        return;
    };
    let detail = format!("update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil");
    errors.forbidden(path, &detail);
}

pub(super) fn validate_status(new: &Value, _: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("status");
    if texts(new, "spec.accessModes").is_empty() {
        errors.required(&Path::root("Spec").child("accessModes"), "");
    }
    for (name, amount) in entries(new, "status.capacity") {
        basic(&mut errors, amount, &path.child("capacity").key(name));
    }
    let statuses = path.child("allocatedResourceStatuses");
    for (name, status) in entries(new, "status.allocatedResourceStatuses") {
        resource_key(&mut errors, name, &statuses);
        if !RESIZE_STATUSES.contains(&status.as_str().unwrap_or_default()) {
            errors.not_supported(&statuses, name, RESIZE_STATUSES);
        }
    }
    let allocated = path.child("allocatedResources");
    for (name, amount) in entries(new, "status.allocatedResources") {
        if resource_key(&mut errors, name, &allocated) {
            basic(&mut errors, amount, &allocated.key(name));
        }
    }
    errors.0
}

/// Of what is Kubernetes' own only storage can be allocated.
fn resource_key(errors: &mut Errors, name: &str, path: &Path) -> bool {
    let before = errors.0.len();
    errors.named(path, name, names::qualified_name);
    let native = !name.contains('/') || name.contains("kubernetes.io/");
    if errors.0.len() == before && native && name != "storage" {
        errors.not_supported(path, name, &["storage"]);
    }
    errors.0.len() == before
}
