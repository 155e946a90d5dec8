//! Every field of `PodSpec`, found by walking its schema: none may get lost on the way into the store.

use serde_json::Map;

use super::*;
use crate::decode::{FieldValidation, decode_as};
use crate::schema::{Scalar, Schemas, Type};

/// Structs that hold themselves have an end here.
const MAX_DEPTH: usize = 16;

/// A value that fills everything a type has.
fn filled(schemas: &Schemas, ty: &Type, depth: usize) -> Value {
    match ty {
        Type::Object(id) if depth < MAX_DEPTH => {
            let fields = schemas.object(*id).fields().iter();
            fields
                .map(|field| (field.name.to_string(), filled(schemas, &field.ty, depth + 1)))
                .collect::<Map<_, _>>()
                .into()
        }
        Type::Object(_) => json!({}),
        Type::Map(element) => json!({ "key": filled(schemas, element, depth + 1) }),
        Type::List(element) => json!([filled(schemas, element, depth + 1)]),
        Type::Scalar(Scalar::String) => json!("text"),
        Type::Scalar(Scalar::Bool) => json!(true),
        Type::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::IntOrString) => json!(7),
        Type::Scalar(Scalar::Double) => json!(0.5),
        Type::Scalar(Scalar::Bytes) => json!("eA=="),
        Type::Scalar(Scalar::Quantity) => json!("7"),
        Type::Scalar(Scalar::Time) => json!("2026-01-01T00:00:00Z"),
        Type::Scalar(Scalar::MicroTime) => json!("2026-01-01T00:00:00.000000Z"),
        Type::Any => json!({ "anything": 1 }),
    }
}

/// Paths and values of all leaves.
fn leaves(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) if !map.is_empty() => map.iter().for_each(|(k, v)| leaves(v, &format!("{path}/{k}"), found)),
        Value::Array(list) => list.iter().enumerate().for_each(|(i, v)| leaves(v, &format!("{path}/{i}"), found)),
        leaf => found.push((path.to_string(), leaf.clone())),
    }
}

fn full_spec() -> Value {
    let schemas = Schemas::builtin();
    let spec = schemas.objects().find(|object| object.definition.ends_with(".core.v1.PodSpec")).unwrap();
    let fields = spec.fields().iter();
    fields.map(|field| (field.name.to_string(), filled(schemas, &field.ty, 1))).collect::<Map<_, _>>().into()
}

#[test]
fn every_field_of_a_pod_spec_is_kept() {
    let spec = full_spec();
    let mut wanted = Vec::new();
    leaves(&spec, "/spec", &mut wanted);
    assert!(wanted.len() > 500, "only {} leaves: the walk stopped early", wanted.len());
    for (api_version, kind, plural, at) in [
        ("v1", "Pod", "pods", ""),
        ("v1", "PodTemplate", "podtemplates", "/template"),
        ("apps/v1", "Deployment", "deployments", "/spec/template"),
    ] {
        let mut body = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "x" } });
        match plural {
            "pods" => body["spec"] = spec.clone(),
            "podtemplates" => body["template"] = json!({ "spec": spec }),
            _ => body["spec"] = json!({ "template": { "spec": spec } }),
        }
        let (mut object, warnings) = decode_as(api_version, kind, body, FieldValidation::Strict).unwrap();
        assert!(warnings.is_empty());
        (row(plural).rules.defaults)(&mut object);
        (row(plural).rules.prepare_create)(&mut object);
        let stored: Value = serde_json::from_str(&object.to_string()).unwrap();
        // The deprecated field mirrors the other one, whatever it said; both say "text" here.
        for (path, value) in &wanted {
            assert_eq!(stored.pointer(&format!("{at}{path}")), Some(value), "{kind} {path}");
        }
    }
}

/// A field without a default stays absent, one with a default is what Kubernetes makes it.
#[test]
fn an_empty_container_gets_defaults_and_nothing_else() {
    let defaulted = defaulted("pods", pod(json!({ "containers": [{ "name": "a", "image": "b:1" }] })));
    let fields: Vec<&String> = defaulted["spec"]["containers"][0].as_object().unwrap().keys().collect();
    let expected =
        ["image", "imagePullPolicy", "name", "resources", "terminationMessagePath", "terminationMessagePolicy"];
    assert_eq!(fields, expected);
}
