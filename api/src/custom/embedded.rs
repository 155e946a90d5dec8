//! Resources inside of resources (`x-kubernetes-embedded-resource`): their `apiVersion`, `kind` and `metadata` are what they
//! are for any resource (`apiextensions-apiserver/pkg/apiserver/schema/objectmeta`).

use serde_json::{Value, json};

use super::schema::Schema;
use crate::decode::normalize_metadata;
use crate::field::{FieldError, Path};
use crate::metadata::embedded_metadata_errors;
use crate::names;

/// Reads the metadata of every embedded resource as ObjectMeta: unknown fields and values of wrong types go. Returns the paths
/// of what went.
pub fn coerce_embedded(value: &mut Value, schema: &Schema) -> Vec<String> {
    let mut dropped = Vec::new();
    visit_mut(value, schema, "", false, &mut |resource, path| {
        if let Some(metadata) = resource.get_mut("metadata") {
            let prefix = if path.is_empty() { "metadata".to_string() } else { format!("{path}.metadata") };
            match normalize_metadata(metadata) {
                Ok(unknown) => dropped.extend(unknown.iter().map(|field| format!("{prefix}.{field}"))),
                // Of wrong types is as good as absent, as upstream.
                Err(_) => *metadata = json!({}),
            }
        }
    });
    dropped
}

/// All errors in the type and metadata of embedded resources.
pub fn embedded_errors(value: &Value, schema: &Schema, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    visit(value, schema, path, false, &mut errors);
    errors
}

fn visit_mut(
    value: &mut Value,
    schema: &Schema,
    path: &str,
    is_embedded: bool,
    act: &mut impl FnMut(&mut Value, &str),
) {
    if is_embedded && value.is_object() {
        act(value, path);
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if let Some(below) = schema.property(name) {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    visit_mut(field, below, &path, below.embedded, act);
                }
            }
        }
        Value::Array(items) => {
            if let Some(below) = &schema.items {
                for (index, item) in items.iter_mut().enumerate() {
                    visit_mut(item, below, &format!("{path}[{index}]"), below.embedded, act);
                }
            }
        }
        _ => {}
    }
}

fn visit(value: &Value, schema: &Schema, path: &Path, is_embedded: bool, errors: &mut Vec<FieldError>) {
    if is_embedded && value.is_object() {
        type_errors(value, path, errors);
        errors.extend(embedded_metadata_errors(value, &path.child("metadata")));
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match (schema.properties.get(name), schema.property(name)) {
                    (Some(below), _) => visit(field, below, &path.child(name), below.embedded, errors),
                    (None, Some(below)) => visit(field, below, &path.key(name), below.embedded, errors),
                    (None, None) => {}
                }
            }
        }
        Value::Array(items) => {
            if let Some(below) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    visit(item, below, &path.index(index), below.embedded, errors);
                }
            }
        }
        _ => {}
    }
}

fn type_errors(value: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("apiVersion") {
        "" => errors.push(FieldError::required(&path.child("apiVersion"), "must not be empty")),
        version if version.matches('/').count() > 1 => {
            let detail = format!("unexpected GroupVersion string: {version}");
            errors.push(FieldError::invalid(&path.child("apiVersion"), &json!(version), &detail));
        }
        _ => {}
    }
    match text("kind") {
        "" => errors.push(FieldError::required(&path.child("kind"), "must not be empty")),
        kind => {
            let details = names::dns1035_label(&kind.to_lowercase());
            if !details.is_empty() {
                let detail = format!("may have mixed case, but should otherwise match: {}", details.join(","));
                errors.push(FieldError::invalid(&path.child("kind"), &json!(kind), &detail));
            }
        }
    }
}
