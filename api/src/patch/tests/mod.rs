use proptest::prelude::*;
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

/// New elements come first, as the Kubernetes documentation of `kubectl patch` shows.
#[test]
fn lists_with_a_merge_key_are_merged_by_it() {
    let current = json!({"containers": [
        {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
        {"name": "b", "image": "b:1"},
    ]});
    let patch = json!({"containers": [
        {"name": "a", "env": [{"name": "Y", "$patch": "delete"}, {"name": "Z", "value": "3"}], "image": null},
        {"name": "c", "image": "c:1", "command": null},
    ]});
    let merged = spec(current, patch).unwrap();
    assert_eq!(
        merged,
        json!({"containers": [
            {"name": "a", "env": [{"name": "Z", "value": "3"}, {"name": "X", "value": "1"}]},
            {"name": "c", "image": "c:1"},
            {"name": "b", "image": "b:1"},
        ]})
    );
}

#[test]
fn atomic_lists_are_replaced() {
    let current = json!({"tolerations": [{"key": "a"}], "containers": [{"name": "a", "args": ["1", "2"]}]});
    let patch = json!({"tolerations": [{"key": "b"}], "containers": [{"name": "a", "args": ["3"]}]});
    let merged = spec(current, patch).unwrap();
    assert_eq!(merged, json!({"tolerations": [{"key": "b"}], "containers": [{"name": "a", "args": ["3"]}]}));
}

#[test]
fn patch_directives_replace_and_delete() {
    let current = json!({
        "nodeSelector": {"a": "1"},
        "securityContext": {"runAsUser": 1},
        "containers": [{"name": "a"}, {"name": "b"}],
    });
    let patch = json!({
        "nodeSelector": {"$patch": "replace", "b": "2"},
        "securityContext": {"$patch": "delete"},
        "containers": [{"name": "z"}, {"$patch": "replace"}],
    });
    let merged = spec(current, patch).unwrap();
    assert_eq!(merged, json!({"nodeSelector": {"b": "2"}, "securityContext": {}, "containers": [{"name": "z"}]}));
}

#[test]
fn set_element_order_orders_what_it_names_and_keeps_the_rest_in_place() {
    let current = json!({"containers": [{"name": "server"}, {"name": "a"}, {"name": "b"}]});
    let patch = json!({
        "$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}],
        "containers": [{"name": "c"}],
    });
    let merged = spec(current, patch).unwrap();
    assert_eq!(merged["containers"], json!([{"name": "server"}, {"name": "b"}, {"name": "c"}, {"name": "a"}]));
    let only_order = json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]});
    let merged = spec(json!({"containers": [{"name": "a"}, {"name": "b"}]}), only_order).unwrap();
    assert_eq!(merged["containers"], json!([{"name": "b"}, {"name": "a"}]));
    let nothing_there = json!({"$setElementOrder/containers": [{"name": "b"}]});
    assert_eq!(spec(json!({}), nothing_there).unwrap(), json!({}));
}

#[test]
fn set_element_order_must_agree_with_the_list() {
    let patch = json!({
        "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
        "containers": [{"name": "b"}, {"name": "a"}],
    });
    let error = spec(json!({"containers": []}), patch).unwrap_err();
    assert_eq!(
        error.message,
        "The order in patch list:\n[map[name:b] map[name:a]]\n doesn't match $setElementOrder list:\n\
         [map[name:a] map[name:b]]\n"
    );
}

#[test]
fn scalar_lists_are_unions_and_can_be_deleted_from() {
    let current = json!({"metadata": {"finalizers": ["a", "b", "c"]}});
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"], "finalizers": ["d", "a"]}});
    let merged = patched(PatchKind::StrategicMerge, &current, &patch).unwrap();
    assert_eq!(merged["metadata"]["finalizers"], json!(["d", "a", "c"]));
    let patch = json!({"metadata": {
        "$deleteFromPrimitiveList/finalizers": ["a"],
        "$setElementOrder/finalizers": ["c", "b"],
    }});
    let merged = patched(PatchKind::StrategicMerge, &current, &patch).unwrap();
    assert_eq!(merged["metadata"]["finalizers"], json!(["c", "b"]));
}

#[test]
fn retain_keys_clears_the_rest_of_a_union() {
    let current = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
    let patch = json!({"volumes": [{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}]});
    assert_eq!(spec(current.clone(), patch).unwrap(), json!({"volumes": [{"name": "v", "configMap": {"name": "c"}}]}));
    let stray = json!({"volumes": [{"name": "v", "$retainKeys": ["name"], "configMap": {}}]});
    let error = spec(current, stray).unwrap_err();
    assert_eq!((error.code(), error.message.as_str()), (400, "invalid patch format of retainKeys"));
}

#[test]
fn directives_never_reach_the_object() {
    let patch = json!({
        "containers": [{"name": "a", "$setElementOrder/env": [{"name": "X"}], "env": [{"name": "X"}]}],
        "securityContext": {"$retainKeys": ["runAsUser"], "runAsUser": 1, "fsGroup": null},
        "nodeSelector": {"$patch": "delete"},
    });
    let merged = spec(json!({}), patch).unwrap();
    assert_eq!(
        merged,
        json!({"containers": [{"name": "a", "env": [{"name": "X"}]}], "securityContext": {"runAsUser": 1}})
    );
}

#[test]
fn errors_of_strategic_patches_are_those_of_kubernetes() {
    let containers = json!({"containers": [{"name": "a"}]});
    let cases = [
        (json!({"containers": [{"image": "x"}]}), 500, "map: map[image:x] does not contain declared merge key: name"),
        (json!({"containers": ["x"]}), 500, "list element types are not identical: [[map[name:a]] [x]]"),
        (json!({"$patch": "merge"}), 500, "unknown patch type: merge in map: map[$patch:merge]"),
        (json!({"$setElementOrder": []}), 400, "invalid patch format of setElementOrder list"),
        (json!({"$deleteFromPrimitiveList": []}), 400, "invalid patch format of primitive list"),
        (json!({"$retainKeys": 1}), 400, "invalid patch format of retainKeys"),
        (
            json!({"$setElementOrder/nope": []}),
            500,
            "unable to find api field in struct PodSpec for the json field \"nope\"",
        ),
    ];
    for (patch, code, message) in cases {
        let error = spec(containers.clone(), patch).unwrap_err();
        assert_eq!((error.code(), error.message.as_str()), (code, message));
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

/// Long lists must not take quadratic time: this takes minutes if they do.
#[test]
fn long_lists_are_merged_quickly() {
    let long: Vec<Value> = (0..100_000).map(|n| json!(format!("f{n}"))).collect();
    let current = json!({"metadata": {"finalizers": long}});
    let merged = patched(PatchKind::StrategicMerge, &current, &current).unwrap();
    assert_eq!(merged, current);
}

/// JSON with the names that directives and merge keys are about, so that patches hit something.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        Just(json!("delete")),
        Just(json!("replace")),
    ];
    let keys = prop::sample::select(vec![
        "spec",
        "metadata",
        "containers",
        "volumes",
        "name",
        "env",
        "finalizers",
        "ports",
        "containerPort",
        "$patch",
        "$retainKeys",
        "$setElementOrder/containers",
        "$deleteFromPrimitiveList/finalizers",
        "labels",
    ]);
    leaf.prop_recursive(6, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(keys.clone().prop_map(str::to_string), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Pods as a client would have them: list elements with merge keys, no directives, no nulls.
fn pod() -> impl Strategy<Value = Value> {
    let name = "[a-d]";
    let env = prop::collection::btree_map(name, "[a-z]{0,3}", 0..4).prop_map(|vars| {
        vars.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect::<Vec<_>>()
    });
    let containers = prop::collection::btree_map(name, (env, any::<bool>()), 0..4).prop_map(|containers| {
        let render = |(name, (env, tty))| json!({"name": name, "env": env, "tty": tty});
        containers.into_iter().map(render).collect::<Vec<_>>()
    });
    let labels = prop::collection::btree_map("[a-c]", "[a-c]", 0..3);
    let finalizers = prop::collection::btree_set("[a-c]", 0..3);
    (containers, labels, finalizers).prop_map(|(containers, labels, finalizers)| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"labels": labels, "finalizers": finalizers},
            "spec": {"containers": containers},
        })
    })
}

proptest! {
    #[test]
    fn patches_never_panic(current in document(), patch in document(), kind in 0..3_usize) {
        let kind = [PatchKind::Json, PatchKind::Merge, PatchKind::StrategicMerge][kind];
        let _ = patched(kind, &current, &patch);
        let _ = patch_object(&row("", "pods"), kind, &current, patch.to_string().as_bytes(), FieldValidation::Strict);
    }

    #[test]
    fn merging_an_object_with_itself_changes_nothing(pod in pod()) {
        prop_assert_eq!(&patched(PatchKind::StrategicMerge, &pod, &pod).unwrap(), &pod);
        prop_assert_eq!(&patched(PatchKind::Merge, &pod, &pod).unwrap(), &pod);
    }

    #[test]
    fn a_patch_applied_twice_is_applied_once(current in pod(), patch in pod()) {
        let once = patched(PatchKind::StrategicMerge, &current, &patch).unwrap();
        let twice = patched(PatchKind::StrategicMerge, &once, &patch).unwrap();
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn decoding_is_idempotent(body in document()) {
        let decode = |value| crate::decode::decode(&row("", "pods"), value, FieldValidation::Ignore).map(|(value, _)| value);
        if let Ok(once) = decode(json!({"metadata": {}, "spec": body})) {
            prop_assert_eq!(decode(once.clone()).unwrap(), once);
        }
    }
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
