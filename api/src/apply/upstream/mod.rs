//! The behaviours that the tests of `structured-merge-diff` and of Kubernetes' field managers hold fast, as tables.

use serde_json::{Value, json};

use super::*;
use crate::catalog::Catalog;

const NOW: &str = "2026-01-01T00:00:00Z";

/// A step of a story about one object.
enum Step {
    /// Somebody applies, perhaps by force.
    Apply(&'static str, bool, Value),
    /// Somebody applies and is refused, because of these: who, what.
    Refused(&'static str, Value, &'static [&'static str]),
    /// Somebody replaces the spec.
    Update(&'static str, Value),
}
use Step::{Apply, Refused, Update};

/// A custom kind with every sort of list and map.
fn kind() -> Resource {
    let text = json!({ "type": "string" });
    let number = json!({ "type": "integer" });
    let element = json!({ "type": "object", "required": ["name"], "properties": {
        "name": text, "value": number, "extra": number,
        "inner": { "type": "array", "x-kubernetes-list-type": "set", "items": text } } });
    let port = json!({ "type": "object", "required": ["port"], "properties": {
        "port": number, "protocol": { "type": "string", "default": "TCP" }, "name": text } });
    let spec = json!({ "type": "object", "properties": {
        "numeric": number, "string": text, "bool": { "type": "boolean" },
        "list": { "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": element },
        "ports": { "type": "array", "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["port", "protocol"], "items": port },
        "set": { "type": "array", "x-kubernetes-list-type": "set", "items": text },
        "atomicList": { "type": "array", "items": text },
        "atomicMap": { "type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": text },
        "map": { "type": "object", "additionalProperties": text },
        "struct": { "type": "object", "properties": { "a": number, "b": number, "deep": { "type": "object", "properties": { "c": number } } } },
        "any": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
    } });
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": "things.example.com" },
        "spec": { "group": "example.com", "scope": "Namespaced",
            "names": { "plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList" },
            "conversion": { "strategy": "None" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": { "type": "object", "properties": { "spec": spec,
                    "status": { "type": "object", "properties": { "ready": number } } } } } }] },
        "status": { "storedVersions": ["v1"], "conditions": [], "acceptedNames": { "plural": "", "kind": "" } },
    });
    crate::custom::rows(&definition).unwrap().remove(0)
}

fn thing(spec: Value) -> Value {
    json!({ "apiVersion": "example.com/v1", "kind": "Thing", "metadata": { "name": "t", "namespace": "n" }, "spec": spec })
}

fn by(manager: &str, force: bool) -> ApplyOptions<'_> {
    ApplyOptions { manager, force, subresource: "", now: NOW }
}

/// Plays a story; the object in the end.
fn play(steps: Vec<Step>) -> Value {
    let row = kind();
    let mut live: Option<Value> = None;
    for step in steps {
        live = Some(match step {
            Apply(manager, force, spec) => {
                apply(&row, live.as_ref(), thing(spec), by(manager, force)).unwrap_or_else(|error| panic!("{error}"))
            }
            Refused(manager, spec, wanted) => {
                let error = apply(&row, live.as_ref(), thing(spec), by(manager, false)).unwrap_err();
                let causes = error.details["causes"].as_array().unwrap();
                let text = |cause: &Value, field: &str| cause[field].as_str().unwrap().to_string();
                let found = causes.iter().map(|c| format!("{}: {}", text(c, "message"), text(c, "field")));
                let found: Vec<String> = found.map(|line| line.replace("conflict with ", "")).collect();
                assert_eq!(found, wanted);
                live.unwrap()
            }
            Update(manager, spec) => {
                let mut new = thing(spec);
                match &live {
                    Some(old) => track_update(&row, old, &mut new, by(manager, false)),
                    None => track_create(&row, &mut new, by(manager, false)),
                }
                new
            }
        });
    }
    live.unwrap()
}

/// Who owns what below `spec`, as `manager: .path .path`.
fn owners(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let line = |entry: &Value| {
        let spec = FieldSet::decode(&entry["fieldsV1"]["f:spec"]).unwrap();
        format!("{}: {}", entry["manager"].as_str().unwrap(), spec.paths().join(" "))
    };
    entries.map(line).collect()
}

fn check(steps: Vec<Step>, spec: Value, owned: &[&str]) {
    let object = play(steps);
    assert_eq!(object["spec"], spec);
    assert_eq!(owners(&object), owned);
}

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

#[test]
fn only_the_part_that_a_write_can_change_is_booked() {
    let row = kind();
    let mut config = thing(json!({ "numeric": 1 }));
    config["status"] = json!({ "ready": 1 });
    let live = apply(&row, None, config.clone(), by("a", false)).unwrap();
    assert_eq!(live["metadata"]["managedFields"][0]["fieldsV1"], json!({ "f:spec": { "f:numeric": {} } }));
    let status = ApplyOptions { subresource: "status", ..by("c", false) };
    config["status"] = json!({ "ready": 2 });
    let live = apply(&row, Some(&live), config, status).unwrap();
    let entry = &live["metadata"]["managedFields"][1];
    assert_eq!(
        (&entry["subresource"], &entry["fieldsV1"]),
        (&json!("status"), &json!({ "f:status": { "f:ready": {} } }))
    );
}

#[test]
fn managers_of_versions_that_there_are_no_longer_are_forgotten() {
    let row = kind();
    let mut live =
        play(vec![Apply("a", false, json!({ "numeric": 1 })), Update("u", json!({ "numeric": 1, "string": "s" }))]);
    live["metadata"]["managedFields"][1]["apiVersion"] = json!("other.example.com/v1");
    let next = apply(&row, Some(&live), thing(json!({ "numeric": 1, "string": "t" })), by("a", false)).unwrap();
    assert_eq!(owners(&next), ["a: .numeric .string"]);
    // Who applied in another version is the same manager.
    live["metadata"]["managedFields"][0]["apiVersion"] = json!("example.com/v1beta1");
    let next = apply(&row, Some(&live), thing(json!({ "bool": true })), by("a", true)).unwrap();
    assert_eq!(owners(&next), ["a: .bool"]);
}

#[test]
fn books_may_be_written_and_what_is_no_book_is_not_read() {
    let row = kind();
    let live = play(vec![Apply("a", false, json!({ "numeric": 1 }))]);
    let write = |entries: Value, subresource| {
        let mut new = live.clone();
        new["metadata"]["managedFields"] = entries;
        track_update(&row, &live, &mut new, ApplyOptions { subresource, ..by("u", false) });
        new["metadata"]["managedFields"].clone()
    };
    let mut moved = live["metadata"]["managedFields"].clone();
    moved[0]["manager"] = json!("b");
    assert_eq!(write(moved.clone(), ""), moved);
    assert_eq!(write(moved.clone(), "status"), live["metadata"]["managedFields"]);
    assert_eq!(write(Value::Null, ""), live["metadata"]["managedFields"]);
    for (field, wrong) in [("operation", "Other"), ("apiVersion", ""), ("fieldsType", "FieldsV2"), ("fieldsV1", "x")] {
        let mut broken = moved.clone();
        broken[0][field] = json!(wrong);
        assert_eq!(write(broken, ""), live["metadata"]["managedFields"], "{field}");
    }
    assert_eq!(write(json!([]), ""), Value::Null);
    assert_eq!(write(json!([{}]), ""), Value::Null);
}

#[test]
fn times_tell_when_something_changed() {
    let row = kind();
    let at = |now| ApplyOptions { now, ..by("a", false) };
    let later = "2026-01-02T00:00:00Z";
    let live = apply(&row, None, thing(json!({ "numeric": 1 })), at(NOW)).unwrap();
    let again = apply(&row, Some(&live), thing(json!({ "numeric": 1 })), at(later)).unwrap();
    assert_eq!(again, live);
    let shared =
        apply(&row, Some(&live), thing(json!({ "numeric": 1 })), ApplyOptions { now: later, ..by("b", false) });
    let shared = shared.unwrap();
    let entry = shared["metadata"]["managedFields"].as_array().unwrap().iter().find(|e| e["manager"] == "b").unwrap();
    assert_eq!(entry.get("time"), None, "it came to own what was there already");
    let update = |old: &Value, numeric: i64, now| {
        let mut new = old.clone();
        new["spec"]["numeric"] = json!(numeric);
        track_update(&row, old, &mut new, ApplyOptions { now, ..by("u", false) });
        new
    };
    let first = update(&live, 2, NOW);
    let second = update(&first, 3, later);
    assert_eq!(second["metadata"]["managedFields"][0]["time"], later, "its own field has another value");
    assert_eq!(update(&second, 3, NOW), second);
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
fn kubectl_keeps_the_annotation_of_client_side_apply_true() {
    let row = Catalog::builtin().find("", "v1", "configmaps").unwrap();
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    let config =
        |data: Value| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" }, "data": data });
    let mut live = config(json!({ "a": "1" }));
    live["metadata"]["annotations"] = json!({ annotation: config(json!({ "a": "1" })).to_string() });
    let next = apply(&row, Some(&live), config(json!({ "a": "<2>" })), by("kubectl", false)).unwrap();
    assert_eq!(
        next["metadata"]["annotations"][annotation],
        "{\"apiVersion\":\"v1\",\"data\":{\"a\":\"\\u003c2\\u003e\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"}}\n"
    );
    let other = apply(&row, Some(&live), config(json!({ "b": "2" })), by("other", true)).unwrap();
    assert_eq!(other["metadata"]["annotations"], live["metadata"]["annotations"]);
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
