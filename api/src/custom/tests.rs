//! Custom kinds from their definitions to their objects.

mod costs;
mod definitions;
mod discovery;
mod documents;
mod objects;
mod robust;
mod values;

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::catalog::Resource;
use crate::field::FieldError;

fn lines(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// A definition of `CronTab`s with this schema for `spec`.
fn definition(spec: Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "crontabs.example.com" },
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": { "plural": "crontabs", "singular": "crontab", "kind": "CronTab", "listKind": "CronTabList",
                "shortNames": ["ct"], "categories": ["all"] },
            "conversion": { "strategy": "None" },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "properties": { "spec": spec, "status": {
                    "type": "object", "properties": { "replicas": { "type": "integer" }, "selector": { "type": "string" } },
                } } } },
                "subresources": { "status": {} },
            }],
        },
        "status": { "storedVersions": ["v1"], "conditions": [], "acceptedNames": { "plural": "", "kind": "" } },
    })
}

fn spec_of(properties: Value) -> Value {
    json!({ "type": "object", "properties": properties })
}

/// The row of a definition that is fine.
fn row(definition: &Value) -> Resource {
    assert_eq!(lines(&definition_errors(definition)), Vec::<String>::new());
    rows(definition).unwrap().remove(0)
}

fn object(spec: Value) -> Value {
    json!({ "apiVersion": "example.com/v1", "kind": "CronTab", "metadata": { "name": "c" }, "spec": spec })
}

fn kind(definition: &Value) -> Arc<CustomKind> {
    row(definition).custom.unwrap()
}
