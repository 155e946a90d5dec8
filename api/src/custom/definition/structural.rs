//! Whether a schema is structural: the shape of the objects is told by the spine of the schema, and `allOf`, `anyOf`, `oneOf` and
//! `not` only restrict values (`apiextensions-apiserver/pkg/apiserver/schema/validation.go`).

use serde_json::{Map, Value, json};

use super::{flag, text};
use crate::custom::schema::compile_pattern;
use crate::field::{FieldError, Path};

/// Where on the spine a schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// All errors, in the order of their texts.
pub(super) fn errors(schema: &Value, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    spine(schema, Level::Root, path, &mut errors);
    complete(schema, schema, path, &mut errors);
    errors.sort_by_key(ToString::to_string);
    errors
}

fn object(schema: &Value, name: &str) -> Option<Map<String, Value>> {
    schema.get(name).and_then(Value::as_object).cloned()
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn spine(schema: &Value, level: Level, path: &Path, errors: &mut Vec<FieldError>) {
    let ty = text(schema, "type");
    let items = schema.get("items").filter(|items| items.is_object());
    if ty == "array" && items.is_none() {
        errors.push(FieldError::required(&path.child("items"), "must be specified"));
    }
    if let Some(items) = items {
        spine(items, Level::Item, &path.child("items"), errors);
    }
    for (name, property) in properties(schema) {
        spine(property, Level::Field, &path.child("properties").key(name), errors);
    }
    if let Some(additional) = schema.get("additionalProperties").filter(|value| !value.is_null()) {
        let path = path.child("additionalProperties");
        if level == Level::Root {
            errors.push(FieldError::forbidden(&path, "must not be used at the root"));
        }
        if additional.is_object() {
            spine(additional, Level::Field, &path, errors);
        }
    }
    extensions(schema, path, errors);
    values(schema, schema, path, errors);
    types(schema, ty, level, path, errors);
    metadata(schema, level, path, errors);
}

fn extensions(schema: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    if !flag(schema, "x-kubernetes-int-or-string") {
        return;
    }
    for other in ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] {
        if flag(schema, other) {
            let detail = "must be false if x-kubernetes-int-or-string is true";
            errors.push(FieldError::invalid(&path.child(other), &json!(true), detail));
        }
    }
}

fn types(schema: &Value, ty: &str, level: Level, path: &Path, errors: &mut Vec<FieldError>) {
    let at = path.child("type");
    let is_embedded = flag(schema, "x-kubernetes-embedded-resource");
    let keeps = flag(schema, "x-kubernetes-preserve-unknown-fields");
    if is_embedded && ty != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(match ty {
            "" => FieldError::required(&at, detail),
            _ => FieldError::invalid(&at, &json!(ty), detail),
        });
    } else if ty.is_empty() && !flag(schema, "x-kubernetes-int-or-string") && !keeps {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.push(FieldError::required(&at, detail));
    }
    if is_embedded && schema.get("additionalProperties").is_some() {
        let detail = "must not be used if x-kubernetes-embedded-resource is set";
        errors.push(FieldError::forbidden(&path.child("additionalProperties"), detail));
    }
    if level == Level::Root && !ty.is_empty() && ty != "object" {
        errors.push(FieldError::invalid(&at, &json!(ty), "must be object at the root"));
    }
    if is_embedded && !keeps && properties(schema).next().is_none() {
        let detail =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.push(FieldError::required(&path.child("properties"), detail));
    }
}

/// What is known of every resource need not be said, and may hardly be restricted.
fn metadata(schema: &Value, level: Level, path: &Path, errors: &mut Vec<FieldError>) {
    let is_resource = level == Level::Root || flag(schema, "x-kubernetes-embedded-resource");
    for (name, wanted) in [("kind", "string"), ("apiVersion", "string"), ("metadata", "object")] {
        let Some(property) = schema["properties"].get(name) else { continue };
        let path = path.child("properties").key(name);
        let ty = text(property, "type");
        if is_resource && ty != wanted {
            errors.push(FieldError::invalid(&path.child("type"), &json!(ty), &format!("must be {wanted}")));
        }
        if name == "metadata" && level == Level::Root && !names_only(property) {
            let detail =
                "must not specify anything other than name and generateName, but metadata is implicitly specified";
            errors.push(FieldError::forbidden(&path, detail));
        }
    }
}

fn names_only(metadata: &Value) -> bool {
    let fields = metadata.as_object().into_iter().flatten();
    fields.into_iter().all(|(name, value)| match name.as_str() {
        "type" | "default" | "description" => true,
        "properties" => {
            value.as_object().is_some_and(|map| map.keys().all(|key| key == "name" || key == "generateName"))
        }
        _ => value.is_null() || *value == json!(false),
    })
}

/// `anyOf: [{type: integer}, {type: string}]`, which tools write beside `x-kubernetes-int-or-string`.
fn is_int_or_string(any_of: &Value) -> bool {
    *any_of == json!([{ "type": "integer" }, { "type": "string" }])
}

/// The value validations of a schema on the spine or below a junctor. `spine`: the schema that the exceptions for integers or
/// strings are looked up in.
fn values(schema: &Value, spine: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    let skip_any = is_int_or_string(&spine["anyOf"]) && std::ptr::eq(schema, spine);
    let skip_first = std::ptr::eq(schema, spine) && is_int_or_string(&spine["allOf"][0]["anyOf"]);
    for junctor in ["anyOf", "allOf", "oneOf"] {
        if junctor == "anyOf" && skip_any {
            continue;
        }
        for (index, part) in schema[junctor].as_array().into_iter().flatten().enumerate() {
            let mut part = part.clone();
            if junctor == "allOf" && index == 0 && skip_first {
                part.as_object_mut().map(|part| part.remove("anyOf"));
            }
            nested(&part, &path.child(junctor).index(index), errors);
        }
    }
    if let Some(not) = schema.get("not").filter(|not| not.is_object()) {
        nested(not, &path.child("not"), errors);
    }
    let pattern = text(schema, "pattern");
    if !pattern.is_empty()
        && let Err(error) = compile_pattern(pattern)
    {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(FieldError::invalid(&path.child("pattern"), &json!(pattern), &detail));
    }
}

/// What a schema below a junctor must not say, and how the refusal is worded.
const FORBIDDEN: [(&str, &str); 14] = [
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("externalDocs", "must be undefined to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
];

fn nested(schema: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    values(schema, &Value::Null, path, errors);
    if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
        nested(items, &path.child("items"), errors);
    }
    for (name, property) in properties(schema) {
        nested(property, &path.child("properties").key(name), errors);
    }
    for (name, detail) in FORBIDDEN {
        let is_said = match schema.get(name) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(_) => true,
        };
        if is_said {
            errors.push(FieldError::forbidden(&path.child(name), detail));
        }
    }
    if schema["properties"].get("metadata").is_some() {
        let path = path.child("properties").key("metadata");
        errors.push(FieldError::forbidden(&path, "must not be specified in a nested context"));
    }
}

/// What is said of a field below a junctor must also be on the spine: `rest` is a schema with junctors, `spine` the schema on the
/// spine in the same place.
fn complete(spine: &Value, rest: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    for junctor in ["anyOf", "allOf", "oneOf"] {
        for (index, part) in rest[junctor].as_array().into_iter().flatten().enumerate() {
            covered(spine, part, path, &path.child(junctor).index(index), errors);
        }
    }
    if let Some(not) = rest.get("not").filter(|not| not.is_object()) {
        covered(spine, not, path, &path.child("not"), errors);
    }
    if !std::ptr::eq(spine, rest) {
        return;
    }
    if let Some(items) = spine.get("items").filter(|items| items.is_object()) {
        complete(items, items, &path.child("items"), errors);
    }
    for (name, property) in properties(spine) {
        complete(property, property, &path.child("properties").key(name), errors);
    }
    if object(spine, "additionalProperties").is_some() {
        let additional = &spine["additionalProperties"];
        complete(additional, additional, &path.child("additionalProperties"), errors);
    }
}

fn covered(spine: &Value, part: &Value, spine_path: &Path, part_path: &Path, errors: &mut Vec<FieldError>) {
    complete(spine, part, spine_path, errors);
    if let Some(items) = part.get("items").filter(|items| items.is_object()) {
        let at = spine_path.child("items");
        match spine.get("items").filter(|items| items.is_object()) {
            Some(below) => covered(below, items, &at, &part_path.child("items"), errors),
            None => errors.push(missing(&at, &part_path.child("items"))),
        }
    }
    for (name, property) in properties(part) {
        let (at, from) = (spine_path.child("properties").key(name), part_path.child("properties").key(name));
        let additional = spine.get("additionalProperties").filter(|schema| schema.is_object());
        match spine["properties"].get(name).or(additional) {
            Some(below) => covered(below, property, &at, &from, errors),
            None => errors.push(missing(&at, &from)),
        }
    }
}

fn missing(spine: &Path, part: &Path) -> FieldError {
    FieldError::required(spine, &format!("because it is defined in {part}"))
}
