//! `spec.backoffLimitPerIndex`: every index of a Job fails for itself (KEP-3850).
//!
//! How often an index has failed is written on its pods: each carries how many before it failed. So the last pod that
//! failed keeps its finalizer until its replacement, with one failure more, exists.

use super::backoff::replacement_delay;
use super::indexes::Indexes;
use super::outcome::Outcome;
use super::policy::{self, Failure};
use super::template::index_of;
use coracle_api::pod;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Annotation: the failures that counted, of the pods of this index before this one.
pub const FAILURE_COUNT: &str = "batch.kubernetes.io/job-index-failure-count";
/// Annotation: the failures that a rule ignored; absent for none.
pub const IGNORED_FAILURE_COUNT: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// What is known of the indexes of a Job whose indexes fail each for itself.
#[derive(Debug, Default)]
pub struct PerIndex {
    /// Indexes that may not be tried again.
    pub failed: Indexes,
    /// The last pod that failed of each index that may, unless it was replaced.
    pub waiting: HashMap<i32, Arc<Pod>>,
}

/// Failures of an index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that count towards the limit.
    pub counted: i32,
    /// Those that a rule ignores.
    pub ignored: i32,
}

impl Counts {
    /// Of the pods before this one, as its annotations say.
    fn before(pod: &Pod) -> Counts {
        let read = |key| pod.metadata.annotations.as_ref().and_then(|all| all.get(key)?.parse().ok()).unwrap_or(0);
        Counts { counted: read(FAILURE_COUNT), ignored: read(IGNORED_FAILURE_COUNT) }
    }

    /// With this pod, which failed.
    fn with(job: &Job, pod: &Pod) -> Counts {
        let mut counts = Counts::before(pod);
        let count =
            if policy::failure(job, pod) == Failure::Ignored { &mut counts.ignored } else { &mut counts.counted };
        *count = count.saturating_add(1);
        counts
    }

    fn all(self) -> i32 {
        self.counted.saturating_add(self.ignored)
    }

    /// The annotations of a pod that comes after as many failures.
    pub fn annotations(self) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::from([(FAILURE_COUNT.to_owned(), self.counted.to_string())]);
        if self.ignored > 0 {
            annotations.insert(IGNORED_FAILURE_COUNT.to_owned(), self.ignored.to_string());
        }
        annotations
    }
}

/// `spec.backoffLimitPerIndex`.
fn limit(job: &Job) -> Option<i32> {
    job.spec.as_ref().and_then(|spec| spec.backoff_limit_per_index)
}

impl PerIndex {
    /// What the pods that failed and are still `held` by a finalizer, and the `active` ones, say; None if the Job's
    /// indexes do not fail each for itself.
    pub fn of(job: &Job, held_failed: &[Arc<Pod>], active: &[Arc<Pod>], completed: &Indexes) -> Option<PerIndex> {
        let limit = limit(job)?;
        let completions = job.spec.as_ref().and_then(|spec| spec.completions).unwrap_or(0);
        let told = job.status.as_ref().and_then(|status| status.failed_indexes.as_deref()).unwrap_or_default();
        let mut found = PerIndex { failed: Indexes::parse(told, completions), waiting: HashMap::new() };
        let of_index = |pods: &[Arc<Pod>]| -> Vec<(i32, Arc<Pod>)> {
            pods.iter().filter_map(|pod| Some((index_of(pod, completions)?, pod.clone()))).collect()
        };
        let failed = of_index(held_failed);
        for (index, pod) in &failed {
            let failure = policy::failure(job, pod);
            let exhausted = failure != Failure::Ignored && Counts::before(pod).counted >= limit;
            if failure == Failure::FailsIndex || exhausted {
                found.failed.insert(*index);
            }
        }
        for (index, pod) in failed {
            let is_newest = found.waiting.get(&index).is_none_or(|other| before(other) <= before(&pod));
            if is_newest && !found.failed.contains(index) && !completed.contains(index) {
                found.waiting.insert(index, pod);
            }
        }
        for (index, pod) in of_index(active) {
            if found.waiting.get(&index).is_some_and(|failed| before(failed) < before(&pod)) {
                found.waiting.remove(&index);
            }
        }
        Some(found)
    }

    /// Whether the pod must keep its finalizer, because it alone knows how often its index has failed.
    pub fn keeps(&self, pod: &Pod) -> bool {
        self.waiting.values().any(|waiting| waiting.metadata.uid == pod.metadata.uid)
    }

    /// The failures before the next pod of an index.
    pub fn counts(&self, job: &Job, index: i32) -> Counts {
        self.waiting.get(&index).map(|pod| Counts::with(job, pod)).unwrap_or_default()
    }

    /// Which of `indexes` may have a pod now, and how long until the next may if one must wait.
    pub fn due(&self, job: &Job, indexes: Vec<i32>, now: Timestamp) -> (Vec<i32>, Option<Duration>) {
        let mut wait: Option<Duration> = None;
        let due = indexes.into_iter().filter(|index| {
            let Some(pod) = self.waiting.get(index) else { return true };
            let failures = u32::try_from(Counts::with(job, pod).all()).unwrap_or(u32::MAX);
            let left = replacement_delay(failures, ended(pod).unwrap_or(now), now);
            if !left.is_zero() {
                wait = Some(wait.map_or(left, |other| other.min(left)));
            }
            left.is_zero()
        });
        let due = due.collect();
        (due, wait)
    }
}

fn before(pod: &Pod) -> i32 {
    Counts::before(pod).all()
}

/// When the last of the pod's containers ended, or its deletion was asked for.
fn ended(pod: &Pod) -> Option<Timestamp> {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let finished =
        containers.iter().filter_map(|c| Some(c.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0));
    let no_more_ready = || pod::condition(pod, "Ready").and_then(|c| Some(c.last_transition_time.as_ref()?.0));
    let deleted = || pod.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    finished.max().or_else(no_more_ready).or_else(deleted)
}

impl Outcome {
    /// The pods that failed may now be counted and released, all of them: the Job ends.
    pub fn release_all(&mut self) {
        if let Some(per_index) = &mut self.per_index {
            per_index.waiting.clear();
        }
    }

    /// Whether the pod must keep its finalizer.
    pub fn keeps(&self, pod: &Pod) -> bool {
        self.per_index.as_ref().is_some_and(|per_index| per_index.keeps(pod))
    }
}
