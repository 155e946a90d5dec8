//! The Deployment controller: reads the sets, asks the other modules what to do, writes it.

use super::sets::{Sets, wanted};
use super::strategy::{Limits, is_recreate};
use super::work::Work;
use super::{conditions, rollout, scaling, status};
use crate::cluster::Cluster;
use crate::framework::{
    Delta, Key, Owner, Reconcile, ReconcileError, WorkQueue, adopt, controller_of, may_adopt, owner_reference, release,
    selector_of,
};
use async_trait::async_trait;
use coracle_api::pod;
use coracle_client::{EventRecorder, is_code};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// See the module's documentation.
pub struct DeploymentController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
    recorder: EventRecorder,
}

impl DeploymentController {
    /// The controller, listening to the informers it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<DeploymentController> {
        let controller = Arc::new(DeploymentController {
            cluster: cluster.clone(),
            queue: WorkQueue::new(),
            recorder: cluster.recorder.named("deployment-controller"),
        });
        cluster.deployments.enqueue_for(&controller);
        cluster.replica_sets.tell(&controller, Self::set_changed);
        cluster.pods.tell(&controller, |this, delta| {
            if let Delta::Deleted(pod) = delta {
                this.pod_deleted(pod);
            }
        });
        controller
    }

    fn set_changed(&self, delta: &Delta<'_, ReplicaSet>) {
        let set = delta.object();
        let namespace = set.metadata.namespace.clone().unwrap_or_default();
        match controller_of(&set.metadata) {
            Some(owner) if owner.kind == "Deployment" => self.queue.add(Key::new(namespace, owner.name.clone())),
            Some(_) => {}
            None => {
                for deployment in self.cluster.deployments.store().in_namespace(&namespace) {
                    let selector = deployment.spec.as_ref().map(|spec| &spec.selector);
                    if may_adopt(selector, set.metadata.labels.as_ref()) {
                        self.queue.add(Key::of(&deployment.metadata));
                    }
                }
            }
        }
    }

    /// A deployment of type Recreate waits for its last old pod to go.
    fn pod_deleted(&self, pod: &Pod) {
        let Some(owner) = controller_of(&pod.metadata).filter(|owner| owner.kind == "ReplicaSet") else { return };
        let namespace = pod.metadata.namespace.clone().unwrap_or_default();
        let set = self.cluster.replica_sets.store().get(&Key::new(namespace.clone(), owner.name.clone()));
        let Some(set) = set.filter(|set| set.metadata.uid.as_deref() == Some(&owner.uid)) else { return };
        if let Some(owner) = controller_of(&set.metadata) {
            let key = Key::new(namespace, owner.name.clone());
            if self.cluster.deployments.store().get(&key).is_some_and(|deployment| is_recreate(&deployment)) {
                self.queue.add(key);
            }
        }
    }

    /// The deployment's sets, after adopting and releasing what must be.
    async fn claim(&self, work: &Work<'_>) -> Result<Vec<Arc<ReplicaSet>>, ReconcileError> {
        let meta = &work.deployment.metadata;
        let uid = meta.uid.as_deref().unwrap_or_default();
        let selector = selector_of(work.deployment.spec.as_ref().map(|spec| &spec.selector))?;
        let store = self.cluster.replica_sets.store();
        let mut claimed = Vec::new();
        let orphans = store.orphans(meta.namespace.as_deref().unwrap_or_default());
        for set in store.controlled_by(uid).into_iter().chain(orphans) {
            let selected = set.metadata.labels.as_ref().is_some_and(|labels| selector.matches(labels));
            match Owner::of(&set.metadata, uid, meta.deletion_timestamp.is_some(), selected) {
                Owner::Mine => claimed.push(set),
                Owner::Adopt => {
                    let live = work.deployments.get(meta.name.as_deref().unwrap_or_default()).await?;
                    if live.metadata.uid != meta.uid || live.metadata.deletion_timestamp.is_some() {
                        return Err(ReconcileError::Invalid("a deleted deployment adopts no replica sets".to_owned()));
                    }
                    let owner = owner_reference(work.deployment);
                    claimed.push(Arc::new(adopt(&work.replica_sets, &set.metadata, owner).await?));
                }
                Owner::Release => match release(&work.replica_sets, &set.metadata, uid).await {
                    Err(error) if is_code(&error, 404) => {}
                    result => drop(result?),
                },
                Owner::Other => {}
            }
        }
        Ok(claimed)
    }

    fn old_pods_exist(&self, sets: &Sets) -> bool {
        let pods = self.cluster.pods.store();
        sets.old
            .iter()
            .filter_map(|set| set.metadata.uid.as_deref())
            .any(|uid| pods.controlled_by(uid).iter().any(|p| !pod::is_terminal(p)))
    }

    async fn sync(&self, work: &Work<'_>) -> Result<Option<Duration>, ReconcileError> {
        let sets = Sets::of(work.deployment, self.claim(work).await?);
        let now = Timestamp::now();
        if work.deployment.metadata.deletion_timestamp.is_some() {
            return work.report(status::counts(&work.current(), work.limits, &sets, now)).await;
        }
        if let Some(condition) = conditions::for_pause(work.deployment, now) {
            work.tell_condition(condition);
        }
        let paused = work.deployment.spec.as_ref().and_then(|s| s.paused).unwrap_or(false);
        if paused || scaling::is_scaling_event(work.limits, &sets) {
            let sets = work.number_existing(sets).await?;
            let steps = scaling::scale(work.deployment, work.limits, &sets, work.recreate);
            work.take(steps).await?;
            if paused {
                work.clean_up(&sets).await?;
            }
            return work.report(status::counts(&work.current(), work.limits, &sets, now)).await;
        }
        self.roll_out(work, sets, now).await
    }

    async fn roll_out(&self, work: &Work<'_>, sets: Sets, now: Timestamp) -> Result<Option<Duration>, ReconcileError> {
        // Recreate makes the new set only when the old pods are gone.
        let wait = work.recreate && (self.old_pods_exist(&sets) || sets.old.iter().any(|set| wanted(set) > 0));
        let sets = if wait && sets.new.is_none() { sets } else { work.ensure_new_set(sets).await? };
        let steps = if work.recreate {
            rollout::recreate(work.limits, &sets, self.old_pods_exist(&sets))
        } else {
            rollout::rolling(work.limits, &sets)
        };
        let settled = steps.is_empty();
        work.take(steps).await?;
        let new = status::of_rollout(&work.current(), work.limits, &sets, now);
        if settled && status::is_complete(work.deployment, work.limits, &new) {
            work.clean_up(&sets).await?;
        }
        work.report(new).await
    }
}

#[async_trait]
impl Reconcile for DeploymentController {
    fn name(&self) -> &'static str {
        "deployment"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(deployment) = self.cluster.deployments.store().get(key) else { return Ok(None) };
        let client = self.cluster.client.clone();
        let work = Work {
            deployment: &deployment,
            limits: Limits::of(&deployment),
            recreate: is_recreate(&deployment),
            deployments: Api::namespaced(client.clone(), &key.namespace),
            replica_sets: Api::namespaced(client, &key.namespace),
            recorder: &self.recorder,
            told: Mutex::default(),
            written: Mutex::default(),
        };
        self.sync(&work).await
    }
}
