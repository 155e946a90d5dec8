//! The Deployment controller: reads the sets, asks the other modules what to do, writes it.

use super::conditions::{self, CREATE_ERROR, FOUND_NEW_SET, NEW_SET_CREATED, PROGRESSING, condition};
use super::rollout::{self, Step};
use super::sets::{Sets, same_template, to_clean_up, wanted};
use super::strategy::{Limits, is_recreate};
use super::{annotations, naming, scaling, status};
use crate::cluster::Cluster;
use crate::framework::{
    Delta, Key, Owner, Reconcile, ReconcileError, Recorder, WorkQueue, adopt, controller_of, owner_reference, release,
};
use crate::pod_control::{is_code, is_namespace_terminating, message};
use async_trait::async_trait;
use coracle_api::pod;
use coracle_api::selector::LabelSelector;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use parking_lot::Mutex;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// See the module's documentation.
pub struct DeploymentController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
    recorder: Recorder,
}

/// One deployment while it is reconciled.
struct Work<'a> {
    deployment: &'a Deployment,
    limits: Limits,
    recreate: bool,
    deployments: Api<Deployment>,
    replica_sets: Api<ReplicaSet>,
    recorder: &'a Recorder,
    /// Conditions found on the way, that the report at the end carries.
    told: Mutex<Vec<DeploymentCondition>>,
}

impl DeploymentController {
    /// The controller, listening to the informers it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<DeploymentController> {
        let controller = Arc::new(DeploymentController {
            cluster: cluster.clone(),
            queue: WorkQueue::new(),
            recorder: cluster.recorder.named("deployment-controller"),
        });
        let this = Arc::downgrade(&controller);
        cluster.deployments.on_change(move |delta| {
            if let Some(this) = this.upgrade() {
                this.queue.add(Key::of(&delta.object().metadata));
            }
        });
        let this = Arc::downgrade(&controller);
        cluster.replica_sets.on_change(move |delta| {
            if let Some(this) = this.upgrade() {
                this.set_changed(delta);
            }
        });
        let this = Arc::downgrade(&controller);
        cluster.pods.on_change(move |delta| {
            if let (Some(this), Delta::Deleted(pod)) = (this.upgrade(), delta) {
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
                let labels = set.metadata.labels.clone().unwrap_or_default();
                for deployment in self.cluster.deployments.store().in_namespace(&namespace) {
                    if selector(&deployment).is_ok_and(|s| !s.is_everything() && s.matches(&labels)) {
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
        let selector = selector(work.deployment)?;
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

impl Work<'_> {
    fn name(&self) -> &str {
        self.deployment.metadata.name.as_deref().unwrap_or_default()
    }

    /// The sets with a new one for the current template: found, or made with as many replicas as it may have now.
    async fn ensure_new_set(&self, sets: Sets) -> Result<Sets, ReconcileError> {
        if sets.new.is_some() {
            return self.number_existing(sets).await;
        }
        let revision = annotations::max_revision(sets.old.iter().map(AsRef::as_ref)) + 1;
        let replicas = rollout::new_set_size(self.limits, &sets, self.recreate);
        let wish = naming::new_set(self.deployment, self.limits, revision, replicas);
        let made = match self.replica_sets.create(&PostParams::default(), &wish).await {
            Ok(made) => {
                self.tell_scaled(&made, 0, replicas);
                self.tell_progress(NEW_SET_CREATED, format!("Created new replica set {:?}", name_of(&made)));
                made
            }
            Err(error) if is_code(&error, 409) => self.resolve_collision(&wish).await?,
            Err(error) if is_namespace_terminating(&error) => return Err(error.into()),
            Err(error) => {
                let text = format!("Failed to create new replica set {:?}: {}", name_of(&wish), message(&error));
                self.recorder.warning(self.deployment, CREATE_ERROR, text.clone());
                if conditions::progress_deadline_seconds(self.deployment).is_some() {
                    let failed = condition(PROGRESSING, "False", CREATE_ERROR, text, Timestamp::now());
                    self.tell_condition(failed);
                    self.write_status(self.current().status.unwrap_or_default()).await?;
                }
                return Err(error.into());
            }
        };
        self.set_revision(&revision.to_string()).await?;
        Ok(Sets { new: Some(Arc::new(made)), old: sets.old })
    }

    /// The name is taken: by our own set that the watch has not shown yet, or by another template with the same hash.
    async fn resolve_collision(&self, wish: &ReplicaSet) -> Result<ReplicaSet, ReconcileError> {
        let existing = self.replica_sets.get(&name_of(wish)).await?;
        let ours = controller_of(&existing.metadata).map(|o| o.uid.as_str()) == self.deployment.metadata.uid.as_deref();
        let template = self.deployment.spec.as_ref().map(|s| &s.template);
        if ours && template.is_some_and(|template| same_template(template, &existing)) {
            return Ok(existing);
        }
        let mut status = self.deployment.status.clone().unwrap_or_default();
        let collisions = status.collision_count.unwrap_or(0) + 1;
        status.collision_count = Some(collisions);
        self.write_status(status).await?;
        Err(ReconcileError::Invalid(format!(
            "hash collision: replica set {} exists; trying another name",
            name_of(wish)
        )))
    }

    /// Gives the existing new set its revision and annotations.
    async fn number_existing(&self, sets: Sets) -> Result<Sets, ReconcileError> {
        let Some(new) = sets.new.clone() else { return Ok(sets) };
        let revision = annotations::max_revision(sets.old.iter().map(AsRef::as_ref)) + 1;
        let current = new.metadata.annotations.clone().unwrap_or_default();
        let wanted_annotations = annotations::for_new_set(self.deployment, &current, revision);
        let min_ready = self.deployment.spec.as_ref().and_then(|s| s.min_ready_seconds).unwrap_or(0);
        let set_min_ready = new.spec.as_ref().and_then(|s| s.min_ready_seconds).unwrap_or(0);
        let mut updated = new.clone();
        if wanted_annotations != current || min_ready != set_min_ready {
            let patch = json!({
                "metadata": {"resourceVersion": new.metadata.resource_version, "annotations": wanted_annotations},
                "spec": {"minReadySeconds": min_ready},
            });
            let params = PatchParams::default();
            updated = Arc::new(self.replica_sets.patch(&name_of(&new), &params, &Patch::Merge(patch)).await?);
        }
        if let Some(revision) = wanted_annotations.get(annotations::REVISION) {
            self.set_revision(revision).await?;
        }
        let all = self.deployment.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
        if conditions::find(all, PROGRESSING).is_none() {
            self.tell_progress(FOUND_NEW_SET, format!("Found new replica set {:?}", name_of(&new)));
        }
        Ok(Sets { new: Some(updated), old: sets.old })
    }

    /// The deployment carries the revision of its newest set.
    async fn set_revision(&self, revision: &str) -> Result<(), ReconcileError> {
        let current = self.deployment.metadata.annotations.as_ref().and_then(|a| a.get(annotations::REVISION));
        if current.map(String::as_str) == Some(revision) {
            return Ok(());
        }
        let patch = json!({"metadata": {"annotations": {(annotations::REVISION): revision}}});
        self.deployments.patch(self.name(), &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    fn tell_progress(&self, why: &str, text: String) {
        if conditions::progress_deadline_seconds(self.deployment).is_some() {
            self.tell_condition(condition(PROGRESSING, "True", why, text, Timestamp::now()));
        }
    }

    fn tell_condition(&self, new: DeploymentCondition) {
        self.told.lock().push(new);
    }

    /// The deployment with the conditions told so far.
    fn current(&self) -> Deployment {
        let mut current = self.deployment.clone();
        let all = current.status.get_or_insert_default().conditions.get_or_insert_default();
        self.told.lock().iter().for_each(|told| conditions::set(all, told.clone()));
        current
    }

    /// Writes a status on top of whatever was written to the deployment since it was read: nobody else writes it.
    async fn write_status(&self, status: DeploymentStatus) -> Result<(), ReconcileError> {
        let mut updated = self.deployment.clone();
        updated.metadata.resource_version = None;
        updated.status = Some(status);
        self.deployments.replace_status(self.name(), &PostParams::default(), &updated).await?;
        Ok(())
    }

    async fn report(&self, new: DeploymentStatus) -> Result<Option<Duration>, ReconcileError> {
        let again = status::recheck_after(self.deployment, self.limits, &new, Timestamp::now());
        if status::differs(self.deployment.status.as_ref(), &new) {
            self.write_status(new).await?;
        }
        Ok(again)
    }

    /// Scales the sets; a set that has its size still gets the annotations that say what for.
    async fn take(&self, steps: Vec<Step>) -> Result<(), ReconcileError> {
        for Step { set, replicas } in steps {
            let marks = annotations::for_scale(self.limits);
            let marked = marks
                .iter()
                .all(|(key, value)| set.metadata.annotations.as_ref().and_then(|a| a.get(*key)) == Some(value));
            if wanted(&set) == replicas && marked {
                continue;
            }
            let annotations: serde_json::Map<_, _> = marks.map(|(k, v)| (k.to_owned(), v.into())).into_iter().collect();
            let patch = json!({
                "metadata": {"resourceVersion": set.metadata.resource_version, "annotations": annotations},
                "spec": {"replicas": replicas},
            });
            self.replica_sets.patch(&name_of(&set), &PatchParams::default(), &Patch::Merge(patch)).await?;
            self.tell_scaled(&set, wanted(&set), replicas);
        }
        Ok(())
    }

    fn tell_scaled(&self, set: &ReplicaSet, from: i32, to: i32) {
        if from != to {
            let direction = if to > from { "up" } else { "down" };
            let text = format!("Scaled {direction} replica set {} from {from} to {to}", name_of(set));
            self.recorder.normal(self.deployment, "ScalingReplicaSet", text);
        }
    }

    async fn clean_up(&self, sets: &Sets) -> Result<(), ReconcileError> {
        let limit = self.deployment.spec.as_ref().and_then(|s| s.revision_history_limit).unwrap_or(10);
        for set in to_clean_up(&sets.old, limit) {
            let uid = Preconditions { uid: set.metadata.uid.clone(), resource_version: None };
            let params = DeleteParams::background().preconditions(uid);
            match self.replica_sets.delete(&name_of(&set), &params).await {
                Err(error) if !is_code(&error, 404) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

fn name_of(set: &ReplicaSet) -> String {
    set.metadata.name.clone().unwrap_or_default()
}

fn selector(deployment: &Deployment) -> Result<LabelSelector, ReconcileError> {
    LabelSelector::from_object(deployment.spec.as_ref().map(|s| &s.selector))
        .map_err(|error| ReconcileError::Invalid(error.to_string()))
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
        };
        self.sync(&work).await
    }
}
