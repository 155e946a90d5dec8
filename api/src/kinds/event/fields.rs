//! Fields that events can be selected by, read from the stored form or from the `events.k8s.io/v1` form.

use serde_json::Value;

use crate::catalog::SelectableField;
use crate::kinds::json::text;

fn object(event: &Value, field: &str) -> String {
    let object = event.get("involvedObject").or_else(|| event.get("regarding"));
    object.map(|o| text(o, field)).unwrap_or_default().to_string()
}

fn either(event: &Value, first: &str, second: &str) -> String {
    match text(event, first) {
        "" => text(event, second).to_string(),
        found => found.to_string(),
    }
}

fn controller(event: &Value) -> String {
    either(event, "reportingComponent", "reportingController")
}

fn source(event: &Value) -> String {
    match either(event, "source.component", "deprecatedSource.component") {
        component if component.is_empty() => controller(event),
        component => component,
    }
}

/// In the order of `pkg/apis/core/v1/conversion.go`.
pub(super) const SELECTABLE: &[SelectableField] = &[
    ("involvedObject.kind", |e| object(e, "kind")),
    ("involvedObject.namespace", |e| object(e, "namespace")),
    ("involvedObject.name", |e| object(e, "name")),
    ("involvedObject.uid", |e| object(e, "uid")),
    ("involvedObject.apiVersion", |e| object(e, "apiVersion")),
    ("involvedObject.resourceVersion", |e| object(e, "resourceVersion")),
    ("involvedObject.fieldPath", |e| object(e, "fieldPath")),
    ("reason", |e| text(e, "reason").to_string()),
    ("reportingComponent", controller),
    ("source", source),
    ("type", |e| text(e, "type").to_string()),
];

/// What `events.k8s.io` calls by the same names.
pub(super) const SELECTABLE_V1: &[SelectableField] =
    &[("reason", |e| text(e, "reason").to_string()), ("type", |e| text(e, "type").to_string())];

/// What `events.k8s.io` calls by other names: the objects are stored once and indexed once.
pub(super) const ALIASES_V1: &[(&str, &str)] = &[
    ("regarding.kind", "involvedObject.kind"),
    ("regarding.namespace", "involvedObject.namespace"),
    ("regarding.name", "involvedObject.name"),
    ("regarding.uid", "involvedObject.uid"),
    ("regarding.apiVersion", "involvedObject.apiVersion"),
    ("regarding.resourceVersion", "involvedObject.resourceVersion"),
    ("regarding.fieldPath", "involvedObject.fieldPath"),
    ("reportingController", "reportingComponent"),
];
