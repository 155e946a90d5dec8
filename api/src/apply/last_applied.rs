//! The step from `kubectl apply` to `kubectl apply --server-side`: what kubectl itself had applied before, as its
//! annotation tells, it may change without a conflict (`apimachinery/pkg/util/managedfields/internal/lastappliedmanager.go`).

use serde_json::Value;

use super::set::FieldSet;
use super::shape::Shaped;
use super::{compare, own_fields, to_set};

/// Where client-side apply keeps what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The manager that takes over; another name opts out.
const KUBECTL: &str = "kubectl";

/// The fields of the last applied configuration that are still as it has them. An annotation that cannot be read
/// excuses nothing.
pub(super) fn excused(root: &Shaped<'_>, live: &Value, manager: &str) -> FieldSet {
    if manager != KUBECTL {
        return FieldSet::default();
    }
    excused_by_annotation(root, live).unwrap_or_default()
}

fn excused_by_annotation(root: &Shaped<'_>, live: &Value) -> Option<FieldSet> {
    let annotation = live.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?.as_str()?;
    let last: Value = serde_json::from_str(annotation).ok()?;
    if last.get("apiVersion") != live.get("apiVersion") {
        return None;
    }
    let fields = own_fields(to_set::fields(root, &last).ok()?);
    let change = compare::compare(root, live, &last).ok()?;
    // What is only in the live object is in `removed`, and in no configuration.
    Some(fields.difference(&change.changed))
}
