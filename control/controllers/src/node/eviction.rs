//! Drives pods away from nodes with NoExecute taints, each when its tolerations say.

use super::taints::{Stay, stay};
use crate::cluster::Cluster;
use crate::framework::{Delta, Key, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use coracle_api::pod;
use coracle_client::{EventRecorder, about, is_code};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// See the module's documentation. Its keys are nodes.
pub struct EvictionController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
    recorder: EventRecorder,
}

impl EvictionController {
    /// The controller, listening to the informers it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<EvictionController> {
        let controller = Arc::new(EvictionController {
            cluster: cluster.clone(),
            queue: WorkQueue::new(),
            recorder: cluster.recorder.named("taint-eviction-controller"),
        });
        cluster.nodes.enqueue_for(&controller);
        cluster.pods.tell(&controller, Self::pod_changed);
        controller
    }

    fn pod_changed(&self, delta: &Delta<'_, Pod>) {
        let spec = |pod: &Pod| pod.spec.as_ref().map(|s| (s.node_name.clone(), s.tolerations.clone()));
        let pod = delta.object();
        match delta {
            Delta::Updated(old, new) if spec(old) == spec(new) => return,
            Delta::Deleted(_) => return,
            _ => {}
        }
        if let Some(node) = pod.spec.as_ref().and_then(|s| s.node_name.clone()) {
            let key = Key::new("", node);
            if !self.taints_of(&key).is_empty() {
                self.queue.add(key);
            }
        }
    }

    fn taints_of(&self, node: &Key) -> Vec<Taint> {
        let node = self.cluster.nodes.store().get(node);
        let taints = node.and_then(|node| node.spec.as_ref()?.taints.clone()).unwrap_or_default();
        taints.into_iter().filter(|taint| taint.effect == "NoExecute").collect()
    }

    async fn evict(&self, pod: &Pod) -> Result<(), ReconcileError> {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        self.recorder.normal(
            &about(pod),
            "TaintManagerEviction",
            format!("Marking for deletion Pod {namespace}/{name}"),
        );
        let api: Api<Pod> = Api::namespaced(self.cluster.client.clone(), namespace);
        let patch = json!({"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [{
            "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint", "lastTransitionTime": Time(Timestamp::now()),
        }]}});
        let told = api.patch_status(name, &PatchParams::default(), &Patch::Strategic(patch)).await.map(drop);
        let uid = Preconditions { uid: pod.metadata.uid.clone(), resource_version: None };
        let deleted = api.delete(name, &DeleteParams::default().preconditions(uid)).await.map(drop);
        for result in [told, deleted] {
            match result {
                Err(error) if is_code(&error, 404) || is_code(&error, 409) => {}
                result => result?,
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Reconcile for EvictionController {
    fn name(&self) -> &'static str {
        "taint-eviction"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let taints = self.taints_of(key);
        if taints.is_empty() {
            return Ok(None);
        }
        let (now, default_seconds) = (Timestamp::now(), self.cluster.config.default_toleration_seconds);
        let mut next: Option<Duration> = None;
        for pod in self.cluster.pods.store().indexed(&key.name) {
            if !pod::is_active(&pod) {
                continue;
            }
            match stay(&pod, &taints, default_seconds, now) {
                Stay::ForEver => {}
                Stay::Until(leave) if leave <= now => self.evict(&pod).await?,
                Stay::Until(leave) => {
                    let left = leave.duration_since(now).unsigned_abs();
                    next = Some(next.map_or(left, |earlier| earlier.min(left)));
                }
            }
        }
        Ok(next)
    }
}
