//! RFC 6902, with bounds on what a few short operations can build.

use json_patch::{PatchOperation, jsonptr::Pointer, patch_unsafe};
use serde_json::Value;

use super::errors::rejected;
use crate::decode::{MAX_DEPTH, depth_of};
use crate::error::{ApiError, ApiResult, Reason};

/// Operations in one patch, as in Kubernetes.
const MAX_OPERATIONS: usize = 10_000;
/// Bytes that all `copy` operations of a patch may add together, as in Kubernetes: copying a thing into itself
/// doubles it each time.
const MAX_COPY_BYTES: usize = 3 << 20;

/// Applies a JSON patch.
pub(super) fn apply(current: &Value, patch: Value) -> ApiResult<Value> {
    let operations: Vec<PatchOperation> = serde_json::from_value(patch)
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    if operations.len() > MAX_OPERATIONS {
        let found = operations.len();
        return Err(ApiError::new(
            Reason::RequestEntityTooLarge,
            format!("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {found}"),
        ));
    }
    let mut value = current.clone();
    let mut copied_bytes = 0;
    for operation in &operations {
        if !is_bounded(&value, operation, &mut copied_bytes) {
            return Err(rejected());
        }
        patch_unsafe(&mut value, std::slice::from_ref(operation)).map_err(|_| rejected())?;
    }
    Ok(value)
}

/// Whether the operation leaves the document within bounds.
fn is_bounded(value: &Value, operation: &PatchOperation, copied_bytes: &mut usize) -> bool {
    let source = |from: &Pointer| from.resolve(value).ok();
    let added = match operation {
        PatchOperation::Add(add) => Some(&add.value),
        PatchOperation::Replace(replace) => Some(&replace.value),
        PatchOperation::Move(step) => source(&step.from),
        PatchOperation::Copy(copy) => {
            let source = source(&copy.from);
            *copied_bytes += source.map_or(0, |value| value.to_string().len());
            source
        }
        PatchOperation::Remove(_) | PatchOperation::Test(_) => None,
    };
    let depth = added.map_or(0, |added| operation.path().tokens().count() + depth_of(added));
    depth <= MAX_DEPTH && *copied_bytes <= MAX_COPY_BYTES
}
