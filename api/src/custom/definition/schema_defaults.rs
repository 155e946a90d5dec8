//! Defaults in a schema: each is itself an object that the schema prunes to itself and finds valid
//! (`apiextensions-apiserver/pkg/apiserver/schema/defaulting/validation.go`).

use std::sync::Arc;

use serde_json::Value;

use crate::custom::prune::prune;
use crate::custom::rules::{Rules, rule_errors};
use crate::custom::schema::{Additional, Schema};
use crate::custom::{embedded_errors, list_errors, validate};
use crate::field::{FieldError, Path};

/// All errors in the defaults of a schema.
pub(super) fn errors(schema: &Arc<Schema>, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(schema, path, &mut errors);
    errors
}

fn walk(schema: &Arc<Schema>, path: &Path, errors: &mut Vec<FieldError>) {
    if let Some(default) = &schema.default {
        errors.extend(default_errors(default, schema, &path.child("default")));
    }
    for (name, property) in &schema.properties {
        walk(property, &path.child("properties").key(name), errors);
    }
    if let Additional::Schema(below) = &schema.additional {
        walk(below, &path.child("additionalProperties"), errors);
    }
    if let Some(items) = &schema.items {
        walk(items, &path.child("items"), errors);
    }
}

fn default_errors(default: &Value, schema: &Arc<Schema>, path: &Path) -> Vec<FieldError> {
    let mut pruned = default.clone();
    let unknown = prune(&mut pruned, schema, false);
    if !unknown.is_empty() {
        return vec![FieldError::invalid(path, default, "must not have unknown fields")];
    }
    let mut errors = list_errors(default, schema, path);
    errors.extend(validate::value_errors(default, None, schema, path.as_str()));
    errors.extend(embedded_errors(default, schema, path));
    if let Some(rules) = Rules::compile(schema, schema.embedded) {
        errors.extend(rule_errors(&rules, default, None, path));
    }
    errors
}
