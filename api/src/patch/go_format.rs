//! Values as Go's `%v` prints them, for error texts that quote a patch: `map[spec:map[replicas:3]]`.

use serde_json::Value;

/// Bytes printed at most; a patch may be megabytes long, an error must not be.
const MAX_BYTES: usize = 4096;

/// `%v` of the value, cut after [`MAX_BYTES`].
pub(super) fn format(value: &Value) -> String {
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
