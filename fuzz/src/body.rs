//! Bodies of requests, as JSON and as YAML.
//!
//! Promises: a document is never deeper than the limit; written out as JSON or as YAML and read again it is the same;
//! an object that was decoded decodes to itself (but for some amounts), in whichever of the three ways, and is valid UTF-8 of bounded size.

use coracle_api::decode::{FieldValidation, MAX_DEPTH, Parsed, decode, depth_of, parse_json, parse_yaml};

use serde_json::Value;

use super::documents::{of_document, of_kind};

/// JSON may be so many times as large as the YAML that it comes from: aliases are written out. The bound of the parser.
const MAX_BYTES: usize = 16 << 20;

/// Checks one input: a body.
pub fn check(data: &[u8]) {
    match parse_json(data) {
        Ok(parsed) => document(parsed),
        Err(error) => drop((error.to_string(), error.into_api_error("Pod"))),
    }
    match parse_yaml(data) {
        Ok(parsed) => document(parsed),
        Err(error) => drop((error.to_string(), error.into_api_error("Pod"))),
    }
}

/// Whether a text in it is a binary amount with a fraction.
fn has_binary_amount(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('.') && text.ends_with('i'),
        Value::Array(items) => items.iter().any(has_binary_amount),
        Value::Object(fields) => fields.values().any(has_binary_amount),
        _ => false,
    }
}

fn document(parsed: Parsed) {
    let value = &parsed.value;
    assert!(depth_of(value) <= MAX_DEPTH, "too deep");
    let json = value.to_string();
    assert!(json.len() <= MAX_BYTES, "{} bytes of JSON", json.len());
    let again = parse_json(json.as_bytes()).expect("what was written can be read");
    assert_eq!(&again.value, value, "there and back by JSON");
    assert!(again.duplicates.is_empty(), "fields come twice: {:?}", again.duplicates);
    let yaml = serde_yaml::to_string(value).expect("a document has a YAML form");
    match parse_yaml(yaml.as_bytes()) {
        Ok(again) => assert_eq!(&again.value, value, "there and back by YAML:\n{yaml}"),
        Err(error) => panic!("a document can't be read from YAML: {error}\n{yaml}"),
    }
    let resource = of_document(value).or_else(|| of_kind("v1", "Pod")).expect("a row that every cluster has");
    for validation in [FieldValidation::Strict, FieldValidation::Warn, FieldValidation::Ignore] {
        if let Ok((once, warnings)) = decode(&resource, parsed.clone(), validation) {
            assert!(validation == FieldValidation::Warn || warnings.is_empty(), "{warnings:?}");
            let again =
                |object: &Value| decode(&resource, object.clone(), FieldValidation::Strict).expect("it is decoded");
            let (twice, warnings) = again(&once);
            assert!(warnings.is_empty(), "{warnings:?}");
            // Only an amount such as 2000 (from 1.953125Ki) may become another text (2k), as in Go.
            assert!(once == twice || has_binary_amount(value), "decoding again changes something:\n{once}\n{twice}");
            assert_eq!(twice, again(&twice).0, "decoding a third time changes something");
        }
    }
}
