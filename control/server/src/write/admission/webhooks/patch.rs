//! Applying what a webhook wants changed. A patch that can't be read is an answer that makes no sense; one that does not
//! fit the object is an internal error, with the words of the library that Kubernetes applies patches with.

use coracle_api::decode::{FieldValidation, decode, decode_as, json_problem};
use coracle_api::patch::{PatchKind, apply_patch};
use coracle_api::{ApiError, Resource};
use serde_json::Value;

use super::asked::Asked;
use super::verdict::Failure;

/// The steps of a patch.
pub(super) fn steps(patch: &[u8]) -> Result<Vec<Value>, Failure> {
    serde_json::from_slice(patch).map_err(|error| {
        let why = json_problem(patch, &error);
        Failure::Calling(format!("received undecodable patch in webhook response: {why}"))
    })
}

/// The object that a patch makes of another: read as an object of its kind, with its defaults. `None` when it is the same.
pub(super) fn patched(
    asked: &Asked<'_>,
    row: Option<&Resource>,
    object: &Value,
    steps: &[Value],
) -> Result<Option<Value>, Failure> {
    let refused = |why: String| Failure::Refused(ApiError::internal(why));
    let any = asked.write.resource;
    let raw = apply(any, object, steps).map_err(|()| refused(first_wrong(any, object, steps)))?;
    let mut new = match asked.row(row) {
        Some(row) => decode(row, raw, FieldValidation::Ignore),
        None => decode_as(&text(object, "apiVersion"), &text(object, "kind"), raw, FieldValidation::Ignore),
    }
    .map_err(|error| refused(error.message))?
    .0;
    if let Some(row) = asked.row(row) {
        row.defaults(&mut new);
    }
    Ok((new != *object).then_some(new))
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_default().to_string()
}

/// The object that steps make of another, if all can be taken.
pub(in super::super) fn apply(resource: &Resource, object: &Value, steps: &[Value]) -> Result<Value, ()> {
    let patch = serde_json::to_vec(steps).map_err(|_| ())?;
    apply_patch(resource, PatchKind::Json, object, &patch).map_err(|_| ())
}

/// What is wrong with the first step that can't be taken.
pub(in super::super) fn first_wrong(resource: &Resource, object: &Value, steps: &[Value]) -> String {
    // As many steps as can be taken, by halves: a patch may have thousands.
    let (mut fits, mut fails) = (0, steps.len());
    while fails - fits > 1 {
        let middle = fits + (fails - fits) / 2;
        if apply(resource, object, &steps[..middle]).is_ok() {
            fits = middle;
        } else {
            fails = middle;
        }
    }
    let before = apply(resource, object, &steps[..fits]);
    describe(&before.unwrap_or_else(|()| object.clone()), &steps[fits])
}

/// The words of `gopkg.in/evanphx/json-patch.v4`.
fn describe(document: &Value, step: &Value) -> String {
    let field = |name: &str| step[name].as_str().unwrap_or_default();
    let (op, path, from) = (field("op"), field("path"), field("from"));
    let parent = |path: &str| path.rfind('/').and_then(|at| document.pointer(&path[..at]));
    let has_parent = |path: &str| parent(path).is_some_and(|parent| parent.is_object() || parent.is_array());
    let last = path.rsplit('/').next().unwrap_or_default();
    match op {
        "add" if has_parent(path) => {
            format!("error in add for path: '{path}': Unable to access invalid index: {last}: invalid index referenced")
        }
        "add" => format!("add operation does not apply: doc is missing path: \"{path}\": missing value"),
        "remove" if has_parent(path) => {
            format!("error in remove for path: '{path}': Unable to remove nonexistent key: {last}: missing value")
        }
        "remove" => format!("remove operation does not apply: doc is missing path: \"{path}\": missing value"),
        "replace" if has_parent(path) => {
            format!("replace operation does not apply: doc is missing key: {path}: missing value")
        }
        "replace" => format!("replace operation does not apply: doc is missing path: {path}: missing value"),
        "test" => format!("testing value {path} failed: test failed"),
        "move" | "copy" if !has_parent(from) => {
            format!("{op} operation does not apply: doc is missing from path: {from}: missing value")
        }
        "move" | "copy" => format!("error in {op} for path: '{from}': missing value"),
        other => format!("Unexpected kind: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_api::Catalog;
    use serde_json::json;

    #[test]
    fn a_step_that_does_not_fit_is_named() {
        let maps = Catalog::builtin().find("", "v1", "configmaps").unwrap();
        let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "a": "b" }, "list": [] });
        let good = json!({ "op": "add", "path": "/data/c", "value": "d" });
        for (bad, expected) in [
            (
                json!({ "op": "add", "path": "/x/y", "value": 1 }),
                "add operation does not apply: doc is missing path: \"/x/y\": missing value",
            ),
            (
                json!({ "op": "remove", "path": "/data/z" }),
                "error in remove for path: '/data/z': Unable to remove nonexistent key: z: missing value",
            ),
            (
                json!({ "op": "replace", "path": "/data/z", "value": 1 }),
                "replace operation does not apply: doc is missing key: /data/z: missing value",
            ),
            (json!({ "op": "test", "path": "/data/c", "value": "e" }), "testing value /data/c failed: test failed"),
            (
                json!({ "op": "add", "path": "/list/4", "value": 1 }),
                "error in add for path: '/list/4': Unable to access invalid index: 4: invalid index referenced",
            ),
        ] {
            let steps = [good.clone(), good.clone(), bad, good.clone()];
            assert_eq!(apply(&maps, &object, &steps), Err(()));
            assert_eq!(first_wrong(&maps, &object, &steps), expected);
        }
    }

    #[test]
    fn a_patch_is_a_list() {
        assert!(steps(b"[]").unwrap().is_empty());
        assert!(matches!(steps(b"{}"), Err(Failure::Calling(_))));
    }
}
