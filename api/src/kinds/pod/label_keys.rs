//! `matchLabelKeys` and `mismatchLabelKeys` (KEP-3633, KEP-3243): a new pod's own labels become part of its selectors.

use serde_json::{Value, json};

use crate::kinds::json::{has, items, list};

/// Adds them to the selectors of affinity and of spreading.
pub(super) fn merge(pod: &mut Value) {
    let labels = pod.pointer("/metadata/labels").cloned().unwrap_or_default();
    let Some(spec) = pod.get_mut("spec").filter(|s| s.is_object()) else { return };
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(affinity) = spec.get_mut("affinity").and_then(|a| a.get_mut(kind)) else { continue };
        items(affinity, "requiredDuringSchedulingIgnoredDuringExecution").for_each(|term| merge_into(term, &labels));
        items(affinity, "preferredDuringSchedulingIgnoredDuringExecution")
            .filter_map(|weighted| weighted.get_mut("podAffinityTerm"))
            .for_each(|term| merge_into(term, &labels));
    }
    items(spec, "topologySpreadConstraints").for_each(|constraint| merge_into(constraint, &labels));
}

fn merge_into(term: &mut Value, labels: &Value) {
    if !has(term, "labelSelector") {
        return;
    }
    let mut added = Vec::new();
    for (field, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        for key in list(term, field).iter().filter_map(Value::as_str) {
            if let Some(value) = labels.get(key).and_then(Value::as_str) {
                added.push(json!({ "key": key, "operator": operator, "values": [value] }));
            }
        }
    }
    if added.is_empty() {
        return;
    }
    let selector = &mut term["labelSelector"];
    match selector.get_mut("matchExpressions").and_then(Value::as_array_mut) {
        Some(expressions) => expressions.extend(added),
        None => selector["matchExpressions"] = json!(added),
    }
}
