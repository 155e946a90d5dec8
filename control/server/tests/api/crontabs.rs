//! The custom kind that the tests define.

use serde_json::{Value, json};

use crate::support::Cluster;

pub const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
pub const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/crontabs.stable.example.com";
pub const V1: &str = "/apis/stable.example.com/v1/namespaces/default/crontabs";
pub const V2: &str = "/apis/stable.example.com/v2/namespaces/default/crontabs";

/// A version of the definition below.
pub fn version(name: &str, storage: bool) -> Value {
    json!({
        "name": name, "served": true, "storage": storage,
        "schema": { "openAPIV3Schema": {
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {
                        "cronSpec": { "type": "string", "pattern": "^[0-9* /]+$" },
                        "image": { "type": "string", "default": "busybox" },
                        "replicas": { "type": "integer", "minimum": 0, "maximum": 10 },
                    },
                    "required": ["cronSpec"],
                },
                "status": {
                    "type": "object",
                    "properties": { "replicas": { "type": "integer" }, "labelSelector": { "type": "string" } },
                },
            },
        } },
        "additionalPrinterColumns": [
            { "name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec", "description": "When it runs" },
            { "name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1 },
        ],
        "selectableFields": [{ "jsonPath": ".spec.image" }],
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.labelSelector",
            },
        },
    })
}

/// CronTabs with these versions.
pub fn definition(versions: Vec<Value>) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "crontabs.stable.example.com" },
        "spec": {
            "group": "stable.example.com", "scope": "Namespaced", "versions": versions,
            "names": {
                "plural": "crontabs", "singular": "crontab", "kind": "CronTab", "listKind": "CronTabList",
                "shortNames": ["ct"], "categories": ["all"],
            },
        },
    })
}

/// An object.
pub fn crontab(version: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": format!("stable.example.com/{version}"), "kind": "CronTab",
        "metadata": { "name": name }, "spec": spec,
    })
}

/// A server that serves CronTabs in one version.
pub async fn cluster() -> Cluster {
    let cluster = Cluster::new().await;
    cluster.post(DEFINITIONS, definition(vec![version("v1", true)])).await.ok();
    cluster
}

/// Condition of an object as `STATUS REASON`.
pub fn condition(object: &Value, kind: &str) -> String {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == kind).cloned().unwrap_or_default();
    format!("{} {}", found["status"].as_str().unwrap_or("-"), found["reason"].as_str().unwrap_or("-"))
}

/// Asks again and again until it is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
