//! What OpenAPI documents say about custom kinds.

use super::*;
use crate::catalog::Catalog;
use crate::openapi::OpenApi;

const NAME: &str = "com.example.v1.CronTab";
const EITHER: [&str; 2] = ["integer", "string"];

/// The OpenAPI documents of a catalogue with this definition.
fn documents(definition: &Value) -> OpenApi {
    let catalog = Catalog::builtin().with(rows(definition).unwrap().into_iter().map(Arc::new).collect());
    OpenApi::new(catalog, "v1.36.0")
}

fn v2(definition: &Value) -> Value {
    serde_json::from_slice(&documents(definition).v2_json().bytes).unwrap()
}

fn v3(definition: &Value) -> Value {
    serde_json::from_slice(&documents(definition).v3_document("example.com", "v1").unwrap().bytes).unwrap()
}

/// What both documents say of `spec.f`.
fn of(property: Value) -> (Value, Value) {
    let definition = definition(spec_of(json!({ "f": property })));
    let pointer = "/properties/spec/properties/f";
    let two = v2(&definition)["definitions"][NAME].pointer(pointer).cloned().unwrap();
    let three = v3(&definition)["components"]["schemas"][NAME].pointer(pointer).cloned().unwrap();
    (two, three)
}

#[test]
fn version_3_has_the_schema_as_it_was_written() {
    let written = json!({
        "type": "object", "description": "what it is", "nullable": true, "required": ["n"], "default": { "n": 1 },
        "properties": {
            "n": { "type": "integer", "format": "int32", "minimum": 0, "maximum": 9, "default": 0 },
            "s": { "type": "string", "enum": ["a", "b"], "pattern": "^.$", "oneOf": [{ "minLength": 1 }, { "maxLength": 0 }] },
            "m": { "type": "object", "additionalProperties": { "type": "string" }, "x-kubernetes-map-type": "granular" },
            "l": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "maxItems": 9,
                "items": { "type": "object", "required": ["k"], "properties": { "k": { "type": "string", "maxLength": 9 } } },
            },
        },
        "x-kubernetes-validations": [{ "rule": "self.n >= 0", "message": "too low" }],
    });
    assert_eq!(of(written.clone()).1, written);
}

#[test]
fn version_2_leaves_out_what_its_readers_would_misunderstand() {
    for (written, wanted) in [
        (json!({ "type": "string", "nullable": true, "minLength": 1 }), json!({ "minLength": 1 })),
        (
            json!({ "type": "string", "oneOf": [{ "minLength": 1 }], "allOf": [{ "maxLength": 1 }] }),
            json!({ "type": "string" }),
        ),
        (
            json!({ "type": "string", "anyOf": [{ "minLength": 1 }], "not": { "maxLength": 1 } }),
            json!({ "type": "string" }),
        ),
        (json!({ "type": "array", "nullable": true, "items": { "type": "string" } }), json!({})),
        (
            json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": { "a": { "type": "string" } } }),
            json!({ "x-kubernetes-preserve-unknown-fields": true }),
        ),
        (
            json!({ "type": "array", "items": { "type": "string", "nullable": true } }),
            json!({ "type": "array", "items": {} }),
        ),
        (
            json!({ "type": "object", "required": ["a", "b"], "properties": {
                "a": { "type": "string", "nullable": true }, "b": { "type": "string" } } }),
            json!({ "type": "object", "required": ["b"], "properties": { "a": {}, "b": { "type": "string" } } }),
        ),
        (
            json!({ "type": "object", "additionalProperties": { "type": "string", "nullable": true } }),
            json!({ "type": "object", "additionalProperties": {} }),
        ),
        (
            json!({ "type": "integer", "default": 5, "exclusiveMinimum": false, "title": "" }),
            json!({ "type": "integer", "default": 5 }),
        ),
    ] {
        assert_eq!(of(written.clone()).0, wanted, "{written}");
    }
}

#[test]
fn integers_or_strings_are_either_for_whoever_does_not_know_the_extension() {
    let either = json!(EITHER.map(|ty| json!({ "type": ty })));
    let plain = json!({ "x-kubernetes-int-or-string": true });
    let (two, three) = of(plain.clone());
    assert_eq!(two, plain);
    assert_eq!(three, json!({ "x-kubernetes-int-or-string": true, "anyOf": either }));
    let spelled = json!({ "x-kubernetes-int-or-string": true, "anyOf": either, "pattern": "^1" });
    assert_eq!(of(spelled.clone()).1, spelled);
    let narrowed = json!({ "x-kubernetes-int-or-string": true, "anyOf": [{ "minimum": 1 }] });
    assert_eq!(
        of(narrowed).1,
        json!({ "x-kubernetes-int-or-string": true, "anyOf": [{ "minimum": 1 }], "allOf": [{ "anyOf": either }] })
    );
}

#[test]
fn resources_in_resources_have_what_every_resource_has() {
    let open = json!({ "type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true });
    let (two, three) = of(open);
    assert_eq!(two, json!({ "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true }));
    assert_eq!(three["required"], json!(["kind", "apiVersion"]));
    assert_eq!(
        three["properties"]["metadata"]["allOf"],
        json!([{ "$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" }])
    );
    let closed = json!({ "type": "object", "x-kubernetes-embedded-resource": true, "required": ["kind"],
        "properties": { "kind": { "type": "string" }, "spec": { "type": "object" } } });
    let (two, _) = of(closed);
    assert_eq!(two["required"], json!(["kind", "apiVersion"]));
    assert_eq!(two["properties"]["metadata"]["$ref"], "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    assert_eq!(two["properties"]["spec"], json!({ "type": "object" }));
}

#[test]
fn kinds_that_keep_everything_say_nothing_in_version_2() {
    let mut definition = definition(spec_of(json!({})));
    let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["x-kubernetes-preserve-unknown-fields"] = json!(true);
    let gvk = json!([{ "group": "example.com", "version": "v1", "kind": "CronTab" }]);
    assert_eq!(
        v2(&definition)["definitions"][NAME],
        json!({ "type": "object", "x-kubernetes-group-version-kind": gvk })
    );
    let three = &v3(&definition)["components"]["schemas"][NAME];
    assert_eq!(three["x-kubernetes-preserve-unknown-fields"], true);
    assert!(three["properties"]["spec"].is_object() && three["properties"]["metadata"].is_object());
}

#[test]
fn lists_go_by_their_own_kind() {
    let mut definition = definition(spec_of(json!({})));
    definition["spec"]["names"]["listKind"] = json!("Tabs");
    let three = v3(&definition);
    let list = &three["components"]["schemas"]["com.example.v1.Tabs"];
    assert_eq!(list["description"], "Tabs is a list of CronTab");
    assert_eq!(list["properties"]["items"]["items"]["allOf"][0]["$ref"], format!("#/components/schemas/{NAME}"));
    assert_eq!(
        list["x-kubernetes-group-version-kind"],
        json!([{ "group": "example.com", "version": "v1", "kind": "Tabs" }])
    );
    assert!(three["components"]["schemas"].get("com.example.v1.CronTabList").is_none());
}

/// By this kubectl decides which patch to send; custom kinds take no strategic ones.
#[test]
fn operations_of_custom_kinds_offer_what_is_served() {
    let mut definition = definition(spec_of(json!({ "replicas": { "type": "integer" } })));
    definition["spec"]["versions"][0]["subresources"]["scale"] =
        json!({ "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas" });
    let three = v3(&definition);
    let path = "/apis/example.com/v1/namespaces/{namespace}/crontabs/{name}";
    let patch = &three["paths"][path]["patch"];
    let media: Vec<&String> = patch["requestBody"]["content"].as_object().unwrap().keys().collect();
    assert_eq!(media, ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"]);
    assert_eq!(
        (&patch["operationId"], &patch["tags"]),
        (&json!("patchExampleComV1NamespacedCronTab"), &json!(["exampleCom_v1"]))
    );
    let gvk = json!({ "group": "example.com", "version": "v1", "kind": "CronTab" });
    for below in ["status", "scale"] {
        assert_eq!(three["paths"][format!("{path}/{below}")]["put"]["x-kubernetes-group-version-kind"], gvk, "{below}");
    }
    let scale = &three["paths"][format!("{path}/scale")]["get"]["responses"]["200"]["content"]["application/json"];
    assert_eq!(scale["schema"]["$ref"], "#/components/schemas/io.k8s.api.autoscaling.v1.Scale");
}
