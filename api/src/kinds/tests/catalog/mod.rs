//! A golden story per kind: what a minimal object becomes and how it is listed; what is wrong with a bad one.

mod autoscaling;
mod cluster;
mod details;
mod extensions;
mod network;
mod quotas;
mod stateful_sets;
mod storage;
mod workloads;

use super::*;

const CREATED: &str = "2025-12-31T23:54:57Z";

/// The object as it would be stored (defaults and the strategy's step), then its row.
fn story(plural: &str, mut object: Value) -> String {
    object["metadata"]["uid"] = json!("u1");
    object["metadata"]["creationTimestamp"] = json!(CREATED);
    let row = row(plural);
    let mut object = defaulted(plural, object);
    if row.has_status {
        object["metadata"]["generation"] = json!(1);
    }
    (row.rules.prepare_create)(&mut object);
    let mut shown = object.clone();
    ["uid", "creationTimestamp"].iter().for_each(|f| drop(shown["metadata"].as_object_mut().unwrap().remove(*f)));
    let columns = row.rules.columns.iter().zip((row.rules.cells)(&object, NOW).cells);
    let cells: Vec<String> = columns.map(|(column, cell)| format!("{}={cell}", column.name)).collect();
    format!("{shown}\n{}\n", cells.join(" "))
}

/// What is wrong with a new object.
fn complaints(plural: &str, mut object: Value) -> String {
    if object["metadata"].is_null() {
        object["metadata"] = json!({ "name": "x" });
    }
    errors(plural, object)
}

/// What is wrong with a change.
fn refused(plural: &str, old: Value, change: Value) -> String {
    let mut new = old.clone();
    json_patch::merge(&mut new, &change);
    update_errors(plural, new, old)
}

/// Every kind has columns that fit its cells, and an empty object breaks none of its rules' code.
#[test]
fn every_row_can_be_asked_everything() {
    for row in Catalog::builtin().rows() {
        let mut object = json!({ "apiVersion": row.api_version(), "kind": row.kind, "metadata": { "name": "x" } });
        (row.rules.defaults)(&mut object);
        let cells = (row.rules.cells)(&object, NOW).cells;
        assert_eq!(cells.len(), row.rules.columns.len(), "{}", row.qualified());
        let _ = ((row.rules.validate)(&object), (row.rules.warnings)(&object));
    }
}

/// A label or annotation is no reason to refuse an update of a good object, nor is writing the same again.
#[test]
fn a_good_object_can_be_written_again() {
    for (plural, object) in [
        (
            "replicationcontrollers",
            workload("ReplicationController", json!({ "selector": { "app": "web", "matchLabels": null } })),
        ),
        ("daemonsets", workload("DaemonSet", json!({}))),
        ("statefulsets", workload("StatefulSet", json!({ "serviceName": "web" }))),
        (
            "cronjobs",
            json!({ "metadata": { "name": "c" }, "spec": { "schedule": "* * * * *", "jobTemplate": { "spec": {
            "template": { "spec": { "restartPolicy": "Never", "containers": [container()] } } } } } }),
        ),
        ("persistentvolumeclaims", storage::claim()),
        ("persistentvolumes", storage::volume()),
        ("ingresses", network::ingress()),
        ("horizontalpodautoscalers", autoscaling::autoscaler()),
    ] {
        assert_eq!(complaints(plural, object.clone()), "", "{plural}");
        assert_eq!(refused(plural, object, json!({ "metadata": { "labels": { "a": "b" } } })), "", "{plural}");
    }
}
