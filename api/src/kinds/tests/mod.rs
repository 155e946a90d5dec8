//! Golden tests over all kinds: what a minimal object becomes, what is refused and in which words, what is shown.

mod catalog;
mod defaults;
mod invalid;
mod large;
mod pod_fields;
mod pod_invalid;
mod prepare;
mod robust;
mod service_invalid;
mod tables;
mod updates;
mod warnings;

use serde_json::{Value, json};

use crate::catalog::{Catalog, Resource};
use crate::field::FieldError;

/// 2026-01-01T00:00:00Z
const NOW: i64 = 1_767_225_600;

fn row(plural: &str) -> std::sync::Arc<Resource> {
    let catalog = Catalog::builtin();
    let found = catalog.rows().iter().find(|r| r.plural == plural).cloned();
    found.unwrap_or_else(|| panic!("{plural} is not in the catalogue"))
}

/// The object after defaulting, and again, to see that nothing moves the second time.
fn defaulted(plural: &str, mut object: Value) -> Value {
    let row = row(plural);
    (row.rules.defaults)(&mut object);
    let once = object.clone();
    (row.rules.defaults)(&mut object);
    assert_eq!(once, object, "defaulting is idempotent");
    object
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

fn lines(errors: &[FieldError]) -> String {
    errors.iter().map(|e| format!("{e}\n")).collect()
}

/// The errors of a defaulted object, one per line.
fn errors(plural: &str, object: Value) -> String {
    let object = defaulted(plural, object);
    lines(&row(plural).create_errors(&object))
}

/// The errors of an update, one per line, after defaulting both sides and the strategy's step.
fn update_errors(plural: &str, new: Value, old: Value) -> String {
    let (mut new, old) = (defaulted(plural, new), defaulted(plural, old));
    let row = row(plural);
    (row.rules.prepare_update)(&mut new, &old);
    lines(&(row.rules.validate_update)(&new, &old))
}

/// The cells of one row with their headings.
fn table(plural: &str, object: &Value) -> String {
    let row = row(plural);
    let cells = (row.rules.cells)(object, NOW).cells;
    assert_eq!(cells.len(), row.rules.columns.len(), "one cell per column");
    let named = row.rules.columns.iter().zip(cells);
    named.map(|(c, cell)| format!("{}{}: {cell}\n", if c.priority > 0 { "  " } else { "" }, c.name)).collect()
}

fn container() -> Value {
    json!({ "name": "web", "image": "registry.local/web:v1" })
}

fn pod(spec: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "namespace": "default", "uid": "u1" }, "spec": spec })
}

fn workload(kind: &str, spec: Value) -> Value {
    let mut object = json!({ "kind": kind, "metadata": { "name": "w", "namespace": "default", "uid": "u1", "generation": 3 }, "spec": {
        "selector": { "matchLabels": { "app": "web" } },
        "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [container()] } },
    } });
    json_patch::merge(&mut object["spec"], &spec);
    object
}
