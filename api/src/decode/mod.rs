//! From a request body to an object of a known kind, as kube-apiserver decodes it.
//!
//! [`parse_json`] and [`parse_yaml`] read bytes under a depth limit and remember duplicate fields; [`decode`] walks
//! the schema: unknown fields are dropped and reported, types are checked, quantities, times and base64 are
//! written the way Go writes them back, `null` means absent.
//!
//! Invariant: `decode(decode(x)) == decode(x)`, but for binary amounts that have no binary suffix when they are whole: `1.953125Ki`
//! is `2000`, and that is `2k`, as in Go. Invariant: nothing here recurses deeper than [`MAX_DEPTH`].

mod converter;
mod envelope;
mod json_error;
mod nesting;
mod parse;
mod scalar;
#[cfg(test)]
mod tests;
mod time;
mod visit;
mod walk;

use serde_json::Value;

use crate::catalog::Resource;
use crate::custom::decode_custom;
use crate::error::{ApiError, ApiResult};
use crate::schema::{Schemas, Type};
use envelope::Expected;
pub use json_error::describe as json_problem;
pub(crate) use json_error::json_type;
pub use parse::{MAX_DEPTH, ParseError, Parsed, depth_of, parse_json, parse_yaml};

/// Unknown and duplicate fields reported at most, so that a hostile body can't make a huge answer. Go has the same.
pub(crate) const MAX_STRICT_ERRORS: usize = 100;

/// `fieldValidation`: what to do about unknown and duplicate fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldValidation {
    /// Drop them silently.
    Ignore,
    /// Drop them and warn; what the server does when not told.
    #[default]
    Warn,
    /// Refuse the request.
    Strict,
}

impl FieldValidation {
    /// The values of the query parameter, in the order error texts list them.
    pub const SUPPORTED: [&str; 3] = ["Ignore", "Strict", "Warn"];

    /// The query parameter; empty means the default.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" => Some(Self::default()),
            "Ignore" => Some(Self::Ignore),
            "Warn" => Some(Self::Warn),
            "Strict" => Some(Self::Strict),
            _ => None,
        }
    }
}

/// Why a document is not an object of the kind: the text after `cannot be handled as a Pod: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A value of the wrong type, in Go's words.
    #[error("{0}")]
    Type(String),
    /// Unknown or duplicate fields under strict validation.
    #[error("strict decoding error: {}", .0.join(", "))]
    Strict(Vec<String>),
}

/// Decodes the body of a create or update of `resource`. Returns the object, with `apiVersion` and `kind` filled in,
/// and the warnings for the client.
///
/// # Errors
/// 400 `BadRequest` when the document is of another kind, has values of wrong types or, under strict
/// validation, unknown or duplicate fields.
pub fn decode(
    resource: &Resource,
    body: impl Into<Parsed>,
    validation: FieldValidation,
) -> ApiResult<(Value, Vec<String>)> {
    match &resource.custom {
        Some(custom) => decode_custom(custom, body.into(), validation),
        None => decode_as(&resource.api_version(), &resource.kind, body, validation),
    }
}

/// [`decode`] for a kind that is no resource: `Scale`, `Binding`, `DeleteOptions`.
///
/// # Errors
/// As [`decode`].
pub fn decode_as(
    api_version: &str,
    kind: &str,
    body: impl Into<Parsed>,
    validation: FieldValidation,
) -> ApiResult<(Value, Vec<String>)> {
    let Parsed { mut value, duplicates } = body.into();
    let expected = Expected { api_version, kind };
    envelope::check(&expected, &mut value)?;
    match check_fields(api_version, kind, &mut value, duplicates, (validation, Wording::Json)) {
        Ok(warnings) => Ok((value, warnings)),
        Err(error) => Err(ApiError::bad_request(expected.cannot_be_handled(&value, &error))),
    }
}

/// In whose words a value of the wrong type is reported: kube-apiserver has two decoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wording {
    /// encoding/json: bodies, and the results of JSON and merge patches.
    Json,
    /// The converter from unstructured content: the results of strategic merge patches.
    Converter,
}

/// The part of [`decode`] below `apiVersion` and `kind`: drops unknown fields, checks and normalises the others.
/// Returns the warnings.
pub(crate) fn check_fields(
    api_version: &str,
    kind: &str,
    value: &mut Value,
    duplicates: Vec<String>,
    (validation, wording): (FieldValidation, Wording),
) -> Result<Vec<String>, DecodeError> {
    let schemas = Schemas::builtin();
    let ty = schemas.root(api_version, kind).map_or(Type::Any, Type::Object);
    findings(walk::walk(schemas, value, &ty, wording)?, duplicates, validation)
}

/// Checks and normalises `metadata` of an object whose kind has no schema here. Returns the paths of unknown fields.
pub(crate) fn check_metadata(object: &mut Value) -> Result<Vec<String>, DecodeError> {
    let Some(metadata) = object.get_mut("metadata") else { return Ok(Vec::new()) };
    let unknown = normalize_metadata(metadata)?;
    Ok(unknown.iter().map(|path| format!("metadata.{path}")).collect())
}

/// [`check_metadata`] for the metadata alone; paths start below it.
pub(crate) fn normalize_metadata(metadata: &mut Value) -> Result<Vec<String>, DecodeError> {
    if metadata.is_null() {
        *metadata = Value::Object(serde_json::Map::new());
    }
    let schemas = Schemas::builtin();
    let ty = schemas.metadata().map_or(Type::Any, Type::Object);
    walk::walk(schemas, metadata, &ty, Wording::Json)
}

/// What to say about unknown and duplicate fields: warnings, or an error under strict validation.
pub(crate) fn findings(
    unknown: Vec<String>,
    duplicates: Vec<String>,
    validation: FieldValidation,
) -> Result<Vec<String>, DecodeError> {
    if validation == FieldValidation::Ignore || (unknown.is_empty() && duplicates.is_empty()) {
        return Ok(Vec::new());
    }
    let known_duplicates = duplicates.iter().filter(|path| !unknown.iter().any(|field| is_below(path, field)));
    let mut findings: Vec<String> = unknown.iter().map(|path| format!("unknown field \"{path}\"")).collect();
    findings.extend(known_duplicates.map(|path| format!("duplicate field \"{path}\"")));
    findings.truncate(MAX_STRICT_ERRORS);
    if validation == FieldValidation::Strict && !findings.is_empty() {
        return Err(DecodeError::Strict(findings));
    }
    Ok(findings)
}

/// Whether `path` is `field` or something inside it.
fn is_below(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
