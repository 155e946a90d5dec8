//! Bytes to [`Value`], with a depth limit and a list of fields that came twice.

use serde::de::DeserializeSeed;
use serde_json::Value;

use super::json_error::{describe, summarize};
use super::nesting;
use super::visit::Found;
use crate::error::ApiError;

/// Levels of nesting in a document. Go allows 10,000; whoever reads our objects with serde_json stops at 128, and
/// a list or a watch event puts a few levels around an object.
pub const MAX_DEPTH: usize = 100;

/// What a YAML document may come to when its aliases are written out, in bytes of text and two for each value: a body of the
/// largest size without aliases, and some more. A few lines of aliases of aliases would otherwise fill all memory.
const MAX_EXPANDED_BYTES: usize = 6 << 20;

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
        Ok(value) => Ok(Parsed { value, duplicates: found.into_duplicates() }),
        Err(error) => Err(ParseError::Json { message: describe(body, &error), summary: summarize(body) }),
    }
}

/// Parses one YAML document the way `sigs.k8s.io/yaml` does: scalar keys become strings.
///
/// # Errors
/// When the bytes are not one YAML document, nested deeper than [`MAX_DEPTH`], or far larger once aliases are written out.
pub fn parse_yaml(body: &[u8]) -> Result<Parsed, ParseError> {
    if nesting::is_too_deep(body) {
        return Err(ParseError::Yaml { message: "exceeded max depth".into(), summary: summarize(body) });
    }
    let found = Found::within(MAX_EXPANDED_BYTES);
    match found.seed().deserialize(serde_yaml::Deserializer::from_slice(body)) {
        Ok(value) => Ok(Parsed { value, duplicates: found.into_duplicates() }),
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
    fn aliases_are_written_out_within_a_limit() {
        let repeated = |bytes: usize| format!("a: &a {}\nb: [{}]\n", "x".repeat(bytes), vec!["*a"; 90].join(", "));
        let parsed = parse_yaml(repeated(1000).as_bytes()).unwrap();
        assert_eq!(parsed.value["b"].as_array().unwrap().len(), 90);
        let error = parse_yaml(repeated(1 << 20).as_bytes()).unwrap_err().to_string();
        assert!(error.contains("document contains excessive aliasing"), "{error}");
        // Without aliases, a document is as large as its text.
        assert!(parse_yaml(format!("[{}1]", "1,".repeat(1_500_000)).as_bytes()).is_ok());
        assert!(parse_json(format!("[\"{}\"]", "x".repeat(8 << 20)).as_bytes()).is_ok());
    }

    #[test]
    fn numbers_keep_their_last_digit() {
        for text in ["-2.3664654770487094e+17", "0.30000000000000004", "1.7976931348623157e+308", "5e-324"] {
            let once = parse_json(text.as_bytes()).unwrap().value;
            assert_eq!(once.as_f64(), text.parse().ok(), "{text}");
            assert_eq!(parse_json(once.to_string().as_bytes()).unwrap().value, once);
            assert_eq!(parse_yaml(text.as_bytes()).unwrap().value, once);
        }
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
