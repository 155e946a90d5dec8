//! Strategic merge patches: lists with keys, and directives.

use serde_json::json;

use super::*;

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

/// Long lists must not take quadratic time: this takes minutes if they do.
#[test]
fn long_lists_are_merged_quickly() {
    let long: Vec<Value> = (0..100_000).map(|n| json!(format!("f{n}"))).collect();
    let current = json!({"metadata": {"finalizers": long}});
    let merged = patched(PatchKind::StrategicMerge, &current, &current).unwrap();
    assert_eq!(merged, current);
}
