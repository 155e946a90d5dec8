//! The writes of one reconcile of a Deployment.

use super::conditions::{self, CREATE_ERROR, FOUND_NEW_SET, NEW_SET_CREATED, PROGRESSING, condition};
use super::rollout::{self, Step};
use super::sets::{Sets, same_template, to_clean_up, wanted};
use super::strategy::Limits;
use super::{annotations, naming, status};
use crate::framework::{ReconcileError, controller_of};
use coracle_client::{EventRecorder, about, is_code, is_namespace_terminating, message};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use parking_lot::Mutex;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// One deployment while it is reconciled.
pub struct Work<'a> {
    /// The deployment as the watch shows it.
    pub deployment: &'a Deployment,
    /// How far it may go at once.
    pub limits: Limits,
    /// Whether all old pods go first.
    pub recreate: bool,
    /// Where deployments are written.
    pub deployments: Api<Deployment>,
    /// Where its sets are written.
    pub replica_sets: Api<ReplicaSet>,
    /// Tells events.
    pub recorder: &'a EventRecorder,
    /// Conditions found on the way, that the report at the end carries.
    pub told: Mutex<Vec<DeploymentCondition>>,
    /// The deployment's metadata after our own last write to it, if there was one.
    pub written: Mutex<Option<ObjectMeta>>,
}

impl Work<'_> {
    fn name(&self) -> &str {
        self.deployment.metadata.name.as_deref().unwrap_or_default()
    }

    /// The sets with a new one for the current template: found, or made with as many replicas as it may have now.
    pub async fn ensure_new_set(&self, sets: Sets) -> Result<Sets, ReconcileError> {
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
                self.recorder.warning(&about(self.deployment), CREATE_ERROR, text.clone());
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
    pub async fn number_existing(&self, sets: Sets) -> Result<Sets, ReconcileError> {
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

    /// The deployment carries the revision of its newest set. Written as part of the status: an annotation written to
    /// the deployment itself would count as a new generation.
    async fn set_revision(&self, revision: &str) -> Result<(), ReconcileError> {
        let current = self.deployment.metadata.annotations.as_ref().and_then(|a| a.get(annotations::REVISION));
        if current.map(String::as_str) == Some(revision) {
            return Ok(());
        }
        let patch = json!({"metadata": {"annotations": {(annotations::REVISION): revision}}});
        let written = self.deployments.patch_status(self.name(), &PatchParams::default(), &Patch::Merge(patch)).await?;
        *self.written.lock() = Some(written.metadata);
        Ok(())
    }

    fn tell_progress(&self, why: &str, text: String) {
        if conditions::progress_deadline_seconds(self.deployment).is_some() {
            self.tell_condition(condition(PROGRESSING, "True", why, text, Timestamp::now()));
        }
    }

    /// Has the report at the end carry a condition.
    pub fn tell_condition(&self, new: DeploymentCondition) {
        self.told.lock().push(new);
    }

    /// The deployment with the conditions told so far.
    pub fn current(&self) -> Deployment {
        let mut current = self.deployment.clone();
        let all = current.status.get_or_insert_default().conditions.get_or_insert_default();
        self.told.lock().iter().for_each(|told| conditions::set(all, told.clone()));
        current
    }

    /// Writes a status, unless somebody else wrote the deployment since it was read: what they said of it, maybe in a
    /// condition of their own, must stay.
    async fn write_status(&self, status: DeploymentStatus) -> Result<(), ReconcileError> {
        let mut updated = self.deployment.clone();
        // With the annotations as well: a status write replaces them, and the revision must not be undone by it.
        if let Some(metadata) = self.written.lock().clone() {
            updated.metadata = metadata;
        }
        updated.status = Some(status);
        let written = self.deployments.replace_status(self.name(), &PostParams::default(), &updated).await?;
        *self.written.lock() = Some(written.metadata);
        Ok(())
    }

    /// Writes the status if it is new; when to look again.
    pub async fn report(&self, new: DeploymentStatus) -> Result<Option<Duration>, ReconcileError> {
        let again = status::recheck_after(self.deployment, self.limits, &new, Timestamp::now());
        if status::differs(self.deployment.status.as_ref(), &new) {
            self.write_status(new).await?;
        }
        Ok(again)
    }

    /// Scales the sets; a set that has its size still gets the annotations that say what for.
    pub async fn take(&self, steps: Vec<Step>) -> Result<(), ReconcileError> {
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
            self.recorder.normal(&about(self.deployment), "ScalingReplicaSet", text);
        }
    }

    /// Deletes the old sets beyond the history limit.
    pub async fn clean_up(&self, sets: &Sets) -> Result<(), ReconcileError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::rollout::testing::{deployment, set};
    use coracle_client::EventRecorder;
    use http_body_util::BodyExt;
    use k8s_openapi::api::core::v1::EventSource;
    use kube::Client;
    use kube::client::Body;
    use serde_json::Value;

    /// An API server that takes every write, as version 8, and remembers the last one's version, conditions and annotations.
    fn server(last: &Arc<Mutex<Value>>) -> Client {
        let last = last.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let last = last.clone();
            async move {
                let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
                let mut value: Value = serde_json::from_slice(&body)?;
                let metadata = &value["metadata"];
                *last.lock() =
                    json!([metadata["resourceVersion"], value["status"]["conditions"], metadata["annotations"]]);
                value["metadata"]["resourceVersion"] = "8".into();
                value["spec"] = json!({"selector": {}, "template": {}});
                Ok::<_, std::io::Error>(http::Response::new(Body::from(value.to_string().into_bytes())))
            }
        });
        Client::new(service, "d")
    }

    #[tokio::test]
    async fn a_status_is_written_over_the_version_it_was_made_from() {
        let last = Arc::default();
        let client = server(&last);
        let (recorder, _) = EventRecorder::new(client.clone(), EventSource::default());
        let mut web = deployment(1, &json!({}));
        web.metadata.resource_version = Some("7".to_owned());
        let foreign = json!([{"type": "example.com/Audited", "status": "True"}]);
        web.status.get_or_insert_default().conditions = serde_json::from_value(foreign).unwrap();
        let limits = Limits::of(&web);
        let work = Work {
            deployment: &web,
            limits,
            recreate: false,
            deployments: Api::namespaced(client.clone(), "d"),
            replica_sets: Api::namespaced(client, "d"),
            recorder: &recorder,
            told: Mutex::default(),
            written: Mutex::default(),
        };
        let sets = Sets { new: Some(set("new", 1, 1, 1)), old: vec![] };
        work.report(status::of_rollout(&work.current(), limits, &sets, Timestamp::UNIX_EPOCH)).await.unwrap();
        assert_eq!(last.lock()[0], "7", "what somebody wrote meanwhile makes this fail, and be tried again");
        assert_eq!(last.lock()[1][0]["type"], "example.com/Audited", "conditions of others stay");
        work.set_revision("2").await.unwrap();
        work.write_status(web.status.clone().unwrap()).await.unwrap();
        assert_eq!(last.lock()[0], "8", "our own writes are no conflict");
        assert_eq!(last.lock()[2][annotations::REVISION], "2", "and the status does not undo them");
    }
}
