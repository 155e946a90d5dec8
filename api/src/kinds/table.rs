//! Columns and cells that several kinds share.

use serde_json::{Value, json};

use super::json::{list, text};
use crate::catalog::{Column, ColumnType};
use crate::{duration, meta};

/// What an absent value looks like.
pub(super) const NONE: &str = "<none>";

const CREATED: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is \
     not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is \
     represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: \
     https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// A column of text that is always shown.
pub(super) const fn column(name: &'static str, description: &'static str) -> Column {
    Column { name, kind: ColumnType::String, format: "", description, priority: 0 }
}

/// A column of text for `-o wide`.
pub(super) const fn wide(name: &'static str, description: &'static str) -> Column {
    Column { priority: 1, ..column(name, description) }
}

/// A column of numbers.
pub(super) const fn number(name: &'static str, description: &'static str) -> Column {
    Column { kind: ColumnType::Integer, ..column(name, description) }
}

/// A column of booleans.
pub(super) const fn flag(name: &'static str, description: &'static str) -> Column {
    Column { kind: ColumnType::Boolean, ..column(name, description) }
}

/// `Name`, for kinds that show more than the name there or have it elsewhere than first.
pub(super) const NAME: Column = Column {
    format: "name",
    ..column(
        "Name",
        "Name must be unique within a namespace. Is required when creating resources, although some resources may \
         allow a client to request the generation of an appropriate name automatically. Name is primarily intended \
         for creation idempotence and configuration definition. Cannot be updated. More info: \
         https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
    )
};
/// `Age`
pub(super) const AGE: Column = column("Age", CREATED);
/// Names of the containers of a template.
pub(super) const CONTAINERS: Column = wide("Containers", "Names of each container in the template.");
/// Images of the containers of a template.
pub(super) const IMAGES: Column = wide("Images", "Images referenced by each container in the template.");

/// How long ago the object was created.
pub(super) fn age(object: &Value, now_seconds: i64) -> Value {
    json!(duration::age(meta::metadata(object).and_then(|m| m.get("creationTimestamp")?.as_str()), now_seconds))
}

/// The text, or `<none>`.
pub(super) fn or_none(text: &str) -> Value {
    json!(if text.is_empty() { NONE } else { text })
}

/// The text, or `<unset>`.
pub(super) fn or_unset(text: &str) -> Value {
    json!(if text.is_empty() { "<unset>" } else { text })
}

/// One field of each container in `spec.template`, separated by commas.
pub(super) fn of_containers(object: &Value, field: &str) -> Value {
    of_containers_at(object, "spec.template.spec.containers", field)
}

/// The same for the containers at another path.
pub(super) fn of_containers_at(object: &Value, path: &str, field: &str) -> Value {
    let fields: Vec<&str> = list(object, path).iter().map(|c| text(c, field)).collect();
    json!(fields.join(","))
}

/// A plain map as `a=b,c=d`.
pub(super) fn map(value: Option<&Value>) -> String {
    let entries = value.and_then(Value::as_object).filter(|m| !m.is_empty());
    let joined = |m: &serde_json::Map<String, Value>| {
        m.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect::<Vec<_>>().join(",")
    };
    entries.map_or_else(|| NONE.to_string(), joined)
}

/// A `LabelSelector` as `a=b,c in (d,e)`.
pub(super) fn selector(value: Option<&Value>) -> Value {
    let text = match crate::selector::LabelSelector::from_value(value) {
        Ok(selector) => selector.to_string(),
        Err(error) => format!("<error: {error}>"),
    };
    or_none(&text)
}
