//! Validation of keys and values, which ConfigMaps and secrets share.

use serde_json::Value;

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::boolean;
use crate::names;

/// Most bytes that all values together may have.
pub(super) const LIMIT_BYTES: usize = 1 << 20;
const IMMUTABLE: &str = "field is immutable when `immutable` is set";

/// The entries of a map of strings.
pub(super) fn entries<'a>(object: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a str)> {
    let map = object.get(key).and_then(Value::as_object);
    map.into_iter().flatten().map(|(k, v)| (k, v.as_str().unwrap_or_default()))
}

/// How many bytes a base64 text stands for.
pub(super) fn decoded_bytes(text: &str) -> usize {
    let padding = text.bytes().rev().take_while(|b| *b == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

/// All errors in a ConfigMap.
pub(super) fn validate_config_map(map: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (data, binary) = (Path::root("data"), Path::root("binaryData"));
    let mut total_bytes = 0;
    for (key, value) in entries(map, "data") {
        errors.named(&data.key(key), key, names::config_map_key);
        if map.get("binaryData").is_some_and(|b| b.get(key).is_some()) {
            errors.invalid(&data.key(key), key, "duplicate of key present in binaryData");
        }
        total_bytes += value.len();
    }
    for (key, value) in entries(map, "binaryData") {
        errors.named(&binary.key(key), key, names::config_map_key);
        total_bytes += decoded_bytes(value);
    }
    if total_bytes > LIMIT_BYTES {
        errors.0.push(FieldError::too_long(&Path::empty().key(""), LIMIT_BYTES));
    }
    errors.0
}

/// An object that was made immutable keeps these fields, and stays immutable.
pub(super) fn validate_immutable(new: &Value, old: &Value, fields: &[&str]) -> Vec<FieldError> {
    let mut errors = Errors::default();
    if !boolean(old, "immutable") {
        return errors.0;
    }
    if !boolean(new, "immutable") {
        errors.forbidden(&Path::root("immutable"), IMMUTABLE);
    }
    let none = Value::Null;
    let part = |object: &Value, field: &str| object.get(field).filter(|v| **v != serde_json::json!({})).cloned();
    for field in fields {
        if part(new, field).as_ref().unwrap_or(&none) != part(old, field).as_ref().unwrap_or(&none) {
            errors.forbidden(&Path::root(field), IMMUTABLE);
        }
    }
    errors.0
}
