//! RFC 7386.

use serde_json::Value;

use crate::decode::json_type;
use crate::error::{ApiError, ApiResult};

/// Applies a merge patch.
pub(super) fn apply(current: &Value, patch: &Value) -> ApiResult<Value> {
    if !patch.is_object() {
        let found = json_type(patch);
        return Err(ApiError::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
        )));
    }
    let mut value = current.clone();
    json_patch::merge(&mut value, patch);
    Ok(value)
}
