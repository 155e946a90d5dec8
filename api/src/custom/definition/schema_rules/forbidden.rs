//! Constructs that a schema may not have.

use serde_json::{Value, json};

use super::Context;
use crate::custom::definition::{flag, text};
use crate::field::{FieldError, Path};

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
/// JSON Schema that OpenAPI does not have.
const UNSUPPORTED: [&str; 6] = ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"];

pub(super) fn errors(schema: &Value, path: &Path, context: &Context, errors: &mut Vec<FieldError>) {
    let ty = text(schema, "type");
    if !ty.is_empty() && !TYPES.contains(&ty) {
        errors.push(FieldError::not_supported(&path.child("type"), &json!(ty), &TYPES));
    }
    if schema.get("default").is_some()
        && let Some(why) = &context.no_defaults
    {
        errors.push(FieldError::forbidden(&path.child("default"), &format!("must not be set {why}")));
    }
    for name in UNSUPPORTED {
        if is_said(schema.get(name)) {
            errors.push(FieldError::forbidden(&path.child(name), &format!("{name} is not supported")));
        }
    }
    if ty == "null" {
        let detail = "type cannot be set to null, use nullable as an alternative";
        errors.push(FieldError::forbidden(&path.child("type"), detail));
    }
    if schema.get("items").is_some_and(Value::is_array) {
        let detail = "items must be a schema object and not an array";
        errors.push(FieldError::forbidden(&path.child("items"), detail));
    }
    if context.in_metadata && flag(schema, "x-kubernetes-embedded-resource") {
        let detail = "must not be used inside of resource meta";
        errors.push(FieldError::forbidden(&path.child("x-kubernetes-embedded-resource"), detail));
    }
    if flag(schema, "uniqueItems") {
        let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.push(FieldError::forbidden(&path.child("uniqueItems"), detail));
    }
    let has_properties = schema["properties"].as_object().is_some_and(|properties| !properties.is_empty());
    let additional = schema.get("additionalProperties").filter(|additional| !additional.is_null());
    if has_properties && additional.is_some_and(|additional| *additional != json!(true)) {
        let detail = "additionalProperties and properties are mutual exclusive";
        errors.push(FieldError::forbidden(&path.child("additionalProperties"), detail));
    }
    if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(false)) {
        let at = path.child("x-kubernetes-preserve-unknown-fields");
        errors.push(FieldError::invalid(&at, &json!(false), "must be true or undefined"));
    }
}

fn is_said(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(_) => true,
    }
}
