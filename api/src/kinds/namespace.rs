//! Rules of namespaces.

use serde_json::{Value, json};

use super::check::Errors;
use super::generation;
use super::json::{carry_over, object, set_if_zero, text, texts};
use super::table::{AGE, age, column};
use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::{meta, names};

/// The label that carries the name, so that selectors can mean one namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
const STANDARD_FINALIZERS: [&str; 3] = [FINALIZER, "orphan", "foregroundDeletion"];
/// Held until the namespace is empty.
const FINALIZER: &str = "kubernetes";

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create,
    prepare_update: |new, old| {
        // Finalizers change through the `finalize` subresource only.
        carry_over(new, old, "spec");
        carry_over(new, old, "status");
    },
    validate,
    validate_status: |new, _| {
        let mut errors = Errors::default();
        let (phase, path) = (text(new, "status.phase"), Path::root("status").child("Phase"));
        if meta::is_deleting(new) {
            if phase != "Terminating" {
                errors.invalid(&path, &phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
            }
        } else if phase != "Active" {
            errors.invalid(&path, &phase, "may only be 'Active' if `deletionTimestamp` is empty");
        }
        errors.0
    },
    name_errors: names::label_name,
    selectable: &[("status.phase", |namespace| text(namespace, "status.phase").to_string())],
    columns: &[column("Status", "The status of the namespace"), AGE],
    cells: |namespace, now_seconds| RowCells {
        cells: vec![json!(text(namespace, "status.phase")), age(namespace, now_seconds)],
    },
    ..Rules::GENERIC
};

/// Finalizers of namespaces are Kubernetes' own, or say whose they are.
fn validate(namespace: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec").child("finalizers");
    for name in texts(namespace, "spec.finalizers") {
        let before = errors.0.len();
        errors.named(&path, name, names::qualified_name);
        if errors.0.len() == before && !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
            errors.invalid(&path, &name, "name is neither a standard finalizer name nor is it fully qualified");
        }
    }
    errors.0
}

fn defaults(namespace: &mut Value) {
    let name = meta::name(namespace).to_string();
    let _ = object(namespace, "spec");
    if let Some(status) = object(namespace, "status") {
        set_if_zero(status, "phase", "Active");
    }
    if !name.is_empty()
        && let Some(labels) = namespace.get_mut("metadata").and_then(|m| object(m, "labels"))
    {
        labels.insert(NAME_LABEL.into(), json!(name));
    }
}

fn prepare_create(namespace: &mut Value) {
    generation::none(namespace);
    namespace["status"] = json!({ "phase": "Active" });
    let Some(spec) = object(namespace, "spec") else { return };
    let mut finalizers = spec.get("finalizers").and_then(Value::as_array).cloned().unwrap_or_default();
    if !finalizers.contains(&json!(FINALIZER)) {
        finalizers.push(json!(FINALIZER));
    }
    spec.insert("finalizers".into(), Value::Array(finalizers));
}
