//! RFC 7386.

use serde_json::Value;

use crate::error::{ApiError, ApiResult};

/// Applies a merge patch.
pub(super) fn apply(current: &Value, patch: &Value) -> ApiResult<Value> {
    if !patch.is_object() {
        return Err(ApiError::bad_request("Invalid JSON Patch"));
    }
    let mut value = current.clone();
    json_patch::merge(&mut value, patch);
    Ok(value)
}
