//! A pod as the scheduler reads it off the wire: what it never looks at (managed fields, container states) is skipped
//! while decoding, which is most of a pod's bytes.

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Pod, PodCondition, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::Deserialize;
use std::borrow::Cow;

/// A pod of which only this is filled in: name, namespace, uid, resource version and the two timestamps of
/// `metadata`, `spec`, and `status.conditions`.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "RawPod")]
pub struct PodView(pub Pod);

#[derive(Deserialize)]
struct RawPod {
    #[serde(default)]
    metadata: RawMeta,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: RawStatus,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawMeta {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    creation_timestamp: Option<Timestamp>,
    deletion_timestamp: Option<Timestamp>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawStatus {
    conditions: Vec<PodCondition>,
}

impl From<RawPod> for PodView {
    fn from(raw: RawPod) -> Self {
        let meta = raw.metadata;
        PodView(Pod {
            metadata: ObjectMeta {
                name: meta.name,
                namespace: meta.namespace,
                uid: meta.uid,
                resource_version: meta.resource_version,
                creation_timestamp: meta.creation_timestamp.map(Time),
                deletion_timestamp: meta.deletion_timestamp.map(Time),
                ..ObjectMeta::default()
            },
            spec: Some(raw.spec),
            status: Some(PodStatus { conditions: Some(raw.status.conditions), ..PodStatus::default() }),
        })
    }
}

impl Resource for PodView {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind(dt: &()) -> Cow<'_, str> {
        Pod::kind(dt)
    }

    fn group(dt: &()) -> Cow<'_, str> {
        Pod::group(dt)
    }

    fn version(dt: &()) -> Cow<'_, str> {
        Pod::version(dt)
    }

    fn plural(dt: &()) -> Cow<'_, str> {
        Pod::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.0.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.0.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_pod_and_skips_the_rest() {
        let view: PodView = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p", "namespace": "d", "uid": "u", "deletionTimestamp": "2026-01-02T03:04:05Z",
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]},
            "spec": {"containers": [{"name": "c", "image": "i"}], "nodeName": "n"},
            "status": {"phase": "Running", "containerStatuses": [{"name": "c"}]},
        }))
        .unwrap();
        assert_eq!(view.0.spec.unwrap().node_name.as_deref(), Some("n"));
        assert!(view.0.metadata.deletion_timestamp.is_some());
        assert!(view.0.metadata.managed_fields.is_none());
    }
}
