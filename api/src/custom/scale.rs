//! What the `scale` subresource of a custom kind shows has to be what it is taken for, whatever the schema says of it
//! (`apiextensions-apiserver/pkg/registry/customresource/validator.go`).

use serde_json::{Value, json};

use super::kind::CustomScale;
use crate::field::{FieldError, Path};
use crate::patch::go_format;

/// Errors in the fields behind `scale`, those of the spec only when it is written.
pub(super) fn scale_errors(scale: &CustomScale, object: &Value, status_only: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !status_only {
        errors.extend(replicas_error(object, &scale.spec_replicas));
    }
    errors.extend(replicas_error(object, &scale.status_replicas));
    if let Some(selector) = &scale.selector {
        let wrong = |value: &Value| (!value.is_string()).then_some("string");
        errors.extend(access(object, selector, wrong).err().map(|why| at(selector, &json!(""), &why)));
    }
    errors
}

/// A value by its path, `None` when it is absent; or what on the way to it, or in its place, is of the wrong type: `wrong` says which
/// type a value should be of instead.
fn access<'v>(
    object: &'v Value,
    path: &str,
    wrong: impl Fn(&Value) -> Option<&'static str>,
) -> Result<Option<&'v Value>, String> {
    let fail = |walked: &[&str], value: &Value, wanted: &str| {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        format!(
            ".{} accessor error: {shown} is of the type {}, expected {wanted}",
            walked.join("."),
            go_format::type_of(value)
        )
    };
    let names: Vec<&str> = path.split('.').collect();
    let mut value = object;
    for (depth, name) in names.iter().enumerate() {
        value = match value {
            Value::Object(fields) => match fields.get(*name) {
                Some(value) => value,
                None => return Ok(None),
            },
            Value::Null => return Ok(None),
            other => return Err(fail(&names[..depth + 1], other, "map[string]interface{}")),
        };
    }
    match wrong(value) {
        Some(wanted) => Err(fail(&names, value, wanted)),
        None => Ok(Some(value)),
    }
}

fn at(path: &str, value: &Value, detail: &str) -> FieldError {
    FieldError::invalid(&Path::root(&format!(".{path}")), value, detail)
}

fn replicas_error(object: &Value, path: &str) -> Option<FieldError> {
    let wrong = |value: &Value| value.as_i64().is_none().then_some("int64");
    let replicas = match access(object, path, wrong) {
        Ok(replicas) => replicas.and_then(Value::as_i64).unwrap_or_default(),
        Err(why) => return Some(at(path, &json!(0), &why)),
    };
    let detail = match replicas {
        ..0 => "should be a non-negative integer".to_string(),
        replicas if replicas > i64::from(i32::MAX) => format!("should be less than or equal to {}", i32::MAX),
        _ => return None,
    };
    Some(at(path, &json!(replicas), &detail))
}
