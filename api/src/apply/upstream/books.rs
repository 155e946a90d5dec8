//! How the books are kept: who is in them, when, and what is left out.

use serde_json::json;

use super::*;

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
