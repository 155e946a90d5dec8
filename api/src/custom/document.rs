//! Custom kinds in OpenAPI documents (`apiextensions-apiserver/pkg/controller/openapi/builder`).

use serde_json::{Map, Value, json};

use super::kind::CustomKind;
use crate::catalog::Resource;

/// Where definitions are in an OpenAPI 2 document.
const V2_PREFIX: &str = "#/definitions/";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// What a schema may say in OpenAPI 3 but not in 2, where a validating client would choke on it.
const BEYOND_V2: [&str; 4] = ["oneOf", "anyOf", "not", "nullable"];

/// The name of the definition of a custom kind: the group backwards, as names of Java packages.
pub(crate) fn definition_name(resource: &Resource) -> String {
    let group: Vec<&str> = resource.group.split('.').rev().collect();
    format!("{}.{}.{}", group.join("."), resource.version, resource.kind)
}

/// Adds the definition of a custom kind, in OpenAPI 2 form.
pub(crate) fn add_definitions(resource: &Resource, custom: &CustomKind, all: &mut Map<String, Value>) {
    let mut schema = custom.document.clone();
    // A client that validates would drop or refuse what it does not find in a document that only says half.
    if custom.schema.preserve {
        schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    }
    simplify(&mut schema, 0);
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    let about = "APIVersion defines the versioned schema of this representation of an object.";
    let kind = "Kind is a string value representing the REST resource this object represents.";
    schema["properties"]["apiVersion"] = json!({ "type": "string", "description": about });
    schema["properties"]["kind"] = json!({ "type": "string", "description": kind });
    schema["properties"]["metadata"] = json!({
        "$ref": format!("{V2_PREFIX}{OBJECT_META}"),
        "description": "Standard object's metadata. More info: \
            https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
    });
    schema["x-kubernetes-group-version-kind"] =
        json!([{ "group": resource.group, "version": resource.version, "kind": resource.kind }]);
    all.insert(definition_name(resource), schema);
}

/// Leaves out what OpenAPI 2 can't say (`ToStructuralOpenAPIV2`).
fn simplify(schema: &mut Value, depth: usize) {
    let Some(fields) = schema.as_object_mut().filter(|_| depth < super::MAX_DEPTH) else { return };
    let is_nullable = fields.get("nullable") == Some(&json!(true));
    for name in BEYOND_V2 {
        fields.remove(name);
    }
    if is_nullable {
        // Without `nullable` no type may be named: null would be refused.
        for name in ["type", "items", "properties", "additionalProperties"] {
            fields.remove(name);
        }
    }
    if fields.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true)) {
        // Kept fields are of no type that could be told.
        for name in ["items", "properties"] {
            fields.remove(name);
        }
    }
    if fields.get("x-kubernetes-int-or-string") == Some(&json!(true)) {
        fields.remove("type");
    }
    for name in ["items", "additionalProperties"] {
        if let Some(below) = fields.get_mut(name) {
            simplify(below, depth + 1);
        }
    }
    if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(|property| simplify(property, depth + 1));
    }
    if let Some(all_of) = fields.get_mut("allOf").and_then(Value::as_array_mut) {
        all_of.iter_mut().for_each(|part| simplify(part, depth + 1));
    }
}
