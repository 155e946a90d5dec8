//! `x-kubernetes-list-type`, `x-kubernetes-list-map-keys`, `x-kubernetes-map-type`.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::custom::definition::{flag, list, text};
use crate::field::{FieldError, Path, tell};

pub(super) fn errors(schema: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    map_type(schema, path, errors);
    list_type(schema, path, errors);
    let kind = text(schema, "x-kubernetes-list-type");
    if !list(schema, "x-kubernetes-list-map-keys").is_empty() && kind != "map" {
        let (at, detail) =
            (path.child("x-kubernetes-list-type"), "must be map if x-kubernetes-list-map-keys is non-empty");
        errors.push(match kind {
            "" => FieldError::required(&at, detail),
            _ => FieldError::invalid(&at, &json!(kind), detail),
        });
    }
    if kind == "map" {
        map_keys(schema, path, errors);
    }
    if kind == "map" || kind == "set" {
        nullable(schema, kind, path, errors);
    }
}

fn wrong_type(schema: &Value, wanted: &str, extension: &str, path: &Path) -> Option<FieldError> {
    let ty = text(schema, "type");
    let detail = format!("must be {wanted} if {extension} is specified");
    match ty {
        "" => Some(FieldError::required(&path.child("type"), &detail)),
        ty if ty != wanted => Some(FieldError::invalid(&path.child("type"), &json!(ty), &detail)),
        _ => None,
    }
}

fn map_type(schema: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    let extension = "x-kubernetes-map-type";
    let Some(kind) = schema.get(extension).and_then(Value::as_str) else { return };
    errors.extend(wrong_type(schema, "object", extension, path));
    if !["atomic", "granular"].contains(&kind) {
        errors.push(FieldError::not_supported(&path.child(extension), &json!(kind), &["atomic", "granular"]));
    }
}

fn list_type(schema: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    let extension = "x-kubernetes-list-type";
    let Some(kind) = schema.get(extension).and_then(Value::as_str) else { return };
    match wrong_type(schema, "array", extension, path) {
        Some(error) => errors.push(error),
        None if kind == "set" => set_items(&schema["items"], &path.child("items"), errors),
        None => {}
    }
    if !["atomic", "set", "map"].contains(&kind) {
        errors.push(FieldError::not_supported(&path.child(extension), &json!(kind), &["atomic", "set", "map"]));
    }
}

fn set_items(items: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    let (extension, is_atomic) = match text(items, "type") {
        "array" => ("x-kubernetes-list-type", matches!(text(items, "x-kubernetes-list-type"), "" | "atomic")),
        "object" => ("x-kubernetes-map-type", text(items, "x-kubernetes-map-type") == "atomic"),
        _ => return,
    };
    if !is_atomic {
        let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let value = items.get("x-kubernetes-list-type").cloned().unwrap_or(json!("null"));
        errors.push(FieldError::invalid(&path.child(extension), &value, detail));
    }
}

fn map_keys(schema: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    let keys = list(schema, "x-kubernetes-list-map-keys");
    let keys_path = path.child("x-kubernetes-list-map-keys");
    if keys.is_empty() {
        errors.push(FieldError::required(&keys_path, "must not be empty if x-kubernetes-list-type is map"));
    }
    let items = &schema["items"];
    let items_path = path.child("items");
    if !items.is_object() {
        errors.push(FieldError::required(&items_path, "must have a schema if x-kubernetes-list-type is map"));
        return;
    }
    if text(items, "type") != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        errors.push(FieldError::invalid(&items_path.child("type"), &json!(text(items, "type")), detail));
        return;
    }
    let mut seen = HashSet::new();
    for key in keys {
        let name = key.as_str().unwrap_or_default();
        match items["properties"].get(name) {
            Some(property) if matches!(text(property, "type"), "array" | "object") => {
                let at = items_path.child("properties").key(name).child("type");
                let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                errors.push(FieldError::invalid(&at, &json!(text(items, "type")), detail));
            }
            Some(_) => {}
            None => {
                let detail = "entries must all be names of item properties";
                tell(errors, || FieldError::invalid(&keys_path, &json!(keys), detail));
            }
        }
        if !seen.insert(key) {
            tell(errors, || FieldError::invalid(&keys_path, &json!(keys), "must not contain duplicate entries"));
        }
    }
}

/// Keys are always there: required, or with a default, and never null.
fn nullable(schema: &Value, kind: &str, path: &Path, errors: &mut Vec<FieldError>) {
    let items = &schema["items"];
    let path = path.child("items");
    if flag(items, "nullable") {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {kind}");
        errors.push(FieldError::forbidden(&path.child("nullable"), &detail));
    }
    if kind != "map" {
        return;
    }
    let required: HashSet<&Value> = list(items, "required").iter().collect();
    for key in list(schema, "x-kubernetes-list-map-keys") {
        let name = key.as_str().unwrap_or_default();
        let Some(property) = items["properties"].get(name) else { continue };
        let path = path.child("properties").key(name);
        if !required.contains(key) && property.get("default").is_none() {
            let detail =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.push(FieldError::required(&path.child("default"), detail));
        }
        if flag(property, "nullable") {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.push(FieldError::forbidden(&path.child("nullable"), detail));
        }
    }
}
