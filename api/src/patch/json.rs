//! RFC 6902, with bounds on what a few short operations can build.

use json_patch::{PatchOperation, jsonptr::Pointer, patch_unsafe};
use serde_json::Value;

use super::errors::rejected;
use crate::decode::{MAX_DEPTH, MAX_STRICT_ERRORS, depth_of, json_type};
use crate::error::{ApiError, ApiResult, Reason};

/// Operations in one patch, as in Kubernetes.
const MAX_OPERATIONS: usize = 10_000;
/// The fields of an operation.
const FIELDS: [&str; 4] = ["from", "op", "path", "value"];
/// Bytes that all `copy` operations of a patch may add together, as in Kubernetes: copying a thing into itself
/// doubles it each time.
const MAX_COPY_BYTES: usize = 3 << 20;
/// Values that all operations of a patch may look at or move together: `move` looks at all that it moves, and what is put into an
/// array or taken out of it moves what comes after. A tenth of a second's work; 10,000 operations on the first of a
/// million elements would be a minute's.
const MAX_WORK: usize = 20_000_000;

/// Applies a JSON patch.
pub(super) fn apply(current: &Value, patch: Value) -> ApiResult<Value> {
    let operations = operations(patch)?;
    let mut value = current.clone();
    let (mut copied_bytes, mut work) = (0, 0_usize);
    for operation in &operations {
        work = work.saturating_add(moved(&value, operation));
        if work > MAX_WORK || !is_bounded(&value, operation, &mut copied_bytes) {
            return Err(rejected());
        }
        if expects_absence(&value, operation) {
            continue;
        }
        patch_unsafe(&mut value, std::slice::from_ref(operation)).map_err(|_| rejected())?;
    }
    Ok(value)
}

/// What strict decoding finds in a patch: fields that no operation has, and fields given twice.
pub(super) fn findings(patch: &Value, duplicates: &[String]) -> Vec<String> {
    let steps = patch.as_array().map(Vec::as_slice).unwrap_or_default();
    let fields = steps
        .iter()
        .enumerate()
        .flat_map(|(index, step)| step.as_object().into_iter().flatten().map(move |(name, _)| (index, name)));
    let unknown = fields.filter(|(_, name)| !FIELDS.contains(&name.as_str()));
    let unknown = unknown.map(|(index, name)| format!("json patch unknown field \"[{index}].{name}\""));
    let twice = duplicates.iter().map(|path| format!("json patch duplicate field \"{path}\""));
    unknown.chain(twice).take(MAX_STRICT_ERRORS).collect()
}

/// The operations of a patch. A body of another shape is malformed (400); an operation that makes no sense is noticed
/// when it is applied, and rejected like one that does not fit the document.
fn operations(patch: Value) -> ApiResult<Vec<PatchOperation>> {
    let malformed = |found: &Value, wanted: &str| {
        let found = json_type(found);
        ApiError::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {found} into Go value of type {wanted}"
        ))
    };
    let Value::Array(steps) = &patch else { return Err(malformed(&patch, "[]handlers.jsonPatchOp")) };
    if let Some(step) = steps.iter().find(|step| !step.is_object()) {
        return Err(malformed(step, "handlers.jsonPatchOp"));
    }
    if steps.len() > MAX_OPERATIONS {
        let found = steps.len();
        return Err(ApiError::new(
            Reason::RequestEntityTooLarge,
            format!("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {found}"),
        ));
    }
    serde_json::from_value(patch).map_err(|_| rejected())
}

/// How many values the operation moves or looks at, besides those that it brings.
fn moved(value: &Value, operation: &PatchOperation) -> usize {
    let behind = |path: &Pointer| {
        let place = path.split_back();
        let array = place.and_then(|(parent, last)| Some((parent.resolve(value).ok()?.as_array()?, last)));
        array.map_or(1, |(items, last)| {
            let index = last.decoded().parse().unwrap_or(items.len());
            items.len().saturating_sub(index).max(1)
        })
    };
    match operation {
        PatchOperation::Add(_) | PatchOperation::Remove(_) => behind(operation.path()),
        PatchOperation::Move(step) => {
            let source = step.from.resolve(value).map_or(0, weight);
            source.saturating_add(behind(&step.from)).saturating_add(behind(&step.path))
        }
        PatchOperation::Copy(step) => behind(&step.path),
        PatchOperation::Replace(_) | PatchOperation::Test(_) => 1,
    }
}

/// How many values are in a value, itself included.
fn weight(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(weight).sum::<usize>(),
        _ => 1,
    }
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

/// Whether it tests for null what an object does not have: upstream that is the same, and the way in which clients make
/// sure that they are the first to set a field (kube-rs its finalizers).
fn expects_absence(value: &Value, operation: &PatchOperation) -> bool {
    let PatchOperation::Test(test) = operation else { return false };
    let absent = || {
        let (parent, last) = test.path.split_back()?;
        let parent = parent.resolve(value).ok()?.as_object()?;
        Some(!parent.contains_key(last.decoded().as_ref()))
    };
    test.value.is_null() && absent() == Some(true)
}
