//! What a Job's status says at the end of a reconcile.

use super::conditions::{self, Ending};
use super::outcome::Outcome;
use coracle_api::pod;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::Duration;

/// What is left of `spec.ttlSecondsAfterFinished`; None to keep the Job.
pub fn time_to_live(job: &Job, now: Timestamp) -> Option<Duration> {
    let ttl = Duration::from_secs(u64::try_from(job.spec.as_ref()?.ttl_seconds_after_finished?).unwrap_or(0));
    let finished = conditions::find(job, "Complete").or_else(|| conditions::find(job, "Failed"))?;
    let age = now.duration_since(finished.last_transition_time.as_ref()?.0);
    Some(if age.is_negative() { ttl } else { ttl.saturating_sub(age.unsigned_abs()) })
}

/// Fills in what the pods say right now.
pub fn set_counts(status: &mut JobStatus, seen: &Outcome) {
    let count = |n: usize| Some(i32::try_from(n).unwrap_or(i32::MAX));
    status.active = count(seen.active.len()).filter(|n| *n != 0);
    status.ready = count(seen.active.iter().filter(|p| pod::is_ready(p)).count());
    status.terminating = count(seen.terminating.len());
}

/// Adds what the ending asks for: first its announcement, and the verdict once every pod has ended and is counted.
/// True if this is the verdict.
pub fn conclude(status: &mut JobStatus, ending: &Ending, all_ended: bool, now: Timestamp) -> bool {
    let conditions = status.conditions.get_or_insert_default();
    let words = (ending.reason, ending.message.as_str());
    conditions::set(conditions, ending.announcement(), "True", words, now);
    if !all_ended || status.uncounted_terminated_pods.is_some() {
        return false;
    }
    conditions::set(conditions, ending.verdict(), "True", words, now);
    if ending.success {
        status.completion_time = Some(Time(now));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_verdict_waits_until_all_pods_are_counted() {
        let ending = Ending::success(conditions::COMPLETIONS_REACHED, "Reached expected number of succeeded pods");
        let mut status = JobStatus { uncounted_terminated_pods: Some(Default::default()), ..JobStatus::default() };
        assert!(!conclude(&mut status, &ending, true, at(1)));
        assert_eq!(status.conditions.as_ref().unwrap()[0].type_, "SuccessCriteriaMet");
        status.uncounted_terminated_pods = None;
        assert!(!conclude(&mut status, &ending, false, at(1)));
        assert!(conclude(&mut status, &ending, true, at(2)));
        assert_eq!(status.completion_time, Some(Time(at(2))));
        assert_eq!(status.conditions.unwrap().len(), 2);
    }

    #[test]
    fn a_finished_job_lives_as_long_as_it_may() {
        let job: Job = serde_json::from_value(serde_json::json!({
            "spec": {"ttlSecondsAfterFinished": 100, "template": {}},
            "status": {"conditions": [
                {"type": "Failed", "status": "True", "lastTransitionTime": "1970-01-01T00:00:00Z"}]},
        }))
        .unwrap();
        assert_eq!(time_to_live(&job, at(40)), Some(Duration::from_secs(60)));
        assert_eq!(time_to_live(&job, at(400)), Some(Duration::ZERO));
        assert_eq!(time_to_live(&Job::default(), at(0)), None);
    }
}
