//! From JSON schemas to [`Schemas`].

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::definitions::{definitions, kinds_of, short_name};
use super::lists::list_rule;
use super::plain::is_plain;
use super::{Field, Object, ObjectId, Scalar, Schemas, Type, go};

/// Definitions that are not structs although they are definitions.
const SPECIAL: &[(&str, Type)] = &[
    ("io.k8s.apimachinery.pkg.api.resource.Quantity", Type::Scalar(Scalar::Quantity)),
    ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", Type::Scalar(Scalar::IntOrString)),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.Time", Type::Scalar(Scalar::Time)),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", Type::Scalar(Scalar::MicroTime)),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", Type::Any),
    ("io.k8s.apimachinery.pkg.runtime.RawExtension", Type::Any),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON", Type::Any),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray", Type::Any),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool", Type::Any),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray", Type::Any),
];

pub(super) fn build() -> Schemas {
    let definitions = definitions();
    let structs = definitions.iter().filter(|(name, _)| special(name).is_none());
    let ids: HashMap<&str, ObjectId> =
        structs.clone().zip(0..).map(|((name, _), index)| (name.as_str(), ObjectId(index))).collect();
    let objects = structs.map(|(name, schema)| object(name, schema, &ids)).collect();
    let roots = kinds_of()
        .filter_map(|(version, kind, name)| Some(((version.into(), kind.into()), *ids.get(name.as_str())?)))
        .collect();
    Schemas { objects, roots }
}

fn special(name: &str) -> Option<Type> {
    SPECIAL.iter().find(|(special, _)| *special == name).map(|(_, ty)| ty.clone())
}

fn object(name: &str, schema: &Value, ids: &HashMap<&str, ObjectId>) -> Object {
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let short = short_name(name);
    let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let fields = properties.iter().map(|(field, schema)| Field {
        name: field.as_str().into(),
        ty: type_of(schema, ids),
        rule: list_rule(short, field),
        is_always: required.iter().any(|name| name == field) && !is_scalar(schema) || is_plain(short, field),
        go_type: go::named_type(short, field),
    });
    let mut fields: Vec<Field> = fields.collect();
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    Object { definition: name.into(), fields: fields.into() }
}

fn is_scalar(schema: &Value) -> bool {
    let ty = schema.get("type").and_then(Value::as_str);
    ty.is_some_and(|ty| !matches!(ty, "array" | "object"))
}

fn type_of(schema: &Value, ids: &HashMap<&str, ObjectId>) -> Type {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        return special(name).or_else(|| ids.get(name).copied().map(Type::Object)).unwrap_or(Type::Any);
    }
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    match schema.get("type").and_then(Value::as_str).unwrap_or_default() {
        "array" => Type::List(Box::new(schema.get("items").map_or(Type::Any, |items| type_of(items, ids)))),
        "object" => match schema.get("additionalProperties") {
            Some(element) if element.is_object() => Type::Map(Box::new(type_of(element, ids))),
            _ => Type::Any,
        },
        "string" if format == "byte" => Type::Scalar(Scalar::Bytes),
        "string" => Type::Scalar(Scalar::String),
        "boolean" => Type::Scalar(Scalar::Bool),
        "integer" if format == "int32" => Type::Scalar(Scalar::Int32),
        "integer" => Type::Scalar(Scalar::Int64),
        "number" => Type::Scalar(Scalar::Double),
        _ => Type::Any,
    }
}
