//! OpenAPI 3: one document per group and version, with the definitions that it needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::defaults;
use super::definitions::{self, GVK, V2_PREFIX};
use super::operations::{Endpoint, Operation, endpoints};
use super::parameters::Parameter;
use crate::catalog::Catalog;
use crate::custom::Form;

/// Where definitions are in an OpenAPI 3 document.
const V3_PREFIX: &str = "#/components/schemas/";

/// All documents, by group and version.
pub(super) fn documents(
    catalog: &Catalog,
    server_version: &str,
) -> impl Iterator<Item = ((String, String), Value)> + use<> {
    let mut by_version: BTreeMap<(String, String), Vec<Endpoint>> = BTreeMap::new();
    for endpoint in endpoints(catalog) {
        let version = (endpoint.group.clone(), endpoint.version.clone());
        by_version.entry(version).or_default().push(endpoint);
    }
    let mut schemas = definitions::all(catalog, Form::V3);
    defaults::declare(&mut schemas);
    let references: BTreeMap<String, BTreeSet<String>> =
        schemas.iter().map(|(name, schema)| (name.clone(), references_of(schema))).collect();
    schemas.values_mut().for_each(modernize);
    let server_version = server_version.to_string();
    by_version.into_iter().map(move |(version, endpoints)| {
        let document = document(&endpoints, &schemas, &references, &server_version);
        (version, document)
    })
}

fn document(
    endpoints: &[Endpoint],
    schemas: &Map<String, Value>,
    references: &BTreeMap<String, BTreeSet<String>>,
    server_version: &str,
) -> Value {
    let mut paths = Map::new();
    let mut needed = BTreeSet::new();
    for endpoint in endpoints {
        let mut item = Map::new();
        for operation in &endpoint.operations {
            needed.extend(operation.body.iter().chain(&operation.answer).cloned());
            item.insert(operation.method.into(), render(operation));
        }
        if !endpoint.parameters.is_empty() {
            item.insert("parameters".into(), endpoint.parameters.iter().map(parameter).collect());
        }
        paths.insert(endpoint.path.clone(), Value::Object(item));
    }
    let reached = reachable(needed, references);
    let components: Map<String, Value> =
        reached.into_iter().filter_map(|name| schemas.get(&name).cloned().map(|schema| (name, schema))).collect();
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": server_version },
        "paths": paths,
        "components": { "schemas": components },
    })
}

fn reachable(needed: BTreeSet<String>, references: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut open: Vec<String> = needed.iter().cloned().collect();
    let mut reached = needed;
    while let Some(name) = open.pop() {
        for next in references.get(&name).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    reached
}

fn references_of(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect_references(schema, &mut found);
    found
}

fn collect_references(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix(V2_PREFIX)) {
                found.insert(name.to_string());
            }
            fields.values().for_each(|field| collect_references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        _ => {}
    }
}

/// Rewrites a definition from OpenAPI 2 to 3.
fn modernize(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    // Custom kinds say it with an extension of their own.
    let is_custom = fields.contains_key("x-kubernetes-int-or-string");
    if !is_custom && fields.get("format").is_some_and(|format| format == "int-or-string") {
        fields.remove("type");
        fields.insert("oneOf".into(), json!([{ "type": "integer" }, { "type": "string" }]));
    }
    // OpenAPI 3 ignores whatever stands beside a reference, so it goes into an allOf of its own.
    if let Some(Value::String(target)) = fields.remove("$ref") {
        let target = target.replacen(V2_PREFIX, V3_PREFIX, 1);
        fields.insert("allOf".into(), json!([{ "$ref": target }]));
    }
    for nested in ["items", "additionalProperties"] {
        if let Some(nested) = fields.get_mut(nested) {
            modernize(nested);
        }
    }
    if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(modernize);
    }
}

fn parameter(parameter: &Parameter) -> Value {
    let mut rendered = json!({
        "name": parameter.name,
        "in": parameter.location,
        "description": parameter.description,
        "schema": { "type": parameter.ty.name(), "uniqueItems": true },
    });
    if parameter.is_required() {
        rendered["required"] = json!(true);
    }
    rendered
}

fn render(operation: &Operation) -> Value {
    let reference = |definition: &str| json!({ "$ref": format!("{V3_PREFIX}{definition}") });
    let schema = operation.answer.as_deref().map_or_else(|| json!({ "type": "string" }), reference);
    let content = |types: &[&str], schema: &Value| -> Value {
        types.iter().map(|media_type| ((*media_type).to_string(), json!({ "schema": schema }))).collect()
    };
    let mut responses = Map::new();
    for (code, meaning) in operation.successes() {
        let answer = json!({ "description": meaning, "content": content(operation.produces(), &schema) });
        responses.insert((*code).into(), answer);
    }
    responses.insert("401".into(), json!({ "description": "Unauthorized" }));
    let mut rendered = json!({
        "description": operation.description,
        "operationId": operation.id,
        "tags": [operation.tag],
        "parameters": operation.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "responses": responses,
        "x-kubernetes-action": operation.action,
        GVK: operation.gvk,
    });
    if let Some(body) = &operation.body {
        rendered["requestBody"] = json!({ "content": content(operation.consumes(), &reference(body)) });
        if operation.method != "delete" {
            rendered["requestBody"]["required"] = json!(true);
        }
    }
    rendered
}
