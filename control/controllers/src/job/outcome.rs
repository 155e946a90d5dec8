//! What a Job's pods say: who is active, who ended and is not counted yet, and whether the Job is over.

use super::conditions::{
    BACKOFF_LIMIT_EXCEEDED, COMPLETIONS_REACHED, DEADLINE_EXCEEDED, Ending, FAILED_INDEXES,
    MAX_FAILED_INDEXES_EXCEEDED, POD_FAILURE_POLICY, SUCCESS_POLICY, announced,
};
use super::indexes::Indexes;
use super::per_index::PerIndex;
use super::policy::{self, Failure};
use super::template::{index_of, is_indexed};
use coracle_api::pod;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, UncountedTerminatedPods};
use k8s_openapi::api::core::v1::Pod;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// A Job's pods, sorted by what they are to it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Running, or about to.
    pub active: Vec<Arc<Pod>>,
    /// Being deleted, not ended yet.
    pub terminating: Vec<Arc<Pod>>,
    /// Ended well, with the finalizer still on.
    pub new_succeeded: Vec<Arc<Pod>>,
    /// Ended badly, with the finalizer still on.
    pub new_failed: Vec<Arc<Pod>>,
    /// Ended badly in a way that does not count.
    pub ignored: Vec<Arc<Pod>>,
    /// Why a rule fails the Job, if one does.
    pub fails_job: Option<String>,
    /// Indexes that have succeeded.
    pub completed: Indexes,
    /// How the indexes fail, if each does for itself.
    pub per_index: Option<PerIndex>,
    /// Successes, counted or not.
    pub succeeded: i32,
    /// Failures, counted or not.
    pub failed: i32,
}

/// Sorts `pods`; `has_finalizer` knows of finalizers removed that the watch still shows.
pub fn outcome(job: &Job, pods: &[Arc<Pod>], has_finalizer: impl Fn(&Pod) -> bool) -> Outcome {
    let status = job.status.clone().unwrap_or_default();
    let completions = job.spec.as_ref().and_then(|s| s.completions).unwrap_or(0);
    let uncounted = status.uncounted_terminated_pods.clone().unwrap_or_default();
    let known = known_uids(&uncounted);
    let mut outcome = Outcome {
        completed: Indexes::parse(status.completed_indexes.as_deref().unwrap_or_default(), completions),
        ..Outcome::default()
    };
    let mut held_failed = Vec::new();
    for pod in pods {
        let end = End::of(job, pod);
        if end == End::Failed && has_finalizer(pod) {
            held_failed.push(pod.clone());
        }
        let uncounted_yet = !known.contains(pod.metadata.uid.as_deref().unwrap_or_default());
        match end {
            End::Active => outcome.active.push(pod.clone()),
            End::Terminating => outcome.terminating.push(pod.clone()),
            End::Succeeded if has_finalizer(pod) && uncounted_yet => {
                if let Some(index) = index_of(pod, completions).filter(|_| is_indexed(job)) {
                    outcome.completed.insert(index);
                }
                outcome.new_succeeded.push(pod.clone());
            }
            End::Failed if has_finalizer(pod) && uncounted_yet => match policy::failure(job, pod) {
                Failure::Counts | Failure::FailsIndex => outcome.new_failed.push(pod.clone()),
                Failure::Ignored => outcome.ignored.push(pod.clone()),
                Failure::FailsJob(why) => {
                    outcome.fails_job.get_or_insert(why);
                    outcome.new_failed.push(pod.clone());
                }
            },
            End::Succeeded | End::Failed => {}
        }
        // Being deleted counts as failed, but the pod may still run.
        if pod::is_deleting(pod) && !pod::is_terminal(pod) && end == End::Failed {
            outcome.terminating.push(pod.clone());
        }
    }
    outcome.per_index = PerIndex::of(job, &held_failed, &outcome.active, &outcome.completed);
    let waiting = |uids: &Option<Vec<String>>| count(uids.as_ref().map_or(0, Vec::len));
    outcome.succeeded = if is_indexed(job) {
        outcome.completed.len()
    } else {
        status.succeeded.unwrap_or(0) + waiting(&uncounted.succeeded) + count(outcome.new_succeeded.len())
    };
    outcome.failed = status.failed.unwrap_or(0) + waiting(&uncounted.failed) + count(outcome.new_failed.len());
    outcome
}

fn known_uids(uncounted: &UncountedTerminatedPods) -> HashSet<&str> {
    uncounted.succeeded.iter().chain(&uncounted.failed).flatten().map(String::as_str).collect()
}

/// Where a pod stands.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Active,
    Terminating,
    Succeeded,
    Failed,
}

impl End {
    fn of(job: &Job, pod: &Pod) -> End {
        match pod::phase(pod) {
            "Succeeded" => End::Succeeded,
            "Failed" => End::Failed,
            _ if !pod::is_deleting(pod) => End::Active,
            _ if waits_for_the_end(job) => End::Terminating,
            _ => End::Failed,
        }
    }
}

/// Whether a pod being deleted is replaced only once it has ended (`podReplacementPolicy: Failed`).
fn waits_for_the_end(job: &Job) -> bool {
    let spec = job.spec.as_ref();
    let policy = spec.and_then(|s| s.pod_replacement_policy.as_deref());
    policy == Some("Failed") || (policy.is_none() && spec.is_some_and(|s| s.pod_failure_policy.is_some()))
}

/// Whether the Job is over, and why.
pub fn ending(job: &Job, outcome: &Outcome, now: Timestamp) -> Option<Ending> {
    let spec = job.spec.clone().unwrap_or_default();
    if let Some(ending) = announced(job) {
        return Some(ending);
    }
    if let Some(why) = &outcome.fails_job {
        return Some(Ending::failure(POD_FAILURE_POLICY, why.clone()));
    }
    let limit = spec.backoff_limit.unwrap_or(6);
    if outcome.failed > limit || restarts_exceed(&spec.template.spec.unwrap_or_default(), &outcome.active, limit) {
        return Some(Ending::failure(BACKOFF_LIMIT_EXCEEDED, "Job has reached the specified backoff limit"));
    }
    if deadline_left(job, now) == Some(Duration::ZERO) {
        return Some(Ending::failure(DEADLINE_EXCEEDED, "Job was active longer than specified deadline"));
    }
    if let Some(ending) = ending_of_indexes(job, outcome) {
        return Some(ending);
    }
    if let Some(why) = policy::success(job, &outcome.completed).filter(|_| is_indexed(job)) {
        return Some(Ending::success(SUCCESS_POLICY, why));
    }
    let complete = match spec.completions {
        Some(completions) => outcome.succeeded >= completions,
        // Any success means that the work is done; the others just have to end.
        None => outcome.succeeded > 0 && outcome.active.is_empty() && outcome.terminating.is_empty(),
    };
    complete.then(|| Ending::success(COMPLETIONS_REACHED, "Reached expected number of succeeded pods"))
}

/// Whether indexes that fail each for itself end the Job.
fn ending_of_indexes(job: &Job, outcome: &Outcome) -> Option<Ending> {
    let spec = job.spec.as_ref()?;
    let failed = outcome.per_index.as_ref()?.failed.len();
    if spec.max_failed_indexes.is_some_and(|most| failed > most) {
        let text = "Job has exceeded the specified maximal number of failed indexes";
        return Some(Ending::failure(MAX_FAILED_INDEXES_EXCEEDED, text));
    }
    let all_ended = failed > 0 && failed + outcome.succeeded >= spec.completions.unwrap_or(0);
    all_ended.then(|| Ending::failure(FAILED_INDEXES, "Job has failed indexes"))
}

/// Containers restarted in place count as failures too.
fn restarts_exceed(template: &k8s_openapi::api::core::v1::PodSpec, active: &[Arc<Pod>], limit: i32) -> bool {
    if template.restart_policy.as_deref() != Some("OnFailure") {
        return false;
    }
    let restarts: i32 = active
        .iter()
        .filter_map(|pod| pod.status.as_ref())
        .flat_map(|s| s.container_statuses.iter().chain(&s.init_container_statuses).flatten())
        .map(|container| container.restart_count)
        .sum();
    if limit == 0 { restarts > 0 } else { restarts >= limit }
}

/// What is left of `spec.activeDeadlineSeconds`; None without a deadline, or before the start.
pub fn deadline_left(job: &Job, now: Timestamp) -> Option<Duration> {
    let spec = job.spec.as_ref()?;
    if spec.suspend == Some(true) {
        return None;
    }
    let start = job.status.as_ref()?.start_time.as_ref()?.0;
    let deadline = Duration::from_secs(u64::try_from(spec.active_deadline_seconds?).unwrap_or(0));
    let active = now.duration_since(start);
    if active.is_negative() { Some(deadline) } else { Some(deadline.saturating_sub(active.unsigned_abs())) }
}

/// How many pods should be active now.
pub fn wanted_active(job: &Job, outcome: &Outcome) -> usize {
    let spec = job.spec.as_ref();
    if spec.and_then(|s| s.suspend) == Some(true) {
        return 0;
    }
    let parallelism = spec.and_then(|s| s.parallelism).unwrap_or(1).max(0);
    let wanted = match spec.and_then(|s| s.completions) {
        None if outcome.succeeded > 0 => count(outcome.active.len()).min(parallelism),
        None => parallelism,
        Some(completions) => (completions - outcome.succeeded).clamp(0, parallelism),
    };
    usize::try_from(wanted).unwrap_or(0)
}

/// The lowest indexes that have neither ended nor have a pod, as many as `wanted`.
pub fn free_indexes(job: &Job, outcome: &Outcome, wanted: usize) -> Vec<i32> {
    let completions = job.spec.as_ref().and_then(|s| s.completions).unwrap_or(0);
    let mut taken = Indexes::default();
    for pod in outcome.active.iter().chain(&outcome.terminating) {
        // One that is being deleted and counts as failed may be replaced at once.
        if End::of(job, pod) != End::Failed
            && let Some(index) = index_of(pod, completions)
        {
            taken.insert(index);
        }
    }
    let failed = |index| outcome.per_index.as_ref().is_some_and(|per_index| per_index.failed.contains(index));
    (0..completions)
        .filter(|i| !outcome.completed.contains(*i) && !taken.contains(*i) && !failed(*i))
        .take(wanted)
        .collect()
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
