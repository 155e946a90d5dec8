//! Definitions as Kubernetes publishes them: the generated ones, with extensions added, and those of lists.
//!
//! They come out in OpenAPI 2 form, with references to `#/definitions/`; [`super::v3`] rewrites them.

use serde_json::{Map, Value, json};

use super::usage;
use crate::catalog::{Catalog, Resource};
use crate::custom::{Form, add_definitions, definition_name, list_definition_name};
use crate::schema::{
    ATOMIC_OBJECTS, ListType, definitions, kinds_of, list_rule, map_is_atomic, name_of, short_name, values_of,
};

/// What definitions of `metav1` start with.
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
/// Extension that says which kinds a definition or operation is about.
pub(super) const GVK: &str = "x-kubernetes-group-version-kind";
/// Where definitions are in an OpenAPI 2 document.
pub(super) const V2_PREFIX: &str = "#/definitions/";

/// The name of a `metav1` definition.
pub(super) fn meta(name: &str) -> String {
    format!("{META}.{name}")
}

/// A reference to a definition.
pub(super) fn reference(definition: &str) -> Value {
    json!({ "$ref": format!("{V2_PREFIX}{definition}") })
}

/// The definition of a row's kind. A kind without one of its own is an object of unknown shape.
pub(super) fn of_kind(resource: &Resource) -> String {
    if resource.custom.is_some() {
        return definition_name(resource);
    }
    let known = name_of(&resource.api_version(), &resource.kind).or_else(|| usage::name_of(resource));
    known.unwrap_or_else(|| meta("Patch"))
}

/// The definition of a row's list kind.
pub(super) fn of_list(resource: &Resource) -> String {
    if resource.custom.is_some() {
        return list_definition_name(resource);
    }
    format!("{}List", of_kind(resource))
}

/// `{group, version, kind}`
pub(super) fn gvk(group: &str, version: &str, kind: &str) -> Value {
    json!({ "group": group, "version": version, "kind": kind })
}

/// All definitions, those of custom kinds as far as the version of OpenAPI can say what is in them.
pub(super) fn all(catalog: &Catalog, form: Form) -> Map<String, Value> {
    let mut all = definitions();
    for (name, schema) in &mut all {
        extend(short_name(name), schema);
    }
    for (api_version, kind, name) in kinds_of() {
        let kinds = if kind == "DeleteOptions" { in_all_groups(catalog, kind) } else { vec![of(api_version, kind)] };
        all[&name][GVK] = json!(kinds);
    }
    usage::add_definitions(catalog, &mut all);
    for row in catalog.rows() {
        match &row.custom {
            Some(custom) => add_definitions(row, custom, form, &mut all),
            None => drop(all.insert(of_list(row), list(row))),
        }
    }
    all.insert(
        meta("Patch"),
        json!({
            "description": "Patch is provided to give a concrete name and type to the Kubernetes PATCH request body.",
            "type": "object",
        }),
    );
    all
}

fn of(api_version: &str, kind: &str) -> Value {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    gvk(group, version, kind)
}

/// Options kinds are registered in every group.
fn in_all_groups(catalog: &Catalog, kind: &str) -> Vec<Value> {
    let mut kinds = vec![gvk("", "v1", kind)];
    for (group, versions) in catalog.groups() {
        kinds.extend(versions.iter().map(|version| gvk(&group, version, kind)));
    }
    kinds
}

fn list(row: &Resource) -> Value {
    json!({
        "description": format!("{} is a list of {} objects.", row.list_kind(), row.kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": { "type": "string", "description": TYPE_META },
            "kind": { "type": "string", "description": TYPE_META },
            "items": { "type": "array", "items": reference(&of_kind(row)), "description": "Items of the list." },
            "metadata": described(reference(&meta("ListMeta")), "Standard list metadata."),
        },
        GVK: [gvk(&row.group, &row.version, &row.list_kind())],
    })
}

const TYPE_META: &str = "Version and kind of the object. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

/// The same with a description.
pub(super) fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = json!(description);
    schema
}

/// Adds the extensions that the tables of [`crate::schema`] know about.
fn extend(short: &str, schema: &mut Value) {
    let is_quantity = short == "api.resource.Quantity";
    if let Some(fields) = schema.as_object_mut() {
        // OpenAPI 2 has no word for "integer or string"; Kubernetes says string, with a format.
        if fields.remove("x-kubernetes-int-or-string").is_some() {
            fields.insert("type".into(), json!("string"));
            if !is_quantity {
                fields.insert("format".into(), json!("int-or-string"));
            }
        }
        if ATOMIC_OBJECTS.contains(&short) {
            fields.insert("x-kubernetes-map-type".into(), json!("atomic"));
        }
    }
    // Objects may come without metadata (a TokenReview does); only the older kind of events may not.
    if short != "core.v1.Event" {
        without_required_metadata(schema);
    }
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (field, property) in properties {
        extend_property(short, field, property);
    }
}

fn without_required_metadata(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) else { return };
    required.retain(|field| field != "metadata");
    if required.is_empty() {
        schema.remove("required");
    }
}

fn extend_property(short: &str, field: &str, property: &mut Value) {
    let rule = list_rule(short, field);
    let is_list = property.get("type").is_some_and(|ty| ty == "array");
    let Some(property) = property.as_object_mut() else { return };
    if is_list {
        let (list_type, keys) = match rule.list {
            ListType::Atomic => ("atomic", None),
            ListType::Set => ("set", None),
            ListType::Map(keys) => ("map", Some(keys)),
        };
        property.insert("x-kubernetes-list-type".into(), json!(list_type));
        if let Some(keys) = keys {
            property.insert("x-kubernetes-list-map-keys".into(), json!(keys));
        }
    }
    if let Some(values) = values_of(short, field) {
        let text = property.get("description").and_then(Value::as_str).unwrap_or_default();
        property.insert("description".into(), json!(with_values(text, values)));
        property.insert("enum".into(), json!(values));
    }
    if let Some(strategy) = rule.strategy() {
        property.insert("x-kubernetes-patch-strategy".into(), json!(strategy));
    }
    if let Some(key) = rule.merge_key {
        property.insert("x-kubernetes-patch-merge-key".into(), json!(key));
    }
    if map_is_atomic(short, field) {
        property.insert("x-kubernetes-map-type".into(), json!("atomic"));
    }
}

/// Kubernetes lists the values of a field in its description too.
fn with_values(description: &str, values: &[&str]) -> String {
    let lines: Vec<String> = values.iter().map(|value| format!(" - `\"{value}\"`")).collect();
    format!("{description}\n\nPossible enum values:\n{}", lines.join("\n")).trim_start().to_string()
}
