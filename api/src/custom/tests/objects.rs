use super::*;
use crate::apply::{ApplyOptions, apply};
use crate::decode::{FieldValidation, decode};

#[test]
fn kind_and_version_are_checked() {
    let row = row(&definition(spec_of(json!({}))));
    let mut wrong = object(json!({}));
    wrong["kind"] = json!("Other");
    assert_eq!(lines(&row.create_errors(&wrong)), ["kind: Invalid value: \"Other\": must be CronTab"]);
}

#[test]
fn unknown_fields_are_dropped_and_reported() {
    let schema = spec_of(json!({
        "known": { "type": "string" },
        "open": { "type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": { "closed": { "type": "object", "properties": {} } } },
        "list": { "type": "array", "items": { "type": "object", "properties": { "a": { "type": "string" } } } },
        "map": { "type": "object", "additionalProperties": { "type": "string" } },
        "template": { "type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
    }));
    let row = row(&definition(schema));
    let body = object(json!({
        "known": "x", "extra": 1, "open": { "any": { "thing": 1 }, "closed": { "y": 1 } }, "list": [{ "a": "b", "c": 1 }],
        "map": { "k": "v" }, "template": { "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "nope": 1 }, "spec": { "x": 1 } },
    }));
    let (decoded, warnings) = decode(&row, body.clone(), FieldValidation::Warn).unwrap();
    assert_eq!(
        warnings,
        [
            "unknown field \"spec.extra\"",
            "unknown field \"spec.list[0].c\"",
            "unknown field \"spec.open.closed.y\"",
            "unknown field \"spec.template.metadata.nope\""
        ]
    );
    assert_eq!(
        decoded["spec"],
        json!({
            "known": "x", "open": { "any": { "thing": 1 }, "closed": {} }, "list": [{ "a": "b" }], "map": { "k": "v" },
            "template": { "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" }, "spec": { "x": 1 } },
        })
    );
    let error = decode(&row, body, FieldValidation::Strict).unwrap_err();
    assert!(error.message.contains("strict decoding error: unknown field \"spec.extra\", "), "{error}");
    let mut metadata = object(json!({}));
    metadata["metadata"]["labels"] = json!({ "a": 1 });
    let error = decode(&row, metadata, FieldValidation::Warn).unwrap_err();
    assert!(
        error.message.contains("json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string"),
        "{error}"
    );
}

#[test]
fn defaults_and_nulls() {
    let schema = spec_of(json!({
        "a": { "type": "string", "default": "x" },
        "b": { "type": "string", "nullable": true, "default": "y" },
        "c": { "type": "string" },
        "deep": { "type": "object", "default": {}, "properties": { "n": { "type": "integer", "default": 5 } } },
        "list": { "type": "array", "items": { "type": "object", "properties": { "p": { "type": "string", "default": "TCP" } } } },
    }));
    let row = row(&definition(schema));
    let mut value = object(json!({ "a": null, "b": null, "c": null, "list": [{}, { "p": "UDP" }] }));
    row.defaults(&mut value);
    assert_eq!(
        value["spec"],
        json!({ "a": "x", "b": null, "deep": { "n": 5 }, "list": [{ "p": "TCP" }, { "p": "UDP" }] })
    );
}

#[test]
fn rules_are_evaluated() {
    let schema = json!({
        "type": "object",
        "properties": {
            "min": { "type": "integer" }, "max": { "type": "integer" },
            "name": { "type": "string", "maxLength": 20, "x-kubernetes-validations": [{ "rule": "self == oldSelf", "message": "name is immutable" }] },
        },
        "x-kubernetes-validations": [
            { "rule": "!has(self.min) || !has(self.max) || self.min <= self.max", "messageExpression": "'min %d is above max'.format([self.min])",
              "fieldPath": ".min", "reason": "FieldValueForbidden" },
            { "rule": "oldSelf.hasValue() || has(self.name)", "optionalOldSelf": true, "message": "new objects need a name" },
        ],
    });
    let row = row(&definition(schema));
    let old = object(json!({ "name": "a", "min": 1, "max": 2 }));
    assert_eq!(lines(&row.create_errors(&old)), Vec::<String>::new());
    assert_eq!(
        lines(&row.create_errors(&object(json!({ "min": 3, "max": 2 })))),
        ["spec.min: Forbidden: min 3 is above max", "spec: Invalid value: \"object\": new objects need a name"]
    );
    let new = object(json!({ "name": "b" }));
    assert_eq!(lines(&row.update_errors(&new, &old)), ["spec.name: Invalid value: \"string\": name is immutable"]);
}

#[test]
fn what_did_not_change_is_not_held_against_an_update() {
    let schema = spec_of(
        json!({ "a": { "type": "string", "maxLength": 2, "x-kubernetes-validations": [{ "rule": "self != 'zz'" }] }, "b": { "type": "integer" } }),
    );
    let row = row(&definition(schema));
    let old = object(json!({ "a": "too long", "b": 1 }));
    assert_eq!(row.update_errors(&object(json!({ "a": "too long", "b": 2 })), &old), Vec::new());
    let errors = row.update_errors(&object(json!({ "a": "also long", "b": 2 })), &old);
    assert_eq!(lines(&errors)[0], "spec.a: Too long: may not be more than 2 bytes");
    let old = object(json!({ "a": "zz", "b": 1 }));
    assert_eq!(row.update_errors(&object(json!({ "a": "zz", "b": 2 })), &old), Vec::new());
}

#[test]
fn writes_keep_the_status_and_count_generations() {
    let kind = kind(&definition(spec_of(json!({ "x": { "type": "integer" } }))));
    let mut new = object(json!({ "x": 1 }));
    new["status"] = json!({ "replicas": 9 });
    kind.prepare_create(&mut new);
    assert_eq!((new.get("status"), &new["metadata"]["generation"]), (None, &json!(1)));
    let old = new.clone();
    new["spec"]["x"] = json!(2);
    new["status"] = json!({ "replicas": 9 });
    kind.prepare_update(&mut new, &old);
    assert_eq!((new.get("status"), &new["metadata"]["generation"]), (None, &json!(2)));
}

#[test]
fn tables_selectors_and_scale() {
    let mut definition = definition(spec_of(
        json!({ "color": { "type": "string" }, "replicas": { "type": "integer" }, "since": { "type": "string" } }),
    ));
    let version = &mut definition["spec"]["versions"][0];
    version["additionalPrinterColumns"] = json!([
        { "name": "Color", "type": "string", "jsonPath": ".spec.color" },
        { "name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1 },
        { "name": "Since", "type": "date", "jsonPath": ".spec.since" },
        { "name": "Spec", "type": "string", "jsonPath": ".spec" },
    ]);
    version["selectableFields"] = json!([{ "jsonPath": ".spec.color" }, { "jsonPath": ".spec.replicas" }]);
    version["subresources"]["scale"] = json!({ "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector" });
    let row = row(&definition);
    let object = object(json!({ "color": "red", "replicas": 3, "since": "1970-01-01T00:00:10Z" }));
    assert_eq!(row.cells(&object, 70), [json!("red"), json!(3), json!("60s"), json!(object["spec"].to_string())]);
    let columns: Vec<String> = row.columns().iter().map(|c| format!("{} {} {}", c.name, c.kind, c.priority)).collect();
    assert_eq!(columns, ["Color string 0", "Replicas integer 1", "Since date 0", "Spec string 0"]);
    assert_eq!(row.selectable(), ["spec.color", "spec.replicas"]);
    assert_eq!(row.select("spec.replicas", &object).unwrap(), "3");
    assert_eq!(row.scale().unwrap().selector.unwrap(), "status.selector");
    assert_eq!((row.list_kind(), row.storage_key()), ("CronTabList".into(), "crontabs.example.com".into()));
}

#[test]
fn applies_merge_by_the_schema() {
    let schema = spec_of(json!({
        "ports": { "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"], "items": {
            "type": "object", "required": ["port"], "properties": {
                "port": { "type": "integer" }, "protocol": { "type": "string", "default": "TCP" }, "name": { "type": "string" } } } },
        "tags": { "type": "array", "x-kubernetes-list-type": "set", "items": { "type": "string" } },
        "plain": { "type": "array", "items": { "type": "string" } },
        "whole": { "type": "object", "x-kubernetes-map-type": "atomic", "properties": { "a": { "type": "string" }, "b": { "type": "string" } } },
        "labels": { "type": "object", "additionalProperties": { "type": "string" } },
    }));
    let row = row(&definition(schema));
    let by = |manager| ApplyOptions { manager, force: false, subresource: "", now: "2026-01-01T00:00:00Z" };
    let one = object(
        json!({ "ports": [{ "port": 80, "name": "web" }], "tags": ["a"], "plain": ["x"], "whole": { "a": "1" }, "labels": { "k": "v" } }),
    );
    let live = apply(&row, None, one, by("one")).unwrap();
    let two = object(json!({ "ports": [{ "port": 443 }], "tags": ["b"], "labels": { "l": "w" } }));
    let merged = apply(&row, Some(&live), two, by("two")).unwrap();
    assert_eq!(merged["spec"]["ports"], json!([{ "port": 80, "name": "web" }, { "port": 443 }]));
    assert_eq!(merged["spec"]["tags"], json!(["a", "b"]));
    assert_eq!(merged["spec"]["labels"], json!({ "k": "v", "l": "w" }));
    let conflict =
        apply(&row, Some(&merged), object(json!({ "plain": ["y"], "whole": { "b": "2" } })), by("two")).unwrap_err();
    let fields: Vec<&str> =
        conflict.details["causes"].as_array().unwrap().iter().filter_map(|c| c["field"].as_str()).collect();
    assert_eq!(fields, [".spec.plain", ".spec.whole"]);
    let error = apply(&row, Some(&live), object(json!({ "nope": 1 })), by("one")).unwrap_err();
    assert!(error.message.contains(".spec.nope: field not declared in schema"), "{error}");
}

#[test]
fn conversion_reviews_are_asked_and_judged() {
    let webhook = json!({ "conversionReviewVersions": ["v9", "v1"] });
    let old = json!({ "apiVersion": "example.com/v1", "kind": "CronTab", "metadata": { "name": "c", "uid": "u", "labels": { "a": "b" } } });
    let mut there = old.clone();
    there["apiVersion"] = json!("example.com/v2");
    let review = || Review::new(&webhook, "q".into(), "example.com/v2", vec![old.clone(), there.clone()]).unwrap();
    let request = review().request().unwrap();
    assert_eq!(request["request"]["objects"], json!([old]));
    let answer = |objects: Value| {
        json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview",
        "response": { "uid": "q", "result": { "status": "Success" }, "convertedObjects": objects } })
    };
    let mut converted = there.clone();
    converted["metadata"]["labels"] = json!({ "c": "d" });
    converted["metadata"]["generation"] = json!(7);
    let accepted = review().accept(&answer(json!([converted]))).unwrap();
    assert_eq!(accepted[0]["metadata"], json!({ "name": "c", "uid": "u", "labels": { "c": "d" } }));
    assert_eq!(accepted[1], there);
    assert_eq!(review().accept(&answer(json!([]))).unwrap_err().to_string(), "returned 0 objects, expected 1");
    let refused = |pointer: &str, value: Value| {
        let mut wrong = there.clone();
        wrong["metadata"]["labels"] = json!({});
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        wrong.pointer_mut(parent).unwrap()[field] = value;
        review().accept(&answer(json!([wrong]))).unwrap_err().to_string()
    };
    for (pointer, value, wanted) in [
        ("/metadata/name", json!("x"), "invalid object: must have the same name: c != x"),
        ("/metadata/uid", json!("v"), "invalid object: must have the same UID: u != v"),
        ("/kind", json!("X"), "invalid object at index 0: invalid kind (expected CronTab, received X)"),
        (
            "/apiVersion",
            json!("example.com/v3"),
            "invalid object at index 0: invalid groupVersion (expected example.com/v2, received example.com/v3)",
        ),
        (
            "/metadata/labels",
            json!([]),
            "invalid metadata: invalid metadata.labels of type []interface {} in converted object",
        ),
        (
            "/metadata/labels",
            json!({ "a": 1 }),
            "invalid metadata: metadata.labels[a] must be a string, but is int64 in converted object",
        ),
    ] {
        assert_eq!(refused(pointer, value), wanted, "{pointer}");
    }
    assert!(
        refused("/metadata/labels", json!({ "a b": "c" }))
            .starts_with("invalid metadata: metadata.labels: Invalid value: \"a b\": ")
    );
    let mut failed = answer(json!([]));
    failed["response"]["result"] = json!({ "status": "Failure" });
    assert_eq!(
        review().accept(&failed).unwrap_err().to_string(),
        "response.result.status was 'Failure', not 'Success'"
    );
    let mut other = answer(json!([]));
    other["response"]["uid"] = json!("z");
    assert_eq!(review().accept(&other).unwrap_err().to_string(), "expected response.uid=\"q\", got \"z\"");
    let beta = Review::new(&json!({ "conversionReviewVersions": ["v1beta1"] }), "q".into(), "example.com/v2", vec![]);
    assert_eq!(beta.unwrap().accept(&other), Ok(vec![]), "the beta version is not checked");
    let none = Review::new(&json!({ "conversionReviewVersions": ["v9"] }), "q".into(), "x/v2", vec![]);
    assert_eq!(none.unwrap_err().to_string(), "no supported conversion review versions");
}
