//! The Job controller: counts pods, starts and ends them, reports, and cleans up.

use super::backoff::Failures;
use super::conditions::{self, Ending, is_finished};
use super::outcome::{Outcome, deadline_left, ending, free_indexes, outcome, wanted_active};
use super::report::{conclude, set_counts, time_to_live};
use super::surplus::surplus;
use super::template::{self, is_indexed};
use super::tracking::{self, Removed};
use crate::cluster::Cluster;
use crate::framework::{Delta, Expectations, Key, Reconcile, ReconcileError, WorkQueue, controller_of, slow_start};
use crate::pod_control::PodControl;
use async_trait::async_trait;
use coracle_api::pod;
use coracle_client::{EventRecorder, about, is_code, is_namespace_terminating};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::{DeleteParams, PostParams, Preconditions};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Us, in `spec.managedBy`; Jobs with another manager are that one's (KEP-4368).
const MANAGER: &str = "kubernetes.io/job-controller";
/// Pods started or ended in one reconcile.
const BURST: usize = 500;
/// See the module's documentation.
pub struct JobController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
    recorder: EventRecorder,
    pods: PodControl,
    expectations: Expectations,
    removed: Removed,
    failures: Mutex<HashMap<Key, Failures>>,
}

impl JobController {
    /// The controller, listening to the informers it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<JobController> {
        let recorder = cluster.recorder.named("job-controller");
        let controller = Arc::new(JobController {
            cluster: cluster.clone(),
            queue: WorkQueue::new(),
            pods: PodControl { client: cluster.client.clone(), recorder: recorder.clone() },
            recorder,
            expectations: Expectations::default(),
            removed: Removed::default(),
            failures: Mutex::default(),
        });
        cluster.jobs.enqueue_for(&controller);
        cluster.pods.tell(&controller, Self::pod_changed);
        controller
    }

    fn pod_changed(&self, delta: &Delta<'_, Pod>) {
        let pod = delta.object();
        let Some(owner) = controller_of(&pod.metadata).filter(|owner| owner.kind == "Job") else { return };
        let key = Key::new(pod.metadata.namespace.clone().unwrap_or_default(), owner.name.clone());
        self.removed.seen(pod, matches!(delta, Delta::Deleted(_)));
        self.expectations.seen(&key, delta);
        self.queue.add(key);
    }

    fn api(&self, key: &Key) -> Api<Job> {
        Api::namespaced(self.cluster.client.clone(), &key.namespace)
    }

    /// Writes the status if it is new; the Job as the server has it then.
    async fn write(&self, key: &Key, job: &Job, status: JobStatus) -> Result<Job, ReconcileError> {
        if job.status.clone().unwrap_or_default() == status {
            return Ok(job.clone());
        }
        let updated = Job { status: Some(status), ..job.clone() };
        Ok(self.api(key).replace_status(&key.name, &PostParams::default(), &updated).await?)
    }

    /// Notes the pods that ended, takes their finalizers off, and counts them.
    async fn count(&self, key: &Key, job: Job, seen: &Outcome, pods: &[Arc<Pod>]) -> Result<Job, ReconcileError> {
        let noted = self.write(key, &job, tracking::note(&job, seen)).await?;
        let uncounted = noted.status.as_ref().and_then(|s| s.uncounted_terminated_pods.clone()).unwrap_or_default();
        let listed: HashSet<&String> = uncounted.succeeded.iter().chain(&uncounted.failed).flatten().collect();
        let is_listed = |pod: &Pod| pod.metadata.uid.as_ref().is_some_and(|uid| listed.contains(uid));
        // Indexes are counted by being written; what is ignored is not counted at all. A pod whose deletion counts as
        // failure is released too: nothing more can be learned from it.
        let counted_otherwise: Vec<&Arc<Pod>> =
            seen.ignored.iter().chain(seen.new_succeeded.iter().filter(|_| is_indexed(&job))).collect();
        let due: Vec<Arc<Pod>> = pods
            .iter()
            .filter(|pod| self.removed.is_held(pod) && !seen.keeps(pod))
            .filter(|pod| is_listed(pod) || counted_otherwise.iter().any(|other| Arc::ptr_eq(other, pod)))
            .cloned()
            .collect();
        tracking::remove_finalizers(&self.cluster.client, due, &self.removed).await?;
        let held = pods.iter().filter(|pod| self.removed.is_held(pod)).filter_map(|pod| pod.metadata.uid.clone());
        let mut status = noted.status.clone().unwrap_or_default();
        tracking::count(&mut status, &held.collect());
        Ok(Job { status: Some(status), ..noted })
    }

    /// Ends these pods, as many at once as may be.
    async fn end_pods(&self, key: &Key, job: &Job, pods: &[Arc<Pod>]) -> Result<(), ReconcileError> {
        // No more are expected to go than are ended now; the others' turn comes once the watch shows these.
        let pods = &pods[..pods.len().min(BURST)];
        let uid = |pod: &Pod| pod.metadata.uid.clone().unwrap_or_default();
        self.expectations.expect_deletions(key, pods.iter().map(|pod| uid(pod)));
        let (_, error) = slow_start(pods.len(), |i| {
            let pod = pods[i].clone();
            async move { self.pods.delete(job, &pod).await }
        })
        .await;
        if let Some(error) = error {
            self.expectations.forget(key);
            return Err(error.into());
        }
        // The watch may have shown some deletions before they were expected.
        let store = self.cluster.pods.store();
        for pod in pods {
            if store.get(&Key::of(&pod.metadata)).is_none_or(|pod| pod::is_deleting(&pod)) {
                self.expectations.deleted(key, &uid(pod));
            }
        }
        Ok(())
    }

    async fn start_pods(&self, key: &Key, job: &Job, wishes: Vec<Pod>) -> Result<(), ReconcileError> {
        self.expectations.expect_creations(key, wishes.len());
        let (started, error) = slow_start(wishes.len(), |i| {
            let wish = &wishes[i];
            async move { self.pods.create(job, wish).await.map(drop) }
        })
        .await;
        self.expectations.created(key, wishes.len() - started);
        match error {
            Some(error) if !is_namespace_terminating(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Starts or ends pods until as many are active as should be; when to look again.
    async fn manage(&self, key: &Key, job: &Job, seen: &Outcome) -> Result<Option<Duration>, ReconcileError> {
        let wanted = wanted_active(job, seen);
        let active = seen.active.len();
        let excess = surplus(job, &seen.active, active.saturating_sub(wanted), Timestamp::now());
        if !excess.is_empty() {
            self.end_pods(key, job, &excess).await?;
            return Ok(None);
        }
        // With `podReplacementPolicy: Failed`, the room of a pod is taken until it has ended.
        let held = if job.spec.as_ref().and_then(|s| s.pod_replacement_policy.as_deref()) == Some("Failed") {
            seen.terminating.len()
        } else {
            0
        };
        if active + held >= wanted {
            return Ok(None);
        }
        let room = wanted - active - held;
        if let Some(per_index) = &seen.per_index {
            // All that are free, as those that must wait take no room.
            let (mut due, wait) = per_index.due(job, free_indexes(job, seen, usize::MAX), Timestamp::now());
            due.truncate(room.min(BURST));
            let pod = |index| template::pod_after(job, index, per_index.counts(job, index));
            self.start_pods(key, job, due.into_iter().map(pod).collect()).await?;
            return Ok(wait);
        }
        let delay = self.failures.lock().get(key).copied().unwrap_or_default().delay(Timestamp::now());
        if !delay.is_zero() {
            return Ok(Some(delay));
        }
        let room = room.min(BURST);
        let wishes: Vec<Pod> = if is_indexed(job) {
            free_indexes(job, seen, room).into_iter().map(|index| template::pod(job, Some(index))).collect()
        } else {
            vec![template::pod(job, None); room]
        };
        self.start_pods(key, job, wishes).await?;
        Ok(None)
    }

    /// What is left to do for a Job that is over: release its pods, and remove it when its time has come.
    async fn after_the_end(&self, key: &Key, job: &Job, pods: &[Arc<Pod>]) -> Result<Option<Duration>, ReconcileError> {
        self.failures.lock().remove(key);
        self.expectations.forget(key);
        let held: Vec<Arc<Pod>> = pods.iter().filter(|pod| self.removed.is_held(pod)).cloned().collect();
        tracking::remove_finalizers(&self.cluster.client, held, &self.removed).await?;
        let Some(left) = time_to_live(job, Timestamp::now()) else { return Ok(None) };
        if !left.is_zero() {
            return Ok(Some(left));
        }
        let uid = Preconditions { uid: job.metadata.uid.clone(), resource_version: None };
        match self.api(key).delete(&key.name, &DeleteParams::foreground().preconditions(uid)).await {
            Err(error) if !is_code(&error, 404) => Err(error.into()),
            _ => Ok(None),
        }
    }

    fn tell_ending(&self, job: &Job, ending: &Ending) {
        if ending.success {
            self.recorder.normal(&about(job), "Completed", "Job completed".to_owned());
        } else {
            self.recorder.warning(&about(job), ending.reason, ending.message.clone());
        }
    }

    fn tell_suspension(&self, job: &Job, status: &mut JobStatus, now: Timestamp) {
        let suspended = job.spec.as_ref().and_then(|s| s.suspend).unwrap_or(false);
        let conditions = status.conditions.get_or_insert_default();
        if suspended {
            if conditions::set(conditions, "Suspended", "True", ("JobSuspended", "Job suspended"), now) {
                self.recorder.normal(&about(job), "Suspended", "Job suspended".to_owned());
            }
            status.start_time = None;
            return;
        }
        if conditions.iter().any(|c| c.type_ == "Suspended" && c.status == "True")
            && conditions::set(conditions, "Suspended", "False", ("JobResumed", "Job resumed"), now)
        {
            self.recorder.normal(&about(job), "Resumed", "Job resumed".to_owned());
        }
        status.start_time.get_or_insert(Time(now));
    }
}

#[async_trait]
impl Reconcile for JobController {
    fn name(&self) -> &'static str {
        "job"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(job) = self.cluster.jobs.store().get(key) else {
            self.expectations.forget(key);
            self.failures.lock().remove(key);
            return Ok(None);
        };
        if job.spec.as_ref().and_then(|spec| spec.managed_by.as_deref()).is_some_and(|manager| manager != MANAGER) {
            return Ok(None);
        }
        let settled = self.expectations.satisfied(key);
        let pods = self.cluster.pods.store().controlled_by(job.metadata.uid.as_deref().unwrap_or_default());
        if is_finished(&job) {
            return self.after_the_end(key, &job, &pods).await;
        }
        let now = Timestamp::now();
        let mut seen = outcome(&job, &pods, |pod| self.removed.is_held(pod));
        let ending = ending(&job, &seen, now);
        if ending.is_some() || job.metadata.deletion_timestamp.is_some() {
            seen.release_all();
        }
        let counted = self.count(key, (*job).clone(), &seen, &pods).await?;
        // Only now: a count that failed is tried again, and must not make the delay longer.
        self.failures.lock().entry(key.clone()).or_default().take_in(&seen, now);
        let mut status = counted.status.clone().unwrap_or_default();
        self.tell_suspension(&job, &mut status, now);
        set_counts(&mut status, &seen);
        if let Some(ending) = ending {
            let all_ended = seen.active.is_empty() && seen.terminating.is_empty() && settled;
            let concluded = conclude(&mut status, &ending, all_ended, now);
            self.write(key, &job_before(&job, &counted), status).await?;
            if concluded {
                self.tell_ending(&job, &ending);
            } else if !seen.active.is_empty() {
                self.end_pods(key, &job, &seen.active).await?;
            }
            return Ok(None);
        }
        self.write(key, &job_before(&job, &counted), status).await?;
        let again = if settled && job.metadata.deletion_timestamp.is_none() {
            self.manage(key, &counted, &seen).await?
        } else {
            None
        };
        let deadline = deadline_left(&counted, now);
        Ok(again.into_iter().chain(deadline).min())
    }
}

/// The Job as the server has it (its version after the pods were noted), with the status that was read: comparing with
/// it tells whether the counted status must still be written.
fn job_before(read: &Job, counted: &Job) -> Job {
    let unchanged = read.metadata.resource_version == counted.metadata.resource_version;
    Job {
        metadata: counted.metadata.clone(),
        status: if unchanged { read.status.clone() } else { None },
        ..read.clone()
    }
}
