//! Custom kinds in OpenAPI documents (`apiextensions-apiserver/pkg/controller/openapi`): the schema as written for version 3, and what
//! is left of it in version 2, which can't say everything and whose readers trip over some of what it can say.

use serde_json::{Map, Value, json};

use super::MAX_DEPTH;
use super::kind::CustomKind;
use crate::catalog::Resource;

/// Where definitions are in an OpenAPI 2 document.
const V2_PREFIX: &str = "#/definitions/";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

/// What documents say about `metadata`, `apiVersion` and `kind` of every object.
const ABOUT_METADATA: &str = "Standard object's metadata. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
const ABOUT_LIST_METADATA: &str = "Standard list metadata. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
const ABOUT_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should convert \
    recognized schemas to the latest internal value, and may reject unrecognized values. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const ABOUT_KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer this from \
    the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
/// The same for resources inside of resources.
const ABOUT_EMBEDDED_VERSION: &str = "apiVersion defines the versioned schema of this representation of an object. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const ABOUT_EMBEDDED_KIND: &str = "kind is a string value representing the type of this object. In CamelCase. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const EMBEDDED: &str = "x-kubernetes-embedded-resource";
const INT_OR_STRING: &str = "x-kubernetes-int-or-string";
const GVK: &str = "x-kubernetes-group-version-kind";

/// What is published of a schema as it is, apart from the schemas in it.
const KEPT: [&str; 26] = [
    "type",
    "format",
    "title",
    "description",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "multipleOf",
    "maxProperties",
    "minProperties",
    "required",
    "enum",
    PRESERVE,
    EMBEDDED,
    INT_OR_STRING,
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
];
const JUNCTORS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// The version of OpenAPI that a definition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Swagger, for clients that validate by it.
    V2,
    /// Everything.
    V3,
}

/// The name of the definition of a custom kind: the group backwards, as names of Java packages.
pub(crate) fn definition_name(resource: &Resource) -> String {
    qualified(resource, &resource.kind)
}

/// The name of the definition of its lists.
pub(crate) fn list_definition_name(resource: &Resource) -> String {
    qualified(resource, &resource.list_kind())
}

fn qualified(resource: &Resource, kind: &str) -> String {
    let group: Vec<&str> = resource.group.split('.').rev().collect();
    format!("{}.{}.{kind}", group.join("."), resource.version)
}

/// Adds the definitions of a custom kind and of its lists. References have the form of OpenAPI 2.
pub(crate) fn add_definitions(resource: &Resource, custom: &CustomKind, form: Form, all: &mut Map<String, Value>) {
    let gvk = |kind: &str| json!([{ "group": resource.group, "version": resource.version, "kind": kind }]);
    let mut schema = if form == Form::V2 && custom.schema.preserve {
        // Not even `metadata` may be named: a client that validates would refuse what is not named beside it.
        Map::from_iter([("type".to_string(), json!("object"))])
    } else {
        let mut schema = node(&custom.document, form, 0);
        name_fields(&mut schema, ABOUT_VERSION, ABOUT_KIND);
        schema
    };
    schema.insert(GVK.into(), gvk(&resource.kind));
    all.insert(definition_name(resource), Value::Object(schema));
    let mut list = list(resource);
    list[GVK] = gvk(&resource.list_kind());
    all.insert(list_definition_name(resource), list);
}

fn list(resource: &Resource) -> Value {
    let items = format!(
        "List of {}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md",
        resource.plural
    );
    json!({
        "description": format!("{} is a list of {}", resource.list_kind(), resource.kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": { "type": "string", "description": ABOUT_VERSION },
            "kind": { "type": "string", "description": ABOUT_KIND },
            "items": {
                "type": "array",
                "items": { "$ref": format!("{V2_PREFIX}{}", definition_name(resource)) },
                "description": items,
            },
            "metadata": { "$ref": format!("{V2_PREFIX}{LIST_META}"), "description": ABOUT_LIST_METADATA },
        },
    })
}

/// Names what every resource has.
fn name_fields(schema: &mut Map<String, Value>, version: &str, kind: &str) {
    let Some(properties) = schema.entry("properties").or_insert_with(|| json!({})).as_object_mut() else { return };
    properties.insert("apiVersion".into(), json!({ "type": "string", "description": version }));
    properties.insert("kind".into(), json!({ "type": "string", "description": kind }));
    let metadata = json!({ "$ref": format!("{V2_PREFIX}{OBJECT_META}"), "description": ABOUT_METADATA });
    properties.insert("metadata".into(), metadata);
}

/// A part of a schema and everything below it.
fn node(schema: &Value, form: Form, depth: usize) -> Map<String, Value> {
    let mut out = Map::new();
    let Some(fields) = schema.as_object().filter(|_| depth < MAX_DEPTH) else { return out };
    for name in KEPT {
        if let Some(value) = fields.get(name).filter(|value| is_said(value)) {
            out.insert(name.into(), value.clone());
        }
    }
    if let Some(default) = fields.get("default").filter(|default| !default.is_null()) {
        out.insert("default".into(), default.clone());
    }
    let hidden = form == Form::V2 && (flag(schema, "nullable") || flag(schema, PRESERVE));
    for name in ["items", "properties", "additionalProperties"] {
        let below = fields.get(name).filter(|_| !hidden || name == "additionalProperties");
        if let Some(below) = below.and_then(|below| nested(name, below, form, depth)) {
            out.insert(name.into(), below);
        }
    }
    match form {
        Form::V2 => simplify(schema, &mut out),
        Form::V3 => complete(schema, &mut out, depth),
    }
    if flag(schema, EMBEDDED) && !(form == Form::V2 && flag(schema, PRESERVE)) {
        embed(&mut out);
    }
    out
}

/// Whether a keyword says something: what Go writes for absent ones is not published.
fn is_said(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

fn flag(schema: &Value, name: &str) -> bool {
    schema.get(name) == Some(&json!(true))
}

fn nested(name: &str, below: &Value, form: Form, depth: usize) -> Option<Value> {
    match (name, below) {
        ("properties", Value::Object(properties)) => {
            let all = properties.iter().map(|(name, property)| (name.clone(), json!(node(property, form, depth + 1))));
            Some(Value::Object(all.collect()))
        }
        ("additionalProperties", Value::Bool(_)) => Some(below.clone()),
        ("items" | "additionalProperties", Value::Object(_)) => Some(json!(node(below, form, depth + 1))),
        _ => None,
    }
}

/// What only OpenAPI 3 can say.
fn complete(schema: &Value, out: &mut Map<String, Value>, depth: usize) {
    if flag(schema, "nullable") {
        out.insert("nullable".into(), json!(true));
    }
    for name in JUNCTORS {
        let parts = schema[name].as_array().into_iter().flatten();
        let parts: Vec<Value> = parts.map(|part| json!(node(part, Form::V3, depth + 1))).collect();
        if !parts.is_empty() {
            out.insert(name.into(), json!(parts));
        }
    }
    if schema["not"].is_object() {
        out.insert("not".into(), json!(node(&schema["not"], Form::V3, depth + 1)));
    }
    if flag(schema, INT_OR_STRING) {
        unfold(out);
    }
}

/// Says "integer or string" in words that readers know who don't know the extension.
fn unfold(out: &mut Map<String, Value>) {
    let either = json!([{ "type": "integer" }, { "type": "string" }]);
    let first = out.get("allOf").and_then(|all| all.get(0)).and_then(|first| first.get("anyOf"));
    if out.get("anyOf") == Some(&either) || first == Some(&either) {
        return;
    }
    if !out.contains_key("anyOf") {
        out.insert("anyOf".into(), either);
        return;
    }
    if let Some(all) = out.entry("allOf").or_insert_with(|| json!([])).as_array_mut() {
        all.insert(0, json!({ "anyOf": either }));
    }
}

/// Leaves out what readers of OpenAPI 2 would take for more than it says (`ToStructuralOpenAPIV2`).
fn simplify(schema: &Value, out: &mut Map<String, Value>) {
    let ty = schema["type"].as_str().unwrap_or_default();
    // Of no type are values that may be null, objects that may hold anything, and lists of whatever.
    let untyped = flag(schema, "nullable")
        || flag(schema, INT_OR_STRING)
        || (ty == "object" && flag(schema, PRESERVE))
        || (ty == "array" && !out.contains_key("items"));
    if untyped {
        out.remove("type");
    }
    let nullable = |below: &Value| flag(below, "nullable");
    if nullable(&schema["additionalProperties"]) {
        out.remove("required");
    }
    if out.contains_key("properties")
        && let Some(required) = out.get_mut("required").and_then(Value::as_array_mut)
    {
        // A client would take null for absent.
        required.retain(|name| !name.as_str().is_some_and(|name| nullable(&schema["properties"][name])));
        if required.is_empty() {
            out.remove("required");
        }
    }
}

/// A resource inside of a resource has what every resource has.
fn embed(out: &mut Map<String, Value>) {
    name_fields(out, ABOUT_EMBEDDED_VERSION, ABOUT_EMBEDDED_KIND);
    if let Some(required) = out.entry("required").or_insert_with(|| json!([])).as_array_mut() {
        for name in ["kind", "apiVersion"] {
            if !required.iter().any(|known| known == name) {
                required.push(json!(name));
            }
        }
    }
}
