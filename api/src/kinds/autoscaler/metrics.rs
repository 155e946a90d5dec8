//! Metrics in the form of version 1's annotations: the same facts with the target's fields moved up.

use serde_json::{Map, Value, json};

use crate::kinds::json::{part, text};

/// (type, field that holds it)
pub(super) const TYPES: [(&str, &str); 5] = [
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];

/// The field that holds the metric.
pub(super) fn field_of(metric: &Value) -> Option<&'static str> {
    TYPES.iter().find(|(kind, _)| *kind == text(metric, "type")).map(|(_, field)| *field)
}

/// Where a part of a metric is: version 1, version 2. Values are in `target` when aimed at and in `current` when seen.
type Names = &'static [(&'static str, &'static str)];

const RESOURCE: Names = &[
    ("name", "name"),
    ("container", "container"),
    ("targetAverageUtilization", "target.averageUtilization"),
    ("targetAverageValue", "target.averageValue"),
    ("currentAverageUtilization", "current.averageUtilization"),
    ("currentAverageValue", "current.averageValue"),
];
const PODS: Names = &[
    ("metricName", "metric.name"),
    ("selector", "metric.selector"),
    ("targetAverageValue", "target.averageValue"),
    ("currentAverageValue", "current.averageValue"),
];
const OBJECT: Names = &[
    ("target", "describedObject"),
    ("metricName", "metric.name"),
    ("selector", "metric.selector"),
    ("targetValue", "target.value"),
    ("averageValue", "target.averageValue"),
    ("currentValue", "current.value"),
];
const EXTERNAL: Names = &[
    ("metricName", "metric.name"),
    ("metricSelector", "metric.selector"),
    ("targetValue", "target.value"),
    ("targetAverageValue", "target.averageValue"),
    ("currentValue", "current.value"),
    ("currentAverageValue", "current.averageValue"),
];

fn names(field: &str) -> Names {
    match field {
        "pods" => PODS,
        "object" => OBJECT,
        "external" => EXTERNAL,
        _ => RESOURCE,
    }
}

/// From version 2 to version 1.
pub(super) fn flatten(metric: &Value) -> Value {
    let Some(field) = field_of(metric) else { return metric.clone() };
    let source = part(metric, field);
    let parts = names(field).iter().map(|(flat, nested)| (*flat, part(&source, nested)));
    let flat: Map<String, Value> =
        parts.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_string(), value)).collect();
    json!({ "type": text(metric, "type"), field: flat })
}

/// From version 1 to version 2.
pub(super) fn nest(metric: &Value) -> Value {
    let Some(field) = field_of(metric) else { return metric.clone() };
    let source = part(metric, field);
    let mut nested = json!({});
    for (flat, path) in names(field) {
        let value = part(&source, flat);
        match path.split_once('.') {
            _ if value.is_null() => {}
            Some((section, name)) => nested[section][name] = value,
            None => nested[*path] = value,
        }
    }
    if let Some(target) = nested.get_mut("target") {
        let kind = [("averageUtilization", "Utilization"), ("value", "Value"), ("averageValue", "AverageValue")];
        let kind = kind.into_iter().find(|(field, _)| target.get(field).is_some_and(|v| !v.is_null() && *v != "0"));
        if let Some((_, kind)) = kind {
            target["type"] = json!(kind);
        }
    }
    json!({ "type": text(metric, "type"), field: nested })
}
