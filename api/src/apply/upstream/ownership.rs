//! Who owns which field, and what becomes of it.

use serde_json::json;

use super::*;

#[test]
fn leaves_are_shared_taken_and_given_up() {
    let one = json!({ "numeric": 1, "string": "s" });
    check(
        vec![Apply("a", false, one.clone()), Apply("b", false, one.clone())],
        one.clone(),
        // An entry without a time comes first.
        &["b: .numeric .string", "a: .numeric .string"],
    );
    check(
        vec![
            Apply("a", false, one.clone()),
            Refused("b", json!({ "numeric": 2 }), &["\"a\": .spec.numeric"]),
            Apply("b", true, json!({ "numeric": 2 })),
        ],
        json!({ "numeric": 2, "string": "s" }),
        &["a: .string", "b: .numeric"],
    );
    check(
        vec![Apply("a", false, one.clone()), Apply("b", false, json!({ "string": "s" })), Apply("a", false, json!({}))],
        json!({ "string": "s" }),
        &["b: .string", "a: "],
    );
    check(
        vec![
            Apply("a", false, one.clone()),
            Update("u", json!({ "numeric": 2, "string": "s" })),
            Apply("a", false, json!({})),
        ],
        json!({ "numeric": 2 }),
        &["a: ", "u: .numeric"],
    );
    check(
        vec![Update("u", one), Refused("a", json!({ "numeric": 5 }), &["\"u\" using example.com/v1: .spec.numeric"])],
        json!({ "numeric": 1, "string": "s" }),
        &["u: .numeric .string"],
    );
}

#[test]
fn list_elements_keep_their_place_and_new_ones_come_after_them() {
    let names = |names: &[&str]| json!({ "set": names });
    let order = |live: &[&str], config: &[&str], wanted: &[&str]| {
        let object = play(vec![Update("u", names(live)), Apply("a", true, names(config))]);
        assert_eq!(object["spec"]["set"], json!(wanted), "{live:?} + {config:?}");
    };
    order(&["a", "b"], &["c", "d"], &["a", "b", "c", "d"]);
    order(&["x", "a"], &["b", "a"], &["x", "b", "a"]);
    order(&["a", "x"], &["b", "a"], &["b", "a", "x"]);
    order(&["a", "b", "c"], &["c", "a"], &["b", "c", "a"]);
    order(&["a", "b"], &["b", "a"], &["b", "a"]);
    order(&["1", "a", "2", "b", "3"], &["b", "n", "a"], &["1", "2", "b", "3", "n", "a"]);
}

#[test]
fn associative_lists_are_owned_by_element_and_field() {
    let item = |name: &str, value: i64| json!({ "name": name, "value": value });
    check(
        vec![
            Apply("a", false, json!({ "list": [item("x", 1), item("y", 2)] })),
            Apply("b", false, json!({ "list": [{ "name": "x", "extra": 3 }] })),
            Apply("a", false, json!({ "list": [item("y", 2)] })),
        ],
        json!({ "list": [{ "name": "x", "extra": 3 }, item("y", 2)] }),
        &[
            "a: .list[name=\"y\"] .list[name=\"y\"].name .list[name=\"y\"].value",
            "b: .list[name=\"x\"] .list[name=\"x\"].extra .list[name=\"x\"].name",
        ],
    );
    check(
        vec![
            Apply("a", false, json!({ "list": [item("x", 1)] })),
            Refused("b", json!({ "list": [item("x", 2)] }), &["\"a\": .spec.list[name=\"x\"].value"]),
            Apply("a", false, json!({})),
        ],
        json!({}),
        &["a: "],
    );
}

#[test]
fn keys_with_defaults_may_be_left_out() {
    check(
        vec![
            Apply("a", false, json!({ "ports": [{ "port": 80, "name": "n" }] })),
            Apply("b", false, json!({ "ports": [{ "port": 80, "protocol": "UDP", "name": "m" }] })),
            Apply("c", true, json!({ "ports": [{ "port": 80, "protocol": "TCP", "name": "o" }] })),
        ],
        json!({ "ports": [
            { "port": 80, "protocol": "TCP", "name": "o" },
            { "port": 80, "protocol": "UDP", "name": "m" },
        ] }),
        &[
            "a: .ports[port=80,protocol=\"TCP\"] .ports[port=80,protocol=\"TCP\"].port",
            "b: .ports[port=80,protocol=\"UDP\"] .ports[port=80,protocol=\"UDP\"].name \
             .ports[port=80,protocol=\"UDP\"].port .ports[port=80,protocol=\"UDP\"].protocol",
            "c: .ports[port=80,protocol=\"TCP\"] .ports[port=80,protocol=\"TCP\"].name \
             .ports[port=80,protocol=\"TCP\"].port .ports[port=80,protocol=\"TCP\"].protocol",
        ],
    );
}

#[test]
fn what_comes_twice_in_a_list_is_one_thing() {
    let twice = json!([{ "name": "a", "value": 1 }, { "name": "a", "value": 2 }, { "name": "b", "value": 3 }]);
    let b = ".list[name=\"b\"] .list[name=\"b\"].name .list[name=\"b\"].value";
    let u = format!("u: .list .list[name=\"a\"] {b}");
    check(vec![Update("u", json!({ "list": twice }))], json!({ "list": twice }), &[&u]);
    let other = json!([{ "name": "a", "value": 1 }, { "name": "a", "value": 3 }, { "name": "b", "value": 3 }]);
    let rest = format!("u: .list {b}");
    check(
        vec![Update("u", json!({ "list": twice })), Update("v", json!({ "list": other }))],
        json!({ "list": other }),
        &[&rest, "v: .list[name=\"a\"]"],
    );
    let one = json!([{ "name": "a", "value": 3 }]);
    check(
        vec![
            Update("u", json!({ "list": twice })),
            Refused("a", json!({ "list": one }), &["\"u\" using example.com/v1: .spec.list[name=\"a\"]"]),
            Apply("a", true, json!({ "list": one })),
        ],
        json!({ "list": [{ "name": "a", "value": 3 }, { "name": "b", "value": 3 }] }),
        &["a: .list[name=\"a\"] .list[name=\"a\"].name .list[name=\"a\"].value", &rest],
    );
    check(
        vec![Update("u", json!({ "set": ["1", "1", "3"] })), Apply("a", false, json!({ "set": ["5"] }))],
        json!({ "set": ["1", "1", "3", "5"] }),
        &["a: .set[=\"5\"]", "u: .set .set[=\"1\"] .set[=\"3\"]"],
    );
    check(
        vec![Update("u", json!({ "set": ["1", "1", "3"] })), Update("v", json!({ "set": ["1", "3"] }))],
        json!({ "set": ["1", "3"] }),
        &["u: .set .set[=\"3\"]", "v: .set[=\"1\"]"],
    );
}

#[test]
fn what_is_atomic_has_one_owner() {
    check(
        vec![
            Apply("a", false, json!({ "atomicList": ["1"], "atomicMap": { "k": "v" } })),
            Refused(
                "b",
                json!({ "atomicList": ["1", "2"], "atomicMap": { "l": "w" } }),
                &["\"a\": .spec.atomicList", "\"a\": .spec.atomicMap"],
            ),
            Apply("b", true, json!({ "atomicMap": { "l": "w" } })),
        ],
        json!({ "atomicList": ["1"], "atomicMap": { "l": "w" } }),
        &["a: .atomicList", "b: .atomicMap"],
    );
}

#[test]
fn updates_own_what_holds_the_values_that_they_bring() {
    check(
        vec![Update("u", json!({ "struct": { "a": 1 }, "map": { "k": "v" }, "any": { "x": { "y": 1 } }, "set": [] }))],
        json!({ "struct": { "a": 1 }, "map": { "k": "v" }, "any": { "x": { "y": 1 } }, "set": [] }),
        &["u: .any .map .set .struct .any.x .any.x.y .map.k .struct.a"],
    );
    check(
        vec![
            Apply("a", false, json!({ "struct": { "a": 1 }, "map": { "k": "v" }, "any": { "x": { "y": 1 } } })),
            Update("u", json!({ "struct": { "a": 1, "b": 2 }, "map": {}, "any": { "x": 5 } })),
        ],
        json!({ "struct": { "a": 1, "b": 2 }, "map": {}, "any": { "x": 5 } }),
        &["a: .struct.a", "u: .any.x .struct.b"],
    );
}

#[test]
fn a_struct_goes_with_its_last_owner_and_what_nobody_owns_in_it() {
    let row = kind();
    let mut live = apply(&row, None, thing(json!({ "struct": { "deep": { "c": 1 } } })), by("a", false)).unwrap();
    // As a default would be: nobody's.
    live["spec"]["struct"]["b"] = json!(7);
    let gone = apply(&row, Some(&live), thing(json!({ "numeric": 1 })), by("a", false)).unwrap();
    assert_eq!(gone["spec"], json!({ "numeric": 1 }));
    check(
        vec![
            Apply("a", false, json!({ "struct": { "a": 1 } })),
            Update("u", json!({ "struct": { "a": 1, "b": 2 } })),
            Apply("a", false, json!({ "numeric": 1 })),
        ],
        json!({ "numeric": 1, "struct": { "b": 2 } }),
        &["a: .numeric", "u: .struct.b"],
    );
}

/// What `kubectl create deployment` and `kubectl apply` leave in the books of a cluster.
#[test]
fn structs_that_go_always_has_are_not_new() {
    let row = Catalog::builtin().find("apps", "v1", "deployments").unwrap();
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "labels": { "app": "web" } },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": { "app": "web" } },
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "nginx", "image": "nginx", "env": [{ "name": "E", "value": "1" }] }], "securityContext": {} },
            },
        },
    });
    track_create(&row, &mut object, by("kubectl-create", false));
    let wanted = json!({
        "f:metadata": { "f:labels": { ".": {}, "f:app": {} } },
        "f:spec": {
            "f:replicas": {}, "f:selector": {},
            "f:strategy": { "f:rollingUpdate": { ".": {}, "f:maxSurge": {}, "f:maxUnavailable": {} }, "f:type": {} },
            "f:template": {
                "f:metadata": { "f:labels": { ".": {}, "f:app": {} } },
                "f:spec": {
                    "f:containers": { "k:{\"name\":\"nginx\"}": {
                        ".": {}, "f:name": {}, "f:image": {}, "f:resources": {},
                        "f:env": { ".": {}, "k:{\"name\":\"E\"}": { ".": {}, "f:name": {}, "f:value": {} } },
                    } },
                    "f:securityContext": {},
                },
            },
        },
    });
    assert_eq!(object["metadata"]["managedFields"][0]["fieldsV1"], wanted);
}

#[test]
fn null_owns_a_field_and_takes_its_value() {
    check(
        vec![
            Apply("a", false, json!({ "numeric": 1, "string": "s" })),
            Apply("a", false, json!({ "numeric": 1, "string": null })),
        ],
        json!({ "numeric": 1, "string": null }),
        &["a: .numeric .string"],
    );
}
