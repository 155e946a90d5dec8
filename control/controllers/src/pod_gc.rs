//! Pods that nobody else will ever remove: bound to nodes that are gone, deleted before they had a node, or ended and
//! too many.

use crate::cluster::Cluster;
use crate::framework::{Key, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use coracle_api::pod;
use coracle_client::is_code;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use parking_lot::Mutex;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often pods are looked at, as in Kubernetes.
const PERIOD: Duration = Duration::from_secs(20);
/// A node must be missing for this long before its pods are: it may be on its way in.
const QUARANTINE: Duration = Duration::from_secs(40);

/// See the module's documentation.
pub struct PodGcController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
    missing_since: Mutex<HashMap<String, Instant>>,
}

impl PodGcController {
    /// The controller; its only key is the cluster.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<PodGcController> {
        let queue = WorkQueue::new();
        queue.add_after(Key::new("", "cluster"), PERIOD);
        Arc::new(PodGcController { cluster: cluster.clone(), queue, missing_since: Mutex::default() })
    }

    /// The nodes that pods are bound to, that have been missing for long enough.
    fn missing_nodes(&self, pods: &[Arc<Pod>]) -> Vec<String> {
        let nodes = self.cluster.nodes.store();
        let mut missing: Vec<String> = pods.iter().filter_map(|pod| node_of(pod).map(str::to_owned)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing.retain(|name| nodes.get(&Key::new("", name.clone())).is_none());
        let (mut since, now) = (self.missing_since.lock(), Instant::now());
        since.retain(|name, _| missing.contains(name));
        missing.retain(|name| now.duration_since(*since.entry(name.clone()).or_insert(now)) >= QUARANTINE);
        missing
    }

    async fn collect_orphans(&self, pods: &[Arc<Pod>]) -> kube::Result<()> {
        let api: Api<Node> = Api::all(self.cluster.client.clone());
        for node in self.missing_nodes(pods) {
            // Asked of the server, not of the cache: this deletes.
            if api.get_opt(&node).await?.is_some() {
                continue;
            }
            for pod in self.cluster.pods.store().indexed(&node) {
                self.fail_orphan(&pod).await?;
                self.remove(&pod).await?;
            }
        }
        Ok(())
    }

    async fn fail_orphan(&self, pod: &Pod) -> kube::Result<()> {
        if pod::is_terminal(pod) {
            return Ok(());
        }
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let patch = json!({"metadata": {"uid": pod.metadata.uid}, "status": {"phase": "Failed", "conditions": [{
            "type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC",
            "message": "PodGC: node no longer exists", "lastTransitionTime": Time(Timestamp::now()),
        }]}});
        let result = self.api(pod).patch_status(name, &PatchParams::default(), &Patch::Strategic(patch)).await;
        gone_is_fine(result.map(drop))
    }

    async fn remove(&self, pod: &Pod) -> kube::Result<()> {
        let uid = Preconditions { uid: pod.metadata.uid.clone(), resource_version: None };
        let params = DeleteParams::default().grace_period(0).preconditions(uid);
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        gone_is_fine(self.api(pod).delete(name, &params).await.map(drop))
    }

    fn api(&self, pod: &Pod) -> Api<Pod> {
        Api::namespaced(self.cluster.client.clone(), pod.metadata.namespace.as_deref().unwrap_or_default())
    }
}

fn gone_is_fine(result: kube::Result<()>) -> kube::Result<()> {
    match result {
        Err(error) if is_code(&error, 404) || is_code(&error, 409) => Ok(()),
        result => result,
    }
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty())
}

/// The ended pods beyond `threshold`, oldest first; a threshold of 0 keeps all.
fn superfluous(pods: &[Arc<Pod>], threshold: usize) -> Vec<Arc<Pod>> {
    if threshold == 0 {
        return Vec::new();
    }
    let mut ended: Vec<Arc<Pod>> = pods.iter().filter(|pod| pod::is_terminal(pod)).cloned().collect();
    ended.sort_by(|a, b| a.metadata.creation_timestamp.cmp(&b.metadata.creation_timestamp));
    ended.truncate(ended.len().saturating_sub(threshold));
    ended
}

#[async_trait]
impl Reconcile for PodGcController {
    fn name(&self) -> &'static str {
        "podgc"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, _: &Key) -> Result<Option<Duration>, ReconcileError> {
        let pods = self.cluster.pods.store().all();
        self.collect_orphans(&pods).await?;
        for pod in pods.iter().filter(|pod| pod::is_deleting(pod) && node_of(pod).is_none()) {
            self.remove(pod).await?;
        }
        for pod in superfluous(&pods, self.cluster.config.terminated_pod_threshold) {
            self.remove(&pod).await?;
        }
        Ok(Some(PERIOD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_ended_pods_go() {
        let pod = |name: &str, phase: &str, day: u8| -> Arc<Pod> {
            let created = format!("2026-01-{day:02}T00:00:00Z");
            let value = json!({"metadata": {"name": name, "creationTimestamp": created}, "status": {"phase": phase}});
            Arc::new(serde_json::from_value(value).unwrap())
        };
        let pods = [pod("b", "Failed", 2), pod("a", "Succeeded", 1), pod("r", "Running", 1), pod("c", "Succeeded", 3)];
        let names = |threshold| -> Vec<String> {
            superfluous(&pods, threshold).iter().map(|p| p.metadata.name.clone().unwrap()).collect()
        };
        assert_eq!(names(1), ["a", "b"]);
        assert!(names(3).is_empty() && names(0).is_empty());
    }
}
