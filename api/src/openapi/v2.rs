//! OpenAPI 2 (Swagger).

use serde_json::{Map, Value, json};

use super::definitions::{self, GVK, reference};
use super::operations::{Operation, endpoints};
use super::parameters::Parameter;
use crate::catalog::Catalog;
use crate::custom::Form;

/// The whole API as one document.
pub(super) fn document(catalog: &Catalog, server_version: &str) -> Value {
    let mut paths = Map::new();
    for endpoint in endpoints(catalog) {
        let mut item = Map::new();
        for operation in &endpoint.operations {
            item.insert(operation.method.into(), render(operation));
        }
        item.insert("parameters".into(), endpoint.parameters.iter().map(parameter).collect());
        paths.insert(endpoint.path, Value::Object(item));
    }
    json!({
        "swagger": "2.0",
        "info": { "title": "Kubernetes", "version": server_version },
        "paths": paths,
        "definitions": definitions::all(catalog, Form::V2),
    })
}

fn parameter(parameter: &Parameter) -> Value {
    let mut rendered = json!({
        "name": parameter.name,
        "in": parameter.location,
        "type": parameter.ty.name(),
        "description": parameter.description,
        "uniqueItems": true,
    });
    if parameter.is_required() {
        rendered["required"] = json!(true);
    }
    rendered
}

fn render(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = operation.parameters.iter().map(parameter).collect();
    if let Some(body) = &operation.body {
        // A delete without options has no body.
        let required = operation.method != "delete";
        parameters.push(json!({ "name": "body", "in": "body", "required": required, "schema": reference(body) }));
    }
    let schema = operation.answer.as_deref().map_or_else(|| json!({ "type": "string" }), reference);
    let mut responses = Map::new();
    for (code, meaning) in operation.successes() {
        responses.insert((*code).into(), json!({ "description": meaning, "schema": schema }));
    }
    responses.insert("401".into(), json!({ "description": "Unauthorized" }));
    json!({
        "description": operation.description,
        "operationId": operation.id,
        "tags": [operation.tag],
        "schemes": ["https"],
        "consumes": operation.consumes(),
        "produces": operation.produces(),
        "parameters": parameters,
        "responses": responses,
        "x-kubernetes-action": operation.action,
        GVK: operation.gvk,
    })
}
