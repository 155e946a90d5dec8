//! Patches of all kinds; here those of JSON, and what is the same for all.

mod properties;
mod strategic;

use serde_json::{Value, json};

use super::*;
use crate::catalog::Catalog;

fn row(group: &str, plural: &str) -> std::sync::Arc<Resource> {
    Catalog::builtin().find(group, "v1", plural).expect("a built-in row")
}

fn patched(kind: PatchKind, current: &Value, patch: &Value) -> ApiResult<Value> {
    apply_patch(&row("", "pods"), kind, current, patch.to_string().as_bytes())
}

/// Applies a strategic merge patch to the spec of a pod.
fn spec(current: Value, patch: Value) -> ApiResult<Value> {
    let current = json!({"spec": current});
    patched(PatchKind::StrategicMerge, &current, &json!({"spec": patch})).map(|mut pod| pod["spec"].take())
}

#[test]
fn content_types_are_recognised() {
    assert_eq!(PatchKind::from_content_type("application/merge-patch+json; charset=utf-8"), Some(PatchKind::Merge));
    assert_eq!(PatchKind::from_content_type("application/json"), None);
    for media_type in PatchKind::MEDIA_TYPES {
        assert_eq!(PatchKind::from_content_type(media_type).unwrap().media_type(), media_type);
    }
}

#[test]
fn merge_patches_follow_rfc_7386() {
    let current = json!({"a": {"b": 1, "c": [1]}, "d": 2});
    let patch = json!({"a": {"b": null, "c": [2], "e": {"f": null}}, "d": null});
    assert_eq!(patched(PatchKind::Merge, &current, &patch).unwrap(), json!({"a": {"c": [2], "e": {}}}));
    assert_eq!(
        patched(PatchKind::Merge, &current, &json!([])).unwrap_err().message,
        "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
    );
}

#[test]
fn json_patches_apply_or_are_rejected() {
    let current = json!({"spec": {"list": [1, 2]}});
    let patch = json!([
        {"op": "test", "path": "/spec/list/0", "value": 1},
        {"op": "add", "path": "/spec/list/-", "value": 3},
        {"op": "remove", "path": "/spec/list/1"},
    ]);
    assert_eq!(patched(PatchKind::Json, &current, &patch).unwrap(), json!({"spec": {"list": [1, 3]}}));
    for bad in [
        json!([{"op": "test", "path": "/spec/list/0", "value": 2}]),
        json!([{"op": "remove", "path": "/nope"}]),
        json!([{"op": "add", "path": "/no/parent", "value": 1}]),
    ] {
        let error = patched(PatchKind::Json, &current, &bad).unwrap_err();
        assert_eq!(error.code(), 422);
        assert_eq!(error.message, "the server rejected our request due to an error in our request");
    }
    assert_eq!(patched(PatchKind::Json, &current, &json!({"op": "add"})).unwrap_err().code(), 400);
    let many: Vec<Value> = (0..10_001).map(|_| json!({"op": "test", "path": "", "value": 1})).collect();
    let error = patched(PatchKind::Json, &current, &json!(many)).unwrap_err();
    assert_eq!(error.code(), 413);
    assert_eq!(error.message, "The allowed maximum operations in a JSON patch is 10000, got 10001");
}

#[test]
fn json_patches_do_so_much_and_no_more() {
    let list = |count: usize| json!({"list": (0..count).collect::<Vec<_>>(), "other": null});
    let steps = |op: Value| json!((0..9_999).map(|_| op.clone()).collect::<Vec<_>>());
    for op in [
        json!({"op": "add", "path": "/list/0", "value": 1}),
        json!({"op": "remove", "path": "/list/0"}),
        json!({"op": "move", "from": "/list/0", "path": "/list/-"}),
        json!({"op": "move", "from": "/list", "path": "/list"}),
    ] {
        assert!(patched(PatchKind::Json, &list(1_000), &json!([op])).is_ok(), "{op}");
        assert_eq!(patched(PatchKind::Json, &list(1_000_000), &steps(op)).unwrap_err().code(), 422);
    }
    // What comes last moves nothing.
    let last = json!({"op": "add", "path": "/list/-", "value": 1});
    assert_eq!(
        patched(PatchKind::Json, &list(100_000), &steps(last)).unwrap()["list"].as_array().unwrap().len(),
        109_999
    );
}

#[test]
fn json_patches_test_absent_fields_for_null() {
    let current = json!({"metadata": {"name": "a", "a/b": 1}});
    let first = json!([
        {"op": "test", "path": "/metadata/finalizers", "value": null},
        {"op": "add", "path": "/metadata/finalizers", "value": ["x"]},
    ]);
    let patched_once = patched(PatchKind::Json, &current, &first).unwrap();
    assert_eq!(patched_once["metadata"]["finalizers"], json!(["x"]));
    // Who comes second is told.
    assert_eq!(patched(PatchKind::Json, &patched_once, &first).unwrap_err().code(), 422);
    for there in ["/metadata/name", "/metadata/a~1b", "/status/phase", "/metadata/name/x", "/metadata/missing/x"] {
        let test = json!([{"op": "test", "path": there, "value": null}]);
        assert_eq!(patched(PatchKind::Json, &current, &test).unwrap_err().code(), 422, "{there}");
    }
}

#[test]
fn json_patches_cannot_explode() {
    let doubling: Vec<Value> =
        (0..60).map(|n| json!({"op": "copy", "from": "/a", "path": format!("/a/{n}")})).collect();
    assert_eq!(patched(PatchKind::Json, &json!({"a": {}}), &json!(doubling)).unwrap_err().code(), 422);
    let text = "x".repeat(1 << 20);
    let copies: Vec<Value> = (0..10).map(|n| json!({"op": "copy", "from": "/a", "path": format!("/{n}")})).collect();
    assert_eq!(patched(PatchKind::Json, &json!({"a": text}), &json!(copies)).unwrap_err().code(), 422);
}

#[test]
fn a_result_of_another_shape_is_invalid() {
    let pods = row("", "pods");
    let current = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"priority": 1}});
    let patch =
        |kind, body: Value, validation| patch_object(&pods, kind, &current, body.to_string().as_bytes(), validation);
    let strategic = PatchKind::StrategicMerge;
    let unknown = json!({"spec": {"foo": 1}});
    let error = patch(strategic, unknown.clone(), FieldValidation::Strict).unwrap_err();
    assert_eq!(error.code(), 422);
    assert_eq!(
        error.message,
        " \"\" is invalid: patch: Invalid value: \"map[spec:map[foo:1]]\": strict decoding error: unknown field \"spec.foo\""
    );
    let (value, warnings) = patch(strategic, unknown, FieldValidation::Warn).unwrap();
    assert_eq!((value, warnings), (current.clone(), vec!["unknown field \"spec.foo\"".to_string()]));
    let error = patch(PatchKind::Merge, json!({"spec": {"priority": "high"}}), FieldValidation::Warn).unwrap_err();
    assert!(
        error
            .message
            .ends_with("json: cannot unmarshal string into Go struct field PodSpec.spec.priority of type int32")
    );
    let error = patch(strategic, json!({"spec": {"priority": "high"}}), FieldValidation::Warn).unwrap_err();
    assert_eq!(
        error.message,
        " \"\" is invalid: patch: Invalid value: \"map[spec:map[priority:high]]\": unrecognized type: int32"
    );
    let error = patch(PatchKind::Merge, json!({"kind": "Job"}), FieldValidation::Warn).unwrap_err();
    assert!(error.message.ends_with("unable to decode v1, Kind=Job into v1, Kind=Pod"));
    let error = patch(PatchKind::Json, json!([{"op": "replace", "path": "", "value": 1}]), FieldValidation::Warn);
    assert_eq!(error.unwrap_err().code(), 422);
}

#[test]
fn malformed_json_patches() {
    let errors =
        |patch: Value| patched(PatchKind::Json, &json!({}), &patch).map_err(|e| (e.code(), e.message)).unwrap_err();
    let cannot = "error decoding patch: json: cannot unmarshal";
    let malformed = |what: &str| (400, format!("{cannot} {what}"));
    assert_eq!(errors(json!({"a": 1})), malformed("object into Go value of type []handlers.jsonPatchOp"));
    assert_eq!(errors(json!(["a"])), malformed("string into Go value of type handlers.jsonPatchOp"));
    for step in
        [json!({"op": "bogus", "path": "/a"}), json!({"op": "remove"}), json!({"op": "add", "path": "a", "value": 1})]
    {
        let rejected = "the server rejected our request due to an error in our request".to_string();
        assert_eq!(errors(json!([step])), (422, rejected));
    }
}

#[test]
fn malformed_bodies_are_bad_requests() {
    for (body, message) in [("{", "unexpected end of JSON input"), ("", "unexpected end of JSON input")] {
        let error = apply_patch(&row("", "pods"), PatchKind::Merge, &json!({}), body.as_bytes()).unwrap_err();
        assert_eq!((error.code(), error.message.as_str()), (400, message));
    }
    let yaml = apply_patch(&row("", "pods"), PatchKind::Merge, &json!({}), b"spec:\n  priority: 1\n").unwrap();
    assert_eq!(yaml, json!({"spec": {"priority": 1}}));
}

#[test]
fn fields_that_no_operation_has_are_told() {
    let pods = row("", "pods");
    let current = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}});
    let patch = br#"[{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}, "note": 1, "op": "add"}]"#;
    let (_, warnings) = patch_object(&pods, PatchKind::Json, &current, patch, FieldValidation::Warn).unwrap();
    assert_eq!(warnings, ["json patch unknown field \"[0].note\"", "json patch duplicate field \"[0].op\""]);
    let refused = patch_object(&pods, PatchKind::Json, &current, patch, FieldValidation::Strict).unwrap_err();
    assert!(refused.message.contains("strict decoding error: json patch unknown field \"[0].note\""), "{refused}");
    assert!(patch_object(&pods, PatchKind::Json, &current, patch, FieldValidation::Ignore).unwrap().1.is_empty());
}
