//! The node controller: looks at every node's lease every few seconds, and marks the silent ones.

use super::health::{Heartbeat, silent_conditions, status};
use super::taints::wanted;
use crate::cluster::{Cluster, NODE_LEASES};
use crate::framework::{Delta, Key, MAX_PARALLEL_WRITES, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use coracle_api::pod;
use coracle_client::{EventRecorder, about, is_code};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use parking_lot::Mutex;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// See the module's documentation.
pub struct NodeController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
    recorder: EventRecorder,
    heartbeats: Mutex<HashMap<String, Heartbeat>>,
}

impl NodeController {
    /// The controller, listening to the informers it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<NodeController> {
        let controller = Arc::new(NodeController {
            cluster: cluster.clone(),
            queue: WorkQueue::new(),
            recorder: cluster.recorder.named("node-controller"),
            heartbeats: Mutex::default(),
        });
        cluster.nodes.tell(&controller, Self::tell_of_removal);
        cluster.nodes.enqueue_for(&controller);
        controller
    }

    fn tell_of_removal(&self, delta: &Delta<'_, Node>) {
        if let Delta::Deleted(node) = delta {
            let name = node.metadata.name.as_deref().unwrap_or_default();
            let message = format!("Node {name} event: Removing Node {name} from Controller");
            self.recorder.normal(&about(&***node), "RemovingNode", message);
        }
    }

    /// The newest sign of life: the lease, or the status for agents that renew none.
    fn sign(&self, node: &Node) -> Option<Timestamp> {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let lease = self.cluster.leases.store().get(&Key::new(NODE_LEASES, name));
        let renewed = lease.and_then(|lease| Some(lease.spec.as_ref()?.renew_time.as_ref()?.0));
        let conditions = node.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
        let ready = conditions.iter().find(|c| c.type_ == "Ready");
        // Once marked, the condition is our own word and no sign of the node's.
        let posted = ready.filter(|c| c.status != "Unknown").and_then(|c| Some(c.last_heartbeat_time.as_ref()?.0));
        renewed.max(posted)
    }

    fn silence(&self, node: &Node) -> Duration {
        let (sign, now) = (self.sign(node), Instant::now());
        let name = node.metadata.name.clone().unwrap_or_default();
        let mut heartbeats = self.heartbeats.lock();
        if !heartbeats.contains_key(&name) {
            let message = format!("Node {name} event: Registered Node {name} in Controller");
            self.recorder.normal(&about(node), "RegisteredNode", message);
        }
        heartbeats.entry(name).or_insert_with(|| Heartbeat::new(sign, now)).silence(sign, now)
    }

    async fn mark_silent(&self, node: &Node) -> Result<Option<Node>, ReconcileError> {
        let Some(conditions) = silent_conditions(node, Timestamp::now()) else { return Ok(None) };
        let mut updated = node.clone();
        updated.status.get_or_insert_default().conditions = Some(conditions);
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let api: Api<Node> = Api::all(self.cluster.client.clone());
        let written = api.replace_status(name, &PostParams::default(), &updated).await?;
        if status(node, "Ready") == "True" {
            self.recorder.normal(&about(node), "NodeNotReady", format!("Node {name} status is now: NodeNotReady"));
        }
        Ok(Some(written))
    }

    /// Pods of a node that is not ready are not ready either: their Services must stop sending to them.
    async fn mark_pods(&self, node: &str) -> Result<(), ReconcileError> {
        let mut pods = self.cluster.pods.store().indexed(node);
        pods.retain(|pod| pod::is_ready(pod));
        let results: Vec<kube::Result<()>> = stream::iter(pods)
            .map(|pod| async move { self.mark_pod(&pod).await })
            .buffer_unordered(MAX_PARALLEL_WRITES)
            .collect()
            .await;
        Ok(results.into_iter().collect::<kube::Result<()>>()?)
    }

    async fn mark_pod(&self, pod: &Pod) -> kube::Result<()> {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<Pod> = Api::namespaced(self.cluster.client.clone(), namespace);
        let now = Time(Timestamp::now());
        let patch = json!({"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [
            {"type": "Ready", "status": "False", "lastTransitionTime": now}]}});
        match api.patch_status(name, &PatchParams::default(), &Patch::Strategic(patch)).await {
            Err(error) if !is_code(&error, 404) && !is_code(&error, 409) => return Err(error),
            _ => {}
        }
        self.recorder.warning(&about(pod), "NodeNotReady", "Node is not ready".to_owned());
        Ok(())
    }

    async fn taint(&self, node: &Node) -> Result<(), ReconcileError> {
        let Some(taints) = wanted(node, self.may_evict(), Timestamp::now()) else { return Ok(()) };
        let patch = json!({
            "metadata": {"resourceVersion": node.metadata.resource_version},
            // A node without taints has no list of them.
            "spec": {"taints": (!taints.is_empty()).then_some(taints)},
        });
        let api: Api<Node> = Api::all(self.cluster.client.clone());
        let name = node.metadata.name.as_deref().unwrap_or_default();
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// When all of several nodes fall silent, it is rather us who can't hear: then no pod is driven away.
    fn may_evict(&self) -> bool {
        let nodes = self.cluster.nodes.store().all();
        nodes.len() == 1 || nodes.iter().any(|node| status(node, "Ready") == "True")
    }
}

#[async_trait]
impl Reconcile for NodeController {
    fn name(&self) -> &'static str {
        "node"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(node) = self.cluster.nodes.store().get(key) else {
            self.heartbeats.lock().remove(&key.name);
            return Ok(None);
        };
        let marked = if self.silence(&node) > self.cluster.config.node_monitor_grace {
            self.mark_silent(&node).await?
        } else {
            None
        };
        let current = marked.as_ref().unwrap_or(&node);
        self.taint(current).await?;
        if status(current, "Ready") != "True" {
            self.mark_pods(&key.name).await?;
        }
        Ok(Some(self.cluster.config.node_monitor_period))
    }
}
