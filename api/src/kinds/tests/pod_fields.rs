//! Every field of `PodSpec` and of other specs, found by walking their schemas: none may get lost on the way into the
//! store.

use serde_json::Map;

use super::*;
use crate::catalog::Resource;
use crate::decode::{FieldValidation, decode_as};
use crate::schema::Schemas;
use crate::schema::filled::{filled, leaves};

const POD_FIELDS: usize = 42;
const CONTAINER_FIELDS: usize = 25;

/// What belongs to features that are off in Kubernetes 1.36 unless somebody asks for them: accepted and dropped.
fn is_gated(path: &str) -> bool {
    ["/schedulingGroup/", "/lifecycle/stopSignal", "/clusterTrustBundle/", "/podCertificate/"]
        .iter()
        .any(|field| path.contains(field))
}

/// A spec with something in every field that its type has.
fn full(definition: &str) -> Value {
    let schemas = Schemas::builtin();
    let spec = schemas.objects().find(|object| object.definition.ends_with(definition)).unwrap();
    let fields = spec.fields().iter();
    fields.map(|field| (field.name.to_string(), filled(&field.ty))).collect::<Map<_, _>>().into()
}

#[test]
fn every_field_of_a_pod_spec_is_kept() {
    let spec = full(".core.v1.PodSpec");
    // As many fields as Kubernetes 1.36 has: a schema that lacks one does not pass.
    assert_eq!(spec.as_object().unwrap().len(), POD_FIELDS);
    assert_eq!(spec["containers"][0].as_object().unwrap().len(), CONTAINER_FIELDS);
    let wanted: Vec<_> = leaves(&spec).into_iter().map(|(path, value)| (format!("/spec{path}"), value)).collect();
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
        for (path, value) in wanted.iter().filter(|(path, _)| !is_gated(path)) {
            assert_eq!(stored.pointer(&format!("{at}{path}")), Some(value), "{kind} {path}");
        }
    }
}

/// Fields of specs that Kubernetes drops while their feature is off, as it is by default; and what it writes itself.
const NOT_KEPT: [(&str, &str); 4] = [
    ("Lease", "/spec/strategy"),
    ("Lease", "/spec/preferredHolder"),
    ("StatefulSet", "/spec/volumeClaimTemplates/0/apiVersion"),
    ("StatefulSet", "/spec/volumeClaimTemplates/0/kind"),
];
/// Kinds whose server fills in what others may not say.
const OF_THE_SERVER: [&str; 1] = ["CertificateSigningRequest"];

/// Every stored kind of the named groups: what a spec (or what stands beside the metadata) says is stored as it is.
#[test]
fn every_field_of_every_spec_is_kept() {
    let schemas = Schemas::builtin();
    let (mut kinds, mut fields) = (0, 0);
    // Definitions hold schemas, which hold themselves without end.
    let stored =
        |row: &&std::sync::Arc<Resource>| !row.group.is_empty() && row.group != "apiextensions.k8s.io" && !row.review;
    for row in Catalog::builtin().rows().iter().filter(stored) {
        let (group, kind) = (row.api_version(), row.kind.as_ref());
        let schema = schemas.root(&group, kind).unwrap_or_else(|| panic!("{group} {kind}"));
        let own = schemas.object(schema).fields().iter();
        let own = own.filter(|f| !matches!(f.name.as_ref(), "apiVersion" | "kind" | "metadata" | "status"));
        let spec: Map<String, Value> = own.map(|f| (f.name.to_string(), filled(&f.ty))).collect();
        let wanted = leaves(&Value::Object(spec.clone()));
        let mut body = Value::Object(spec);
        body["apiVersion"] = json!(group);
        body["kind"] = json!(kind);
        body["metadata"] = json!({ "name": "x", "uid": "u" });
        let (mut object, warnings) = decode_as(&group, kind, body, FieldValidation::Strict).unwrap();
        assert!(warnings.is_empty(), "{kind} {warnings:?}");
        row.defaults(&mut object);
        row.prepare_create(&mut object);
        kinds += 1;
        for (path, value) in
            wanted.iter().filter(|(path, _)| !NOT_KEPT.contains(&(kind, path.as_str())) && !is_gated(path))
        {
            assert_eq!(object.pointer(path), Some(value), "{group} {kind} {path}");
            fields += 1;
        }
        if !OF_THE_SERVER.contains(&kind) {
            let mut changed = object.clone();
            row.prepare_update(&mut changed, &object);
            assert_eq!(changed.get("spec"), object.get("spec"), "{group} {kind} after an update");
        }
    }
    assert!(kinds > 40 && fields > 3000, "{kinds} kinds, {fields} fields: the walk stopped early");
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

/// The number of fields is that of Kubernetes 1.36: a schema that lacks one does not pass.
#[test]
fn every_field_of_other_specs_is_kept() {
    for (kind, plural, definition, count, gone) in [
        ("Service", "services", ".core.v1.ServiceSpec", 20, &[][..]),
        ("PersistentVolume", "persistentvolumes", ".core.v1.PersistentVolumeSpec", 31, &[]),
        ("PersistentVolumeClaim", "persistentvolumeclaims", ".core.v1.PersistentVolumeClaimSpec", 9, &["/namespace"]),
        ("Node", "nodes", ".core.v1.NodeSpec", 7, &["/configSource/"]),
    ] {
        let mut spec = full(definition);
        assert_eq!(spec.as_object().unwrap().len(), count, "{kind}");
        if kind == "PersistentVolumeClaim" {
            // Two fields say the same thing, and a source from another namespace is behind a gate.
            spec["dataSourceRef"].as_object_mut().unwrap().remove("namespace");
        }
        let wanted: Vec<_> = leaves(&spec).into_iter().map(|(path, value)| (format!("/spec{path}"), value)).collect();
        let body = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "x" }, "spec": spec });
        let (mut object, warnings) = decode_as("v1", kind, body, FieldValidation::Strict).unwrap();
        assert!(warnings.is_empty());
        (row(plural).rules.defaults)(&mut object);
        (row(plural).rules.prepare_create)(&mut object);
        let stored: Value = serde_json::from_str(&object.to_string()).unwrap();
        for (path, value) in wanted.iter().filter(|(path, _)| !gone.iter().any(|field| path.contains(field))) {
            assert_eq!(stored.pointer(path), Some(value), "{kind} {path}");
        }
    }
}

/// The table of the README says of every field what it does.
#[test]
fn the_readme_has_every_field_of_pods_and_containers() {
    let readme = include_str!("../../../../README.md");
    let (_, table) = readme.split_once("## What of a PodSpec works").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let (of_pods, of_containers) = table.split_once("| field of a container |").unwrap();
    let named = |table: &str| -> Vec<String> {
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
        let cells = rows.flat_map(|row| row.split('`').map(str::to_string).collect::<Vec<_>>());
        cells.collect()
    };
    let spec = full(".core.v1.PodSpec");
    for (table, object) in [(of_pods, &spec), (of_containers, &spec["containers"][0])] {
        let named = named(table);
        for field in object.as_object().unwrap().keys() {
            assert!(named.contains(field), "the README says nothing of {field}");
        }
    }
}
