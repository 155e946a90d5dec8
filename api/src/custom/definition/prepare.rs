//! Defaults, and what a write leaves of what the client sent.

use serde_json::{Value, json};

use super::{flag, list, text};

/// Port of a conversion webhook's Service that does not say.
const WEBHOOK_PORT: i64 = 443;

/// Names that follow from others, and the conversion strategy.
pub(super) fn defaults(definition: &mut Value) {
    let Some(spec) = definition.get_mut("spec").filter(|spec| spec.is_object()) else { return };
    let kind = spec.get("names").map(|names| text(names, "kind").to_string()).unwrap_or_default();
    if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
        for (field, default) in [("singular", kind.to_lowercase()), ("listKind", format!("{kind}List"))] {
            let is_empty = names.get(field).and_then(Value::as_str).is_none_or(str::is_empty);
            if is_empty && !kind.is_empty() {
                names.insert(field.into(), json!(default));
            }
        }
    }
    if spec.get("conversion").is_none_or(Value::is_null) {
        spec["conversion"] = json!({ "strategy": "None" });
    }
    if let Some(service) = spec.pointer_mut("/conversion/webhook/clientConfig/service").and_then(Value::as_object_mut) {
        service.entry("port").or_insert(json!(WEBHOOK_PORT));
    }
}

/// The status is the server's; the storage version is in the books from the start.
pub(super) fn create(definition: &mut Value) {
    if definition.is_object() {
        definition["status"] =
            json!({ "acceptedNames": { "kind": "", "plural": "" }, "conditions": [], "storedVersions": [] });
        remember_storage(definition);
    }
}

/// The status stays, but for a new storage version: objects may be stored in it from now on.
pub(super) fn update(new: &mut Value, old: &Value) {
    let Some(fields) = new.as_object_mut() else { return };
    match old.get("status") {
        Some(status) => fields.insert("status".into(), status.clone()),
        None => fields.remove("status"),
    };
    remember_storage(new);
}

/// A version that objects are stored in is in the books until somebody takes it out, once none is left.
fn remember_storage(definition: &mut Value) {
    let storage = list(&definition["spec"], "versions").iter().find(|version| flag(version, "storage"));
    let Some(name) = storage.map(|version| json!(text(version, "name"))) else { return };
    if let Some(stored) = definition.pointer_mut("/status/storedVersions").and_then(Value::as_array_mut)
        && !stored.contains(&name)
    {
        stored.push(name);
    }
}
