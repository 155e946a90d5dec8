//! Errors that several patch types share.

use serde_json::{Map, Value, json};

use crate::error::{ApiError, Reason};
use crate::field::{FieldError, Path};

/// 422 without a word about the reason, which is all kube-apiserver tells of a patch that does not apply.
pub(super) fn rejected() -> ApiError {
    let mut error = ApiError::new(Reason::Invalid, "the server rejected our request due to an error in our request");
    error.details = Map::new();
    error
}

/// 422 ` "" is invalid: patch: Invalid value: "…": WHY`.
pub(super) fn invalid_patch(shown: &str, why: &str) -> ApiError {
    let cause = FieldError::invalid(&Path::root("patch"), &json!(shown), why);
    let mut error = ApiError::new(Reason::Invalid, format!(" \"\" is invalid: {cause}"));
    error.details.insert("causes".into(), json!([cause.cause()]));
    error
}

/// The text for a patch that made the object another kind.
pub(super) fn changed_type(value: &Value, api_version: &str, kind: &str) -> String {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    let (new_version, new_kind) = (text("apiVersion"), text("kind"));
    if new_kind.is_empty() {
        return format!("Object 'Kind' is missing in '{value}'");
    }
    if new_version.is_empty() {
        return format!("Object 'apiVersion' is missing in '{value}'");
    }
    format!("unable to decode {new_version}, Kind={new_kind} into {api_version}, Kind={kind}")
}
