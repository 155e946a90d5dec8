//! The words of apimachinery's converter from unstructured content, which decodes what a strategic merge patch made.

use serde_json::Value;

use crate::schema::{Scalar, Type};

/// A value of the wrong type. `wanted` is the Go type of the field.
pub(super) fn mismatch(value: &Value, ty: &Type, wanted: &str) -> String {
    let found = go_kind(value);
    match ty {
        Type::Object(_) => format!("cannot restore struct from: {found}"),
        Type::Map(_) => format!("cannot restore map from {found}"),
        Type::List(_) | Type::Scalar(Scalar::Bytes) => format!("cannot restore slice from {found}"),
        // Go converts integers to strings and numbers to each other, so these get further before they fail.
        Type::Scalar(Scalar::String) if found == "int64" => format!("cannot convert int64 to {wanted}"),
        Type::Scalar(Scalar::Int32 | Scalar::Int64) if value.is_number() => {
            format!("cannot convert {found} to {wanted}")
        }
        Type::Scalar(scalar) => format!("unrecognized type: {}", kind_of(*scalar)),
        Type::Any => format!("unrecognized type: {wanted}"),
    }
}

/// What reflection calls the kind of a decoded value.
fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    }
}

/// The kind below a named type: `v1.Protocol` is a string.
fn kind_of(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "bool",
        Scalar::Int32 => "int32",
        Scalar::Int64 => "int64",
        Scalar::Double => "float64",
        Scalar::Bytes => "slice",
        Scalar::String => "string",
        Scalar::IntOrString | Scalar::Quantity | Scalar::Time | Scalar::MicroTime => "struct",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn mismatches_read_as_upstream() {
        let scalar = Type::Scalar;
        for (value, ty, wanted, text) in [
            (json!("two"), scalar(Scalar::Int32), "int32", "unrecognized type: int32"),
            (json!(true), scalar(Scalar::String), "string", "unrecognized type: string"),
            (json!(5), scalar(Scalar::String), "v1.Protocol", "cannot convert int64 to v1.Protocol"),
            (json!(1.5), scalar(Scalar::String), "string", "unrecognized type: string"),
            (json!(1.5), scalar(Scalar::Int32), "int32", "cannot convert float64 to int32"),
            (json!("x"), Type::List(Box::new(Type::Any)), "[]string", "cannot restore slice from string"),
            (json!([]), Type::Map(Box::new(Type::Any)), "map[string]string", "cannot restore map from slice"),
        ] {
            assert_eq!(mismatch(&value, &ty, wanted), text);
        }
    }
}
