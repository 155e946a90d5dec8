//! Bodies as Go clients write them, and every field of every kind there and back.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::catalog::Catalog;
use crate::schema::Schemas;
use crate::schema::filled::{filled, leaves};

/// Fields that alpha gates switch on: a server with none of them switched on drops them anyway.
const ALPHA: [&str; 10] = [
    "schedulingGroup",
    "nodeAllocatableResourceClaimStatuses",
    "nodeAllocatableResourceMappings",
    "volumeStatus",
    "preventPodSchedulingIfMissing",
    "bools",
    "ints",
    "strings",
    "versions",
    "shardInfo",
];

#[test]
fn every_field_of_every_kind_goes_there_and_back() {
    let schemas = Schemas::builtin();
    let mut kinds = 0;
    for row in Catalog::builtin().rows() {
        let (api_version, kind) = (row.api_version(), row.kind.to_string());
        let Some(root) = schemas.root(&api_version, &kind) else { panic!("{api_version} {kind} has no schema") };
        let mut object = filled(&crate::schema::Type::Object(root));
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(kind);
        let back = decode(&encode(&object).unwrap_or_else(|e| panic!("{kind}: {e}"))).unwrap();
        for (path, value) in leaves(&object) {
            let alpha = path.split('/').any(|step| ALPHA.contains(&step));
            // An object inside another has no type of its own.
            let nested = path.matches('/').count() > 1 && (path.ends_with("/apiVersion") || path.ends_with("/kind"));
            let typed = nested && path.contains("/volumeClaimTemplates/0/") && !path.contains("spec/dataSource");
            // What stands for a schema is anything in the walk, and a test of its own below.
            let union = path.contains("/openAPIV3Schema/") && path.ends_with("/anything");
            // "versions" is alpha in devices only.
            if !typed && !union && (!alpha || kind == "CustomResourceDefinition") {
                assert_eq!(back.pointer(&path), Some(&value), "{api_version} {kind} {path}");
            }
        }
        kinds += 1;
    }
    assert!(kinds > 60, "only {kinds} kinds");
}

#[test]
fn what_go_writes_is_read() {
    // Namespace {name: a, labels {k: v}} of a client that still writes an empty field 15 (clusterName).
    let metadata = [&[0x0a, 1, b'a'][..], &[0x5a, 6, 0x0a, 1, b'k', 0x12, 1, b'v'], &[0x7a, 0]].concat();
    let mut raw = vec![0x0a, u8::try_from(metadata.len()).unwrap()];
    raw.extend(&metadata);
    let body = [MAGIC, &wire::write_unknown("v1", "Namespace", &raw)].concat();
    let wanted =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "a", "labels": { "k": "v" } } });
    assert_eq!(decode(&body), Ok(wanted));
}

#[test]
fn zero_values_count_where_go_has_pointers() {
    let scale =
        |replicas: Value| json!({ "apiVersion": "autoscaling/v1", "kind": "Scale", "spec": { "replicas": replicas } });
    let deployment =
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "replicas": 0, "minReadySeconds": 0 } });
    let round = |object: &Value| decode(&encode(object).unwrap()).unwrap();
    assert_eq!(round(&deployment)["spec"], json!({ "replicas": 0 }));
    assert_eq!(round(&scale(json!(0)))["spec"], json!({}));
    assert_eq!(round(&scale(json!(3)))["spec"], json!({ "replicas": 3 }));
}

#[test]
fn schemas_and_what_stands_for_one() {
    let schema = json!({
        "type": "object",
        "minimum": 1.5,
        "maximum": 3,
        "default": { "a": [1, null, "x"] },
        "enum": ["a", 1, null],
        "properties": { "list": { "type": "array", "items": { "type": "string" } } },
        "additionalProperties": false,
        "additionalItems": { "type": "integer" },
        "items": [{ "type": "string" }, { "type": "integer" }],
        "dependencies": { "a": ["b", "c"], "d": { "type": "string" } },
        "x-kubernetes-int-or-string": true,
    });
    let object = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": { "group": "g", "scope": "Namespaced", "names": { "plural": "ps", "kind": "P" },
            "versions": [{ "name": "v1", "served": true, "storage": false, "schema": { "openAPIV3Schema": schema } }] },
    });
    let back = decode(&encode(&object).unwrap()).unwrap();
    let found = &back["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    for (name, value) in schema.as_object().unwrap().iter().filter(|(name, _)| *name != "enum") {
        assert_eq!(&found[name], value, "{name}");
    }
    assert_eq!(found["enum"], json!(["a", 1, null]));
}

#[test]
fn lists_statuses_and_events_can_be_written() {
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" } });
    let list = json!({ "apiVersion": "v1", "kind": "PodList", "metadata": { "resourceVersion": "7" }, "items": [pod] });
    let back = decode(&encode(&list).unwrap()).unwrap();
    assert_eq!(back["items"][0]["metadata"]["name"], "a");
    let status = json!({ "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 404 });
    assert_eq!(decode(&encode(&status).unwrap()), Ok(status));
    let frame = encode_event("ADDED", &pod).unwrap();
    assert_eq!(u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize, frame.len() - 4);
}

#[test]
fn floats_are_eight_bytes_and_numbers() {
    // JSONSchemaProps.maximum, as a field of an otherwise empty schema.
    let read = |tag: u8, bytes: &[u8]| {
        let schema = Table::get().message(Table::get().schema);
        read::object(schema, &[&[tag], bytes].concat(), MAX_DEPTH).map(Value::from)
    };
    assert_eq!(read(9 << 3 | 1, &2.5_f64.to_le_bytes()), Ok(json!({ "maximum": 2.5 })));
    assert_eq!(read(9 << 3 | 1, &f64::NAN.to_le_bytes()), Err(ProtobufError::Malformed));
    assert_eq!(read(9 << 3 | 1, &f64::INFINITY.to_le_bytes()), Err(ProtobufError::Malformed));
    assert_eq!(read(9 << 3 | 5, &2.5_f32.to_le_bytes()), Err(ProtobufError::Malformed));
}

#[test]
fn what_is_not_ours_is_refused() {
    assert_eq!(decode(b"{}"), Err(ProtobufError::Prefix));
    assert_eq!(decode(b"k8s\0\xff\xff"), Err(ProtobufError::Malformed));
    let custom = [MAGIC, &wire::write_unknown("example.com/v1", "CronTab", b"")].concat();
    assert_eq!(
        decode(&custom).unwrap_err().to_string(),
        "no kind \"CronTab\" is registered for version \"example.com/v1\""
    );
    let mut deep = Vec::new();
    for _ in 0..MAX_DEPTH {
        let mut outer = Vec::new();
        wire::put_bytes(&mut outer, 28, &deep);
        deep = outer;
    }
    let message = Table::get().message(Table::get().schema);
    assert_eq!(read::object(message, &deep, MAX_DEPTH), Err(ProtobufError::Depth));
}

#[test]
fn what_is_in_messages_is_not_nested_deeper_than_other_bodies() {
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let body = |levels: usize| {
        encode(&json!({ "apiVersion": "apps/v1", "kind": "ControllerRevision", "data": nested(levels) })).unwrap()
    };
    assert!(decode(&body(90)).is_ok());
    assert_eq!(decode(&body(120)), Err(ProtobufError::Depth));
    let deep = (0..90).fold(json!({}), |inner, _| json!({ "not": inner }));
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "spec": { "versions": [{ "name": "v1", "schema": { "openAPIV3Schema": deep } }] },
    });
    assert!(encode(&definition).is_ok_and(|body| decode(&body).is_ok()));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0usize..80) {
        let rows = Catalog::builtin();
        if let Some(row) = rows.rows().get(kind) {
            let body = [MAGIC, &wire::write_unknown(&row.api_version(), &row.kind, &bytes)].concat();
            if let Ok(object) = decode(&body) {
                // What was read can be written again.
                prop_assert!(encode(&object).is_ok());
            }
        }
    }
}
