//! The behaviours that the tests of `structured-merge-diff` and of Kubernetes' field managers hold fast, as tables.

mod books;
mod ownership;

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
