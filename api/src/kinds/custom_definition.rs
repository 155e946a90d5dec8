//! Rules of custom resource definitions. What their schemas may say is checked by [`crate::custom`].

use serde_json::{Value, json};

use super::json::{boolean, carry_over, list, object, part, set_default, set_if_zero, text};
use crate::catalog::Rules;
use crate::{custom, names};

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create: |definition| {
        definition["status"] =
            json!({ "acceptedNames": { "kind": "", "plural": "" }, "conditions": [], "storedVersions": [] });
        remember_storage(definition);
    },
    prepare_update: |new, old| {
        carry_over(new, old, "status");
        remember_storage(new);
    },
    validate: custom::definition_errors,
    validate_update: custom::definition_update_errors,
    validate_status: custom::definition_status_errors,
    name_errors: names::subdomain_name,
    ..Rules::GENERIC
};

fn defaults(definition: &mut Value) {
    let Some(spec) = definition.get_mut("spec").filter(|s| s.is_object()) else { return };
    let kind = text(spec, "names.kind").to_string();
    if !kind.is_empty()
        && let Some(names) = object(spec, "names")
    {
        set_if_zero(names, "singular", kind.to_lowercase());
        set_if_zero(names, "listKind", format!("{kind}List"));
    }
    if let Some(map) = spec.as_object_mut() {
        // Kubernetes does not write it down when it is false.
        if map.get("preserveUnknownFields") == Some(&json!(false)) {
            map.remove("preserveUnknownFields");
        }
        set_default(map, "conversion", json!({ "strategy": "None" }));
    }
    if part(spec, "conversion.webhook.clientConfig.service").is_object()
        && let Some(service) = spec.pointer_mut("/conversion/webhook/clientConfig/service")
        && let Some(map) = service.as_object_mut()
    {
        set_default(map, "port", 443);
    }
}

/// A version that objects are stored as is in the books until somebody takes it out, once none is left.
fn remember_storage(definition: &mut Value) {
    let stored = list(definition, "spec.versions").iter().find(|version| boolean(version, "storage"));
    let Some(version) = stored.map(|version| json!(text(version, "name"))) else { return };
    if let Some(versions) = definition.pointer_mut("/status/storedVersions").and_then(Value::as_array_mut)
        && !versions.contains(&version)
    {
        versions.push(version);
    }
}
