//! What holds for any document and any patch.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

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
