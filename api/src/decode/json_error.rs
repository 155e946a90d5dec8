//! Go's words for malformed JSON.

use std::fmt::Write as _;

use serde_json::Value;

/// Bytes of a body quoted in an error.
const SUMMARY_BYTES: usize = 30;

/// What encoding/json calls the type of a value.
pub(crate) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The beginning of a body for an error text: as it is when it looks like JSON, in hex otherwise.
pub(super) fn summarize(body: &[u8]) -> String {
    let head = &body[..body.len().min(SUMMARY_BYTES)];
    let more = if body.len() > SUMMARY_BYTES { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_string(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(head)),
        Some(_) => {
            let mut hex = String::with_capacity(2 * SUMMARY_BYTES);
            for byte in head {
                // Writing to a String can't fail.
                let _ = write!(hex, "{byte:02x}");
            }
            format!("{hex}{more}")
        }
    }
}

/// The error encoding/json would report for the same bytes.
pub fn describe(body: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_string();
    }
    let text = error.to_string();
    let where_ = CONTEXTS.iter().find(|(ours, _)| text.starts_with(ours));
    match (offending(body, error), where_) {
        (Some(found), Some((_, context))) => format!("invalid character {found} {context}"),
        _ => text,
    }
}

/// What serde_json says, and how Go puts the same.
const CONTEXTS: &[(&str, &str)] = &[
    ("expected value", "looking for beginning of value"),
    ("expected ident", "looking for beginning of value"),
    ("trailing comma", "looking for beginning of value"),
    ("key must be a string", "looking for beginning of object key string"),
    ("expected `:`", "after object key"),
    ("expected `,` or `}`", "after object key:value pair"),
    ("expected `,` or `]`", "after array element"),
    ("trailing characters", "after top-level value"),
    ("control character", "in string literal"),
    ("invalid escape", "in string escape code"),
    ("invalid number", "in numeric literal"),
];

/// The character at the error, quoted as Go quotes runes.
fn offending(body: &[u8], error: &serde_json::Error) -> Option<String> {
    let line = body.split(|byte| *byte == b'\n').nth(error.line().checked_sub(1)?)?;
    let byte = *line.get(error.column().checked_sub(1)?)?;
    Some(match byte {
        b'\'' => r"'\''".to_string(),
        b'"' => "'\"'".to_string(),
        0x20..=0x7e => format!("'{}'", char::from(byte)),
        b'\t' => r"'\t'".to_string(),
        b'\r' => r"'\r'".to_string(),
        _ => format!("'\\x{byte:02x}'"),
    })
}
