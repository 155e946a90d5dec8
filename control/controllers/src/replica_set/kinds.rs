//! The two kinds that are kept by one controller, as it sees them.
//!
//! A ReplicationController is a ReplicaSet from before there were selectors with operators: what it lacks reads as
//! absent, and its status is told in the words of the other.

use crate::cluster::Cluster;
use crate::framework::Informer;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::{
    PodTemplateSpec, ReplicationController, ReplicationControllerCondition, ReplicationControllerStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// A kind that keeps a number of pods.
pub trait Replicated:
    kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The controller in logs.
    const NAME: &'static str;
    /// The controller in events.
    const COMPONENT: &'static str;

    /// Who watches the kind.
    fn informer(cluster: &Cluster) -> &Informer<Self>;
    /// How many pods there should be.
    fn replicas(&self) -> i32;
    /// Which pods are its own.
    fn selector(&self) -> Option<LabelSelector>;
    /// What its pods look like.
    fn template(&self) -> PodTemplateSpec;
    /// How long a pod must be ready before it counts as available.
    fn min_ready_seconds(&self) -> i32;
    /// What it reports.
    fn status(&self) -> Option<ReplicaSetStatus>;
    /// The same object with another report.
    #[must_use]
    fn with_status(self, status: ReplicaSetStatus) -> Self;
}

impl Replicated for ReplicaSet {
    const NAME: &'static str = "replicaset";
    const COMPONENT: &'static str = "replicaset-controller";

    fn informer(cluster: &Cluster) -> &Informer<Self> {
        &cluster.replica_sets
    }

    fn replicas(&self) -> i32 {
        self.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1)
    }

    fn selector(&self) -> Option<LabelSelector> {
        self.spec.as_ref().map(|s| s.selector.clone())
    }

    fn template(&self) -> PodTemplateSpec {
        self.spec.as_ref().and_then(|s| s.template.clone()).unwrap_or_default()
    }

    fn min_ready_seconds(&self) -> i32 {
        self.spec.as_ref().and_then(|s| s.min_ready_seconds).unwrap_or(0)
    }

    fn status(&self) -> Option<ReplicaSetStatus> {
        self.status.clone()
    }

    fn with_status(self, status: ReplicaSetStatus) -> Self {
        Self { status: Some(status), ..self }
    }
}

impl Replicated for ReplicationController {
    const NAME: &'static str = "replicationcontroller";
    const COMPONENT: &'static str = "replication-controller";

    fn informer(cluster: &Cluster) -> &Informer<Self> {
        &cluster.replication_controllers
    }

    fn replicas(&self) -> i32 {
        self.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1)
    }

    fn selector(&self) -> Option<LabelSelector> {
        let labels = self.spec.as_ref().and_then(|s| s.selector.clone());
        labels.map(|labels| LabelSelector { match_labels: Some(labels), match_expressions: None })
    }

    fn template(&self) -> PodTemplateSpec {
        self.spec.as_ref().and_then(|s| s.template.clone()).unwrap_or_default()
    }

    fn min_ready_seconds(&self) -> i32 {
        self.spec.as_ref().and_then(|s| s.min_ready_seconds).unwrap_or(0)
    }

    fn status(&self) -> Option<ReplicaSetStatus> {
        let status = self.status.clone()?;
        let conditions = status.conditions.map(|all| {
            let convert = |c: ReplicationControllerCondition| ReplicaSetCondition {
                last_transition_time: c.last_transition_time,
                message: c.message,
                reason: c.reason,
                status: c.status,
                type_: c.type_,
            };
            all.into_iter().map(convert).collect()
        });
        Some(ReplicaSetStatus {
            available_replicas: status.available_replicas,
            conditions,
            fully_labeled_replicas: status.fully_labeled_replicas,
            observed_generation: status.observed_generation,
            ready_replicas: status.ready_replicas,
            replicas: status.replicas,
            terminating_replicas: None,
        })
    }

    fn with_status(self, status: ReplicaSetStatus) -> Self {
        let conditions = status.conditions.map(|all| {
            let convert = |c: ReplicaSetCondition| ReplicationControllerCondition {
                last_transition_time: c.last_transition_time,
                message: c.message,
                reason: c.reason,
                status: c.status,
                type_: c.type_,
            };
            all.into_iter().map(convert).collect()
        });
        let status = ReplicationControllerStatus {
            available_replicas: status.available_replicas,
            conditions,
            fully_labeled_replicas: status.fully_labeled_replicas,
            observed_generation: status.observed_generation,
            ready_replicas: status.ready_replicas,
            replicas: status.replicas,
        };
        Self { status: Some(status), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replication_controller_reads_and_reports_like_a_replica_set() {
        let old: ReplicationController = serde_json::from_value(serde_json::json!({
            "metadata": { "name": "rc" },
            "spec": { "replicas": 2, "selector": { "a": "b" }, "minReadySeconds": 3 },
        }))
        .unwrap();
        assert_eq!((old.replicas(), old.min_ready_seconds()), (2, 3));
        let labels = old.selector().and_then(|s| s.match_labels).unwrap();
        assert_eq!(labels.get("a").map(String::as_str), Some("b"));
        let condition = ReplicaSetCondition { type_: "ReplicaFailure".into(), ..Default::default() };
        let status = ReplicaSetStatus { replicas: 1, conditions: Some(vec![condition]), ..Default::default() };
        assert_eq!(old.with_status(status.clone()).status(), Some(status));
    }
}
