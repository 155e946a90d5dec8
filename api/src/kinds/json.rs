//! Reading and filling fields of objects held as JSON, for the modules of this folder.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::field::{FieldError, Path};
use crate::meta;

/// The string at a dotted path, empty when absent.
pub(super) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    meta::at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at a dotted path, 0 when absent.
pub(super) fn integer(value: &Value, path: &str) -> i64 {
    meta::at(value, path).and_then(Value::as_i64).unwrap_or_default()
}

/// The boolean at a dotted path, false when absent.
pub(super) fn boolean(value: &Value, path: &str) -> bool {
    meta::at(value, path).and_then(Value::as_bool).unwrap_or_default()
}

/// The list at a dotted path, empty when absent.
pub(super) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    meta::at(value, path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The strings in the list at a dotted path.
pub(super) fn texts<'a>(value: &'a Value, path: &str) -> Vec<&'a str> {
    list(value, path).iter().filter_map(Value::as_str).collect()
}

/// The entries of the map at a dotted path.
pub(super) fn entries<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    meta::at(value, path).and_then(Value::as_object).into_iter().flatten()
}

/// A copy of what is at a dotted path, null when absent.
pub(super) fn part(value: &Value, path: &str) -> Value {
    meta::at(value, path).cloned().unwrap_or_default()
}

/// Whether a field is there and not null.
pub(super) fn has(value: &Value, path: &str) -> bool {
    meta::at(value, path).is_some_and(|v| !v.is_null())
}

/// The object under `key`, made when absent. `None` when something else is there, which validation reports.
pub(super) fn object<'a>(parent: &'a mut Value, key: &str) -> Option<&'a mut Map<String, Value>> {
    set_default(parent.as_object_mut()?, key, Map::new());
    parent.get_mut(key)?.as_object_mut()
}

/// The objects at a path of keys, each made when absent: what a Go struct that is not a pointer does by itself.
pub(super) fn sections(value: &mut Value, keys: &[&str]) {
    if let [first, rest @ ..] = keys
        && object(value, first).is_some()
    {
        sections(&mut value[*first], rest);
    }
}

/// The objects in the list under `key`.
pub(super) fn items<'a>(parent: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    parent.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter(|v| v.is_object())
}

/// Fills a field that is absent or null.
pub(super) fn set_default(map: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    if map.get(key).is_none_or(Value::is_null) {
        map.insert(key.to_string(), value.into());
    }
}

/// Fills a field whose zero value means "default": absent, null, empty or 0.
pub(super) fn set_if_zero(map: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    let zero = match map.get(key) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Number(number)) => number.as_i64() == Some(0),
        Some(_) => false,
    };
    if zero {
        map.insert(key.to_string(), value.into());
    }
}

/// Puts `from[key]` in the place of `into[key]`, or removes it.
pub(super) fn carry_over(into: &mut Value, from: &Value, key: &str) {
    let Some(map) = into.as_object_mut() else { return };
    match from.get(key) {
        Some(value) => map.insert(key.to_string(), value.clone()),
        None => map.remove(key),
    };
}

/// The part of an object under `key` as a typed struct; absent counts as empty.
pub(super) fn decode<T: DeserializeOwned + Default>(object: &Value, key: &str) -> Result<T, FieldError> {
    match object.get(key).filter(|v| !v.is_null()) {
        None => Ok(T::default()),
        Some(part) => {
            T::deserialize(part).map_err(|e| FieldError::type_invalid(&Path::root(key), part, &e.to_string()))
        }
    }
}

/// A value as JSON, for error texts. Serializing API types to JSON cannot fail; null stands in if it did.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
