//! Objects in which every field of a type has a value, for tests that none gets lost.

use serde_json::{Map, Value, json};

use super::{ObjectId, Scalar, Schemas, Type};

/// A value that fills everything a type has. A struct inside itself stays empty.
pub(crate) fn filled(ty: &Type) -> Value {
    fill(Schemas::builtin(), ty, &mut Vec::new())
}

fn fill(schemas: &Schemas, ty: &Type, inside: &mut Vec<ObjectId>) -> Value {
    match ty {
        Type::Object(id) if inside.contains(id) => json!({}),
        Type::Object(id) => {
            inside.push(*id);
            let fields = schemas.object(*id).fields().iter();
            let filled: Map<_, _> = fields.map(|f| (f.name.to_string(), fill(schemas, &f.ty, inside))).collect();
            inside.pop();
            filled.into()
        }
        Type::Map(element) => json!({ "key": fill(schemas, element, inside) }),
        Type::List(element) => json!([fill(schemas, element, inside)]),
        Type::Scalar(Scalar::String) => json!("text"),
        Type::Scalar(Scalar::Bool) => json!(true),
        Type::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::IntOrString) => json!(7),
        Type::Scalar(Scalar::Double) => json!(0.5),
        Type::Scalar(Scalar::Bytes) => json!("eA=="),
        Type::Scalar(Scalar::Quantity) => json!("7"),
        Type::Scalar(Scalar::Time) => json!("2026-01-01T00:00:00Z"),
        Type::Scalar(Scalar::MicroTime) => json!("2026-01-01T00:00:00.000007Z"),
        Type::Any => json!({ "anything": 1 }),
    }
}

/// Paths and values of all leaves.
pub(crate) fn leaves(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect(value, "", &mut found);
    found
}

fn collect(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(k, v)| collect(v, &format!("{path}/{k}"), found));
        }
        Value::Array(list) => list.iter().enumerate().for_each(|(i, v)| collect(v, &format!("{path}/{i}"), found)),
        leaf => found.push((path.to_string(), leaf.clone())),
    }
}
