//! Bytes to [`Value`], with a depth limit and a list of fields that came twice.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::json_error::{describe, summarize};
use crate::error::ApiError;

/// Levels of nesting in a document. Go allows 10,000; whoever reads our objects with serde_json stops at 128, and
/// a list or a watch event puts a few levels around an object.
pub const MAX_DEPTH: usize = 100;
/// Duplicates remembered, for the reason of [`super::MAX_STRICT_ERRORS`].
const MAX_DUPLICATES: usize = 100;

/// A document and the paths of the fields that it gives more than once (the last one counts).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// The document.
    pub value: Value,
    /// `spec.replicas`, `spec.containers[0].image`
    pub duplicates: Vec<String>,
}

impl From<Value> for Parsed {
    fn from(value: Value) -> Self {
        Self { value, duplicates: Vec::new() }
    }
}

/// Why bytes are not a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON; the text is Go's.
    #[error("{message}")]
    Json {
        /// What is wrong, as encoding/json words it.
        message: String,
        /// The beginning of the body.
        summary: String,
    },
    /// Not YAML.
    #[error("error converting YAML to JSON: yaml: {message}")]
    Yaml {
        /// What is wrong.
        message: String,
        /// The beginning of the body.
        summary: String,
    },
}

impl ParseError {
    /// 400 for the body of a request that should have been of this kind.
    pub fn into_api_error(self, kind: &str) -> ApiError {
        let (why, summary) = match &self {
            Self::Json { summary, .. } => (format!("couldn't get version/kind; json parse error: {self}"), summary),
            Self::Yaml { summary, .. } => (self.to_string(), summary),
        };
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {why} ({summary})"
        ))
    }
}

/// Parses JSON.
///
/// # Errors
/// When the bytes are not one JSON document, or nested deeper than [`MAX_DEPTH`].
pub fn parse_json(body: &[u8]) -> Result<Parsed, ParseError> {
    let found = Found::default();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = found.seed().deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    match value {
        Ok(value) => Ok(Parsed { value, duplicates: found.duplicates.into_inner() }),
        Err(error) => Err(ParseError::Json { message: describe(body, &error), summary: summarize(body) }),
    }
}

/// Parses one YAML document the way `sigs.k8s.io/yaml` does: scalar keys become strings.
///
/// # Errors
/// When the bytes are not one YAML document, or nested deeper than [`MAX_DEPTH`].
pub fn parse_yaml(body: &[u8]) -> Result<Parsed, ParseError> {
    let found = Found::default();
    match found.seed().deserialize(serde_yaml::Deserializer::from_slice(body)) {
        Ok(value) => Ok(Parsed { value, duplicates: found.duplicates.into_inner() }),
        Err(error) => Err(ParseError::Yaml { message: error.to_string(), summary: summarize(body) }),
    }
}

/// How deep a value is nested; scalars are 0.
pub fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

/// What the visitors share: where they are, and what came twice.
#[derive(Default)]
struct Found {
    path: RefCell<String>,
    duplicates: RefCell<Vec<String>>,
}

impl Found {
    fn seed(&self) -> Seed<'_> {
        Seed { found: self, depth: 0 }
    }

    /// Runs `step` with the path extended, and takes the extension back.
    fn below<T>(&self, extend: impl FnOnce(&mut String), step: impl FnOnce() -> T) -> T {
        let length = self.path.borrow().len();
        extend(&mut self.path.borrow_mut());
        let result = step();
        self.path.borrow_mut().truncate(length);
        result
    }

    fn duplicate(&self) {
        let mut duplicates = self.duplicates.borrow_mut();
        let path = self.path.borrow();
        if duplicates.len() < MAX_DUPLICATES && !duplicates.iter().any(|known| known == path.as_str()) {
            duplicates.push(path.clone());
        }
    }
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    found: &'a Found,
    depth: usize,
}

impl Seed<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom("exceeded max depth"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = serde_json::Number::from_f64(value);
        number.map(Value::Number).ok_or_else(|| E::custom(format!("json: unsupported value: {value}")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        loop {
            let index = items.len();
            let extend = |path: &mut String| path.push_str(&format!("[{index}]"));
            match self.found.below(extend, || access.next_element_seed(inner))? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut fields = Map::new();
        while let Some(key) = access.next_key_seed(Key)? {
            let extend = |path: &mut String| {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key);
            };
            let value = self.found.below(extend, || {
                if fields.contains_key(&key) {
                    self.found.duplicate();
                }
                access.next_value_seed(inner)
            })?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

/// An object key; YAML has keys that are not strings.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar key")
    }

    fn visit_str<E>(self, key: &str) -> Result<String, E> {
        Ok(key.to_owned())
    }

    fn visit_string<E>(self, key: String) -> Result<String, E> {
        Ok(key)
    }

    fn visit_bool<E>(self, key: bool) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_i64<E>(self, key: i64) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_u64<E>(self, key: u64) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_f64<E>(self, key: f64) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<String, E> {
        Err(E::custom("a mapping key can't be null"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json_error(body: &str) -> String {
        parse_json(body.as_bytes()).expect_err("malformed").to_string()
    }

    #[test]
    fn the_last_of_duplicate_fields_counts_and_all_are_told() {
        let parsed = parse_json(br#"{"a":1,"b":[{"c":1,"c":2}],"a":3,"a":4}"#).unwrap();
        assert_eq!(parsed.value, json!({"a": 4, "b": [{"c": 2}]}));
        assert_eq!(parsed.duplicates, ["b[0].c", "a"]);
    }

    #[test]
    fn malformed_json_is_described_as_go_does() {
        assert_eq!(json_error(""), "unexpected end of JSON input");
        assert_eq!(json_error(r#"{"a":"#), "unexpected end of JSON input");
        assert_eq!(json_error("nope"), "invalid character 'o' looking for beginning of value");
        assert_eq!(json_error("{a:1}"), "invalid character 'a' looking for beginning of object key string");
        assert_eq!(json_error(r#"{"a" 1}"#), "invalid character '1' after object key");
        assert_eq!(json_error(r#"{"a":1 "b":2}"#), "invalid character '\"' after object key:value pair");
        assert_eq!(json_error("[1 2]"), "invalid character '2' after array element");
        assert_eq!(json_error("{} {}"), "invalid character '{' after top-level value");
    }

    #[test]
    fn depth_is_bounded_for_both_formats() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse_json(nested(MAX_DEPTH).as_bytes()).is_ok());
        for levels in [MAX_DEPTH + 1, 1_000_000] {
            assert!(parse_json(nested(levels).as_bytes()).is_err());
        }
        assert!(parse_yaml(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(parse_yaml(nested(20_000).as_bytes()).is_err());
    }

    #[test]
    fn yaml_becomes_json() {
        let parsed = parse_yaml(b"a: 1\n80: x\ntrue: [~, 1.5]\n").unwrap();
        assert_eq!(parsed.value, json!({"a": 1, "80": "x", "true": [null, 1.5]}));
        assert!(parse_yaml(b"a: [").is_err());
        assert!(parse_yaml(b"a: 1\n---\nb: 2\n").is_err());
    }

    #[test]
    fn the_request_error_quotes_the_body() {
        let error = parse_json(b"xyz").expect_err("malformed").into_api_error("Pod");
        assert_eq!(
            error.message,
            "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: \
             invalid character 'x' looking for beginning of value (78797a)"
        );
    }
}
