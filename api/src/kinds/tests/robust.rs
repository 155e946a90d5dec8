//! Rules see objects that passed the schema, but a rule must not be what takes the server down if one did not.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const KEYS: &[&str] = &[
    "metadata",
    "spec",
    "status",
    "template",
    "containers",
    "initContainers",
    "volumes",
    "ports",
    "env",
    "labels",
    "annotations",
    "selector",
    "matchLabels",
    "strategy",
    "rollingUpdate",
    "resources",
    "limits",
    "requests",
    "cpu",
    "type",
    "clusterIP",
    "clusterIPs",
    "podFailurePolicy",
    "rules",
    "onPodConditions",
    "data",
    "stringData",
    "capacity",
    "allocatable",
    "endpoints",
    "subsets",
    "addresses",
    "conditions",
    "containerStatuses",
    "initContainerStatuses",
    "finalizers",
    "involvedObject",
    "series",
    "livenessProbe",
    "httpGet",
    "valueFrom",
    "fieldRef",
    "nodeSelector",
    "schedulingGates",
    "tolerations",
    "projected",
    "sources",
    "items",
    "generation",
    "completions",
    "parallelism",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(|a|1Gi|-1|None|é|\\$\\(x|2026-01-01T00:00:00Z|9999999999999999999Ei)".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(KEYS), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().map(|(k, v)| (k.to_string(), v)).collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    (any_json(), any_json(), any_json(), any_json())
        .prop_map(|(spec, status, data, list)| json!({ "metadata": { "name": "x", "uid": "u" }, "spec": spec, "status": status,
            "data": data.clone(), "stringData": data, "subsets": list.clone(), "endpoints": list.clone(), "ports": list }))
}

proptest! {
    #[test]
    fn no_object_makes_a_rule_panic(mut object in any_object(), old in any_object()) {
        for row in Catalog::builtin().rows() {
            let rules = row.rules;
            (rules.defaults)(&mut object);
            let mut created = object.clone();
            (rules.prepare_create)(&mut created);
            let mut updated = object.clone();
            (rules.prepare_update)(&mut updated, &old);
            let _ = ((rules.validate)(&created), (rules.validate_update)(&updated, &old));
            let _ = ((rules.validate_status)(&updated, &old), (rules.warnings)(&object), (rules.cells)(&object, NOW));
            rules.selectable.iter().for_each(|(_, read)| drop(read(&object)));
        }
    }

    #[test]
    fn defaulting_twice_changes_nothing(object in any_object()) {
        for row in Catalog::builtin().rows() {
            let mut once = object.clone();
            (row.rules.defaults)(&mut once);
            let mut twice = once.clone();
            (row.rules.defaults)(&mut twice);
            prop_assert_eq!(once, twice, "{}", row.qualified());
        }
    }
}
