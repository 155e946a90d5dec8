//! The step from `kubectl apply` to `kubectl apply --server-side`: what kubectl itself had applied before, as its
//! annotation tells, it may change without a conflict, and the annotation follows what it applies now
//! (`lastappliedmanager.go` and `lastappliedupdater.go` of `apimachinery/pkg/util/managedfields/internal`).

use serde_json::{Value, json};

use super::set::FieldSet;
use super::shape::Shaped;
use super::{compare, to_set};
use crate::meta::metadata_mut;

/// Where client-side apply keeps what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The manager that takes over; another name opts out.
const KUBECTL: &str = "kubectl";
/// Bytes that all annotations of an object may have.
const MAX_ANNOTATION_BYTES: usize = 256 << 10;

/// The fields of the last applied configuration that are still as it has them. An annotation that cannot be read
/// excuses nothing.
pub(super) fn excused(root: &Shaped<'_>, live: &Value, manager: &str) -> FieldSet {
    if manager != KUBECTL {
        return FieldSet::default();
    }
    excused_by_annotation(root, live).unwrap_or_default()
}

fn excused_by_annotation(root: &Shaped<'_>, live: &Value) -> Option<FieldSet> {
    let last: Value = serde_json::from_str(annotation(live)?).ok()?;
    if last.get("apiVersion") != live.get("apiVersion") {
        return None;
    }
    let fields = to_set::fields(root, &last).ok()?;
    let change = compare::compare(root, &last, live).ok()?;
    Some(fields.difference(&change.changed).difference(&change.removed))
}

fn annotation(object: &Value) -> Option<&str> {
    let text = object.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?.as_str()?;
    (!text.is_empty()).then_some(text)
}

/// Writes what kubectl applied to the annotation, if the object has one.
pub(super) fn follow(object: &mut Value, mut config: Value, manager: &str) {
    if manager != KUBECTL || annotation(object).is_none() {
        return;
    }
    if let Some(annotations) = config.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
    let text = format!("{}\n", escaped(&config.to_string()));
    let Some(annotations) = metadata_mut(object).get_mut("annotations").and_then(Value::as_object_mut) else { return };
    annotations.insert(LAST_APPLIED.into(), json!(text));
    let length = |(name, value): (&String, &Value)| name.len() + value.as_str().map_or(0, str::len);
    if annotations.iter().map(length).sum::<usize>() > MAX_ANNOTATION_BYTES {
        annotations.remove(LAST_APPLIED);
    }
}

/// JSON as Go writes it: safe inside HTML.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}
