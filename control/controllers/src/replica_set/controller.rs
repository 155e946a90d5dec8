//! The controller of ReplicaSets and ReplicationControllers: counts, creates, deletes, reports.

use super::kinds::Replicated;
use super::status::{self, Failure};
use crate::cluster::Cluster;
use crate::framework::{
    Delta, Expectations, Key, Owner, Reconcile, ReconcileError, WorkQueue, adopt, controller_of, may_adopt,
    owner_reference, release, selector_of, slow_start,
};
use crate::pod_control::{PodControl, pod_from_template};
use crate::ranking::sort_for_deletion;
use async_trait::async_trait;
use coracle_api::pod;
use coracle_api::selector::LabelSelector;
use coracle_client::{is_code, is_namespace_terminating, message};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// Pods created or deleted in one reconcile; the rest follows once the watch shows these.
const BURST: usize = 500;

/// See the module's documentation.
pub struct ReplicaSetController<S> {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
    expectations: Expectations,
    pods: PodControl,
    kind: PhantomData<fn() -> S>,
}

impl<S: Replicated> ReplicaSetController<S> {
    /// The controller, listening to the informers it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<ReplicaSetController<S>> {
        let controller = Arc::new(ReplicaSetController {
            cluster: cluster.clone(),
            queue: WorkQueue::new(),
            expectations: Expectations::default(),
            pods: PodControl { client: cluster.client.clone(), recorder: cluster.recorder.named(S::COMPONENT) },
            kind: PhantomData,
        });
        S::informer(cluster).tell(&controller, Self::set_changed);
        cluster.pods.tell(&controller, Self::pod_changed);
        controller
    }

    fn set_changed(&self, delta: &Delta<'_, S>) {
        let key = Key::of(delta.object().meta());
        if matches!(delta, Delta::Deleted(_)) {
            self.expectations.forget(&key);
        }
        self.queue.add(key);
    }

    fn pod_changed(&self, delta: &Delta<'_, Pod>) {
        let pod = delta.object();
        if let Delta::Updated(old, new) = delta
            && controller_of(&old.metadata).map(|o| &o.uid) != controller_of(&new.metadata).map(|o| &o.uid)
            && let Some(key) = self.owner_key(old)
        {
            self.queue.add(key);
        }
        let Some(key) = self.owner_key(pod) else {
            if controller_of(&pod.metadata).is_none() && !matches!(delta, Delta::Deleted(_)) {
                self.orphan_changed(pod);
            }
            return;
        };
        self.expectations.seen(&key, delta);
        self.queue.add(key);
    }

    /// The set that controls the pod, if that is one we know, of the same uid.
    fn owner_key(&self, pod: &Pod) -> Option<Key> {
        let owner = controller_of(&pod.metadata).filter(|owner| owner.kind == S::kind(&()))?;
        let key = Key::new(pod.metadata.namespace.clone()?, owner.name.clone());
        let set = S::informer(&self.cluster).store().get(&key)?;
        (set.meta().uid.as_deref() == Some(&owner.uid)).then_some(key)
    }

    fn orphan_changed(&self, pod: &Pod) {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        for set in S::informer(&self.cluster).store().in_namespace(namespace) {
            if may_adopt(set.selector().as_ref(), pod.metadata.labels.as_ref()) {
                self.queue.add(Key::of(set.meta()));
            }
        }
    }

    /// The pods of the set, after adopting and releasing what must be.
    async fn claim(&self, set: &S, selector: &LabelSelector) -> Result<Vec<Arc<Pod>>, ReconcileError> {
        let uid = set.meta().uid.as_deref().unwrap_or_default();
        let namespace = set.meta().namespace.as_deref().unwrap_or_default();
        let deleting = set.meta().deletion_timestamp.is_some();
        let store = self.cluster.pods.store();
        let api: Api<Pod> = Api::namespaced(self.cluster.client.clone(), namespace);
        let mut claimed = Vec::new();
        for pod in store.controlled_by(uid).into_iter().chain(store.orphans(namespace)) {
            let selected = pod.metadata.labels.as_ref().is_some_and(|labels| selector.matches(labels));
            match Owner::of(&pod.metadata, uid, deleting, selected) {
                Owner::Mine => claimed.push(pod),
                Owner::Adopt if pod::is_terminal(&pod) => {}
                Owner::Adopt => {
                    self.check_alive(set).await?;
                    claimed.push(Arc::new(adopt(&api, &pod.metadata, owner_reference(set)).await?));
                }
                Owner::Release => match release(&api, &pod.metadata, uid).await {
                    Err(error) if is_code(&error, 404) => {}
                    result => drop(result?),
                },
                Owner::Other => {}
            }
        }
        Ok(claimed)
    }

    /// Asks the server, not the cache: a set that was deleted must adopt nothing.
    async fn check_alive(&self, set: &S) -> Result<(), ReconcileError> {
        let name = set.meta().name.as_deref().unwrap_or_default();
        let live = self.api(set).get(name).await?;
        if live.meta().uid == set.meta().uid && live.meta().deletion_timestamp.is_none() {
            return Ok(());
        }
        Err(ReconcileError::Invalid(format!("{name} has just been deleted, so that it adopts no pods")))
    }

    fn api(&self, set: &S) -> Api<S> {
        let namespace = set.meta().namespace.as_deref().unwrap_or_default();
        Api::namespaced(self.cluster.client.clone(), namespace)
    }

    /// Creates or deletes pods until there are as many as wanted; the failure, if there was one.
    async fn scale(&self, key: &Key, set: &S, active: &[Arc<Pod>]) -> Option<(&'static str, kube::Error)> {
        let wanted = set.replicas();
        let wanted = usize::try_from(wanted).unwrap_or(0);
        if active.len() < wanted {
            let error = self.create(key, set, (wanted - active.len()).min(BURST)).await?;
            return Some(("FailedCreate", error));
        }
        if active.len() > wanted {
            let error = self.delete(key, set, active, (active.len() - wanted).min(BURST)).await?;
            return Some(("FailedDelete", error));
        }
        None
    }

    async fn create(&self, key: &Key, set: &S, count: usize) -> Option<kube::Error> {
        let template = set.template();
        let pod = pod_from_template(&template, &key.namespace, &key.name, owner_reference(set));
        self.expectations.expect_creations(key, count);
        let (created, error) = slow_start(count, |_| async { self.pods.create(set, &pod).await.map(drop) }).await;
        // Those not created will not be seen either.
        self.expectations.created(key, count - created);
        error.filter(|error| !is_namespace_terminating(error))
    }

    async fn delete(&self, key: &Key, set: &S, active: &[Arc<Pod>], count: usize) -> Option<kube::Error> {
        let mut ranked = active.to_vec();
        sort_for_deletion(&mut ranked, &self.related_pods(set), Timestamp::now());
        ranked.truncate(count);
        let uid = |pod: &Pod| pod.metadata.uid.clone().unwrap_or_default();
        self.expectations.expect_deletions(key, ranked.iter().map(|pod| uid(pod)));
        let (_, error) = slow_start(ranked.len(), |i| {
            let pod = ranked[i].clone();
            async move { self.pods.delete(set, &pod).await.inspect_err(|_| self.expectations.deleted(key, &uid(&pod))) }
        })
        .await;
        if error.is_some() {
            // Those behind the failure were not tried.
            ranked.iter().for_each(|pod| self.expectations.deleted(key, &uid(pod)));
        }
        error
    }

    /// The pods of all sets with the same controller: a Deployment's pods should not crowd one node either.
    fn related_pods(&self, set: &S) -> Vec<Arc<Pod>> {
        let (pods, sets) = (self.cluster.pods.store(), S::informer(&self.cluster).store());
        let siblings = match controller_of(set.meta()) {
            Some(owner) => sets.controlled_by(&owner.uid),
            None => vec![Arc::new(set.clone())],
        };
        siblings
            .iter()
            .filter_map(|sibling| sibling.meta().uid.as_deref())
            .flat_map(|uid| pods.controlled_by(uid))
            .collect()
    }
}

#[async_trait]
impl<S: Replicated> Reconcile for ReplicaSetController<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(set) = S::informer(&self.cluster).store().get(key) else {
            self.expectations.forget(key);
            return Ok(None);
        };
        // Asked before the pods are read: what is seen in between must not be counted twice.
        let may_scale = self.expectations.satisfied(key) && set.meta().deletion_timestamp.is_none();
        let pods = self.claim(&set, &selector_of(set.selector().as_ref())?).await?;
        let terminating = pods.iter().filter(|p| pod::is_deleting(p) && !pod::is_terminal(p)).count();
        let active: Vec<Arc<Pod>> = pods.into_iter().filter(|p| pod::is_active(p)).collect();
        let failure = if may_scale { self.scale(key, &set, &active).await } else { None };
        let told: Failure = failure.as_ref().map(|(reason, error)| (*reason, message(error)));
        let new = status::status(&*set, &active, terminating, &told, Timestamp::now());
        let waits = new.ready_replicas != new.available_replicas;
        if status::differs(set.status().as_ref(), &new) {
            let updated = (*set).clone().with_status(new);
            self.api(&set).replace_status(&key.name, &PostParams::default(), &updated).await?;
        }
        match failure {
            Some((_, error)) => Err(error.into()),
            None => Ok(waits.then(|| status::min_ready(&*set).max(Duration::from_secs(1)))),
        }
    }
}
