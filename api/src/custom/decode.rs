//! From a request body to an object of a custom kind.

use serde_json::{Value, json};

use super::kind::CustomKind;
use crate::decode::{DecodeError, FieldValidation, Parsed, check_metadata, findings};
use crate::error::{ApiError, ApiResult};

/// Decodes a body: metadata as ObjectMeta, with Go's errors; the rest pruned by the schema. Returns the object, with `apiVersion` and
/// `kind` filled in, and the warnings for the client. Whether the kind is right is left to validation, as upstream.
///
/// # Errors
/// 400 for a document of another version, metadata of wrong types or, under strict validation, unknown or duplicate fields.
pub(crate) fn decode_custom(
    custom: &CustomKind,
    parsed: Parsed,
    validation: FieldValidation,
) -> ApiResult<(Value, Vec<String>)> {
    let Parsed { mut value, duplicates } = parsed;
    let handled = |value: &Value, why: &dyn std::fmt::Display| {
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or(&custom.kind);
        let version = custom.api_version.rsplit('/').next().unwrap_or_default();
        let text = format!("{kind} in version {version:?} cannot be handled as a {}: {why}", custom.kind);
        ApiError::bad_request(text)
    };
    let Some(fields) = value.as_object_mut() else {
        return Err(handled(&value, &"the object provided is not a JSON object"));
    };
    for (field, own) in [("apiVersion", &custom.api_version), ("kind", &custom.kind)] {
        if fields.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
            fields.insert(field.into(), json!(own));
        }
    }
    let found = value["apiVersion"].as_str().unwrap_or_default();
    if found != custom.api_version {
        let expected = &custom.api_version;
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({found}) does not match the expected API version ({expected})"
        )));
    }
    match declared(custom, &mut value).and_then(|unknown| findings(unknown, duplicates, validation)) {
        Ok(warnings) => Ok((value, warnings)),
        Err(error) => Err(handled(&value, &error)),
    }
}

/// Leaves only declared fields in the object. Returns the paths of the others.
///
/// # Errors
/// When metadata has values of wrong types.
pub(crate) fn declared(custom: &CustomKind, value: &mut Value) -> Result<Vec<String>, DecodeError> {
    let mut unknown = check_metadata(value)?;
    unknown.extend(custom.prune(value));
    Ok(unknown)
}
