//! `x-kubernetes-list-type`: elements of sets and maps are there once
//! (`apiextensions-apiserver/pkg/apiserver/schema/listtype`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::schema::Schema;
use crate::cel::ListKind;
use crate::field::{FieldError, Path};

/// All duplicates in sets and maps.
pub fn list_errors(value: &Value, schema: &Schema, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(value, schema, path, &mut errors);
    errors
}

fn walk(value: &Value, schema: &Schema, path: &Path, errors: &mut Vec<FieldError>) {
    match value {
        Value::Array(items) => {
            match &schema.list {
                ListKind::Atomic => {}
                ListKind::Set => duplicates(items, path, errors, |item| Some(item.clone())),
                ListKind::Map(keys) => duplicates(items, path, errors, |item| key_of(item, keys, schema)),
            }
            if let Some(below) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    walk(item, below, &path.index(index), errors);
                }
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                match (schema.properties.get(name), schema.property(name)) {
                    (Some(property), _) => walk(field, property, &path.child(name), errors),
                    (None, Some(below)) => walk(field, below, &path.key(name), errors),
                    (None, None) => {}
                }
            }
        }
        _ => {}
    }
}

fn duplicates(items: &[Value], path: &Path, errors: &mut Vec<FieldError>, own: impl Fn(&Value) -> Option<Value>) {
    // Texts as keys: JSON values have no order of their own, and lists may be long.
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        let Some(key) = own(item) else { continue };
        let count = seen.entry(key.to_string()).or_default();
        *count += 1;
        // Each duplicate is reported once, however often it is there.
        if *count == 2 {
            errors.push(FieldError::duplicate(&path.index(index), &key));
        }
    }
}

/// The keys of an element, defaults standing in for what is absent.
fn key_of(item: &Value, keys: &[String], schema: &Schema) -> Option<Value> {
    let fields = item.as_object()?;
    let mut own = Map::new();
    for key in keys {
        let default = || schema.items.as_ref()?.properties.get(key)?.default.clone();
        if let Some(value) = fields.get(key).cloned().or_else(default) {
            own.insert(key.clone(), value);
        }
    }
    Some(json!(own))
}
