//! Pods whose Job is gone: nobody will count them, so that their finalizer only stands in the way.

use super::tracking::{has_finalizer, remove_finalizer};
use crate::cluster::Cluster;
use crate::framework::{Delta, Key, Reconcile, ReconcileError, WorkQueue, controller_of};
use async_trait::async_trait;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use std::sync::Arc;
use std::time::Duration;

/// See the module's documentation. Its keys are pods.
pub struct JobOrphanController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
}

impl JobOrphanController {
    /// The controller, listening to the informers it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<JobOrphanController> {
        let controller = Arc::new(JobOrphanController { cluster: cluster.clone(), queue: WorkQueue::new() });
        cluster.pods.tell(&controller, |this, delta| {
            if !matches!(delta, Delta::Deleted(_)) && this.is_orphan(delta.object()) {
                this.queue.add(Key::of(&delta.object().metadata));
            }
        });
        cluster.jobs.tell(&controller, |this, delta| {
            if let Delta::Deleted(job) = delta {
                let uid = job.metadata.uid.as_deref().unwrap_or_default();
                for pod in this.cluster.pods.store().controlled_by(uid) {
                    this.queue.add(Key::of(&pod.metadata));
                }
            }
        });
        controller
    }

    /// Whether the pod is held for a Job that the watch does not have.
    fn is_orphan(&self, pod: &Pod) -> bool {
        has_finalizer(pod) && !self.has_job(pod)
    }

    fn has_job(&self, pod: &Pod) -> bool {
        let Some(owner) = controller_of(&pod.metadata).filter(|owner| owner.kind == "Job") else { return false };
        let key = Key::new(pod.metadata.namespace.clone().unwrap_or_default(), owner.name.clone());
        let job = self.cluster.jobs.store().get(&key);
        job.is_some_and(|job| job.metadata.uid.as_deref() == Some(&owner.uid))
    }
}

#[async_trait]
impl Reconcile for JobOrphanController {
    fn name(&self) -> &'static str {
        "job-orphan"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(pod) = self.cluster.pods.store().get(key).filter(|pod| self.is_orphan(pod)) else { return Ok(None) };
        // The watch of Jobs may be behind that of pods: the server knows.
        if let Some(owner) = controller_of(&pod.metadata).filter(|owner| owner.kind == "Job") {
            let api: Api<Job> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
            if api.get_opt(&owner.name).await?.is_some_and(|job| job.metadata.uid.as_deref() == Some(&owner.uid)) {
                return Ok(None);
            }
        }
        remove_finalizer(&self.cluster.client, &pod).await?;
        Ok(None)
    }
}
