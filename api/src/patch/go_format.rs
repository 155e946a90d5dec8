//! Values and their types as Go's `%v` and `%T` print them, for error texts that quote a patch: `map[spec:map[replicas:3]]`.

use serde_json::Value;

/// Bytes printed at most; a patch may be megabytes long, an error must not be.
const MAX_BYTES: usize = 4096;

/// `%T` of the value, as decoded from JSON.
pub(crate) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// `%v` of the value, cut after [`MAX_BYTES`].
pub(crate) fn format(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    if out.len() > MAX_BYTES {
        let cut = (0..=MAX_BYTES).rev().find(|&at| out.is_char_boundary(at)).unwrap_or(0);
        out.truncate(cut);
        out.push_str("...");
    }
    out
}

fn write(value: &Value, out: &mut String) {
    if out.len() > MAX_BYTES {
        return;
    }
    match value {
        Value::Null => out.push_str("<nil>"),
        Value::String(text) => out.push_str(text),
        Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push_str("map[");
            for (index, (name, field)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(name);
                out.push(':');
                write(field, out);
            }
            out.push(']');
        }
    }
}
