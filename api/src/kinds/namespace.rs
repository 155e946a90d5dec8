//! Rules of namespaces.

use serde_json::{Value, json};

use super::generation;
use super::json::{carry_over, list, object, set_if_zero, text};
use super::table::{AGE, age, column};
use crate::catalog::{RowCells, Rules};
use crate::field::Path;
use crate::{meta, metadata, names};

/// The label that carries the name, so that selectors can mean one namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
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
    validate: |namespace| {
        let finalizers: Vec<&str> = list(namespace, "spec.finalizers").iter().filter_map(Value::as_str).collect();
        metadata::finalizers(&finalizers, &Path::root("spec").child("finalizers"))
    },
    name_errors: names::label_name,
    selectable: &[("status.phase", |namespace| text(namespace, "status.phase").to_string())],
    columns: &[column("Status", "The status of the namespace"), AGE],
    cells: |namespace, now_seconds| RowCells {
        cells: vec![json!(text(namespace, "status.phase")), age(namespace, now_seconds)],
    },
    ..Rules::GENERIC
};

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
