//! A Job's conditions: how it ends, and whether it is suspended.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// How a Job ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Whether it succeeded.
    pub success: bool,
    /// For people and machines.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

impl Ending {
    /// The Job failed.
    pub fn failure(reason: &'static str, message: impl Into<String>) -> Ending {
        Ending { success: false, reason, message: message.into() }
    }

    /// The Job succeeded.
    pub fn success(reason: &'static str, message: impl Into<String>) -> Ending {
        Ending { success: true, reason, message: message.into() }
    }

    /// The condition that announces the ending while pods are still being ended and counted.
    pub fn announcement(&self) -> &'static str {
        if self.success { "SuccessCriteriaMet" } else { "FailureTarget" }
    }

    /// The condition that says it is over.
    pub fn verdict(&self) -> &'static str {
        if self.success { "Complete" } else { "Failed" }
    }
}

/// Whether the condition of this type is true.
pub fn is_true(job: &Job, kind: &str) -> bool {
    find(job, kind).is_some_and(|c| c.status == "True")
}

/// The condition of this type.
pub fn find<'a>(job: &'a Job, kind: &str) -> Option<&'a JobCondition> {
    job.status.as_ref()?.conditions.as_ref()?.iter().find(|c| c.type_ == kind)
}

/// Whether the Job is over.
pub fn is_finished(job: &Job) -> bool {
    is_true(job, "Complete") || is_true(job, "Failed")
}

/// Sets a condition; true if that changed anything.
pub fn set(
    conditions: &mut Vec<JobCondition>,
    kind: &str,
    status: &str,
    (reason, message): (&str, &str),
    now: Timestamp,
) -> bool {
    let told = |c: &JobCondition| {
        c.type_ == kind
            && c.status == status
            && c.reason.as_deref() == Some(reason)
            && c.message.as_deref() == Some(message)
    };
    if conditions.iter().any(told) {
        return false;
    }
    conditions.retain(|c| c.type_ != kind);
    conditions.push(JobCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    });
    true
}

/// The ending announced earlier, which stands whatever happens since.
pub fn announced(job: &Job) -> Option<Ending> {
    let read = |kind: &str, success: bool| {
        let condition = find(job, kind).filter(|c| c.status == "True")?;
        let message = condition.message.clone().unwrap_or_default();
        let reason = REASONS.into_iter().find(|reason| condition.reason.as_deref() == Some(reason));
        Some(Ending { success, reason: reason.unwrap_or("Unknown"), message })
    };
    read("FailureTarget", false).or_else(|| read("SuccessCriteriaMet", true))
}

/// The Job's pods failed too often.
pub const BACKOFF_LIMIT_EXCEEDED: &str = "BackoffLimitExceeded";
/// It took too long.
pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";
/// As many pods succeeded as were asked for.
pub const COMPLETIONS_REACHED: &str = "CompletionsReached";
/// A rule says that it can't succeed any more.
pub const POD_FAILURE_POLICY: &str = "PodFailurePolicy";
/// A rule says that enough has succeeded.
pub const SUCCESS_POLICY: &str = "SuccessPolicy";

/// More indexes failed than may.
pub const MAX_FAILED_INDEXES_EXCEEDED: &str = "MaxFailedIndexesExceeded";
/// All indexes have ended, and some failed.
pub const FAILED_INDEXES: &str = "FailedIndexes";

const REASONS: [&str; 7] = [
    BACKOFF_LIMIT_EXCEEDED,
    DEADLINE_EXCEEDED,
    COMPLETIONS_REACHED,
    POD_FAILURE_POLICY,
    SUCCESS_POLICY,
    MAX_FAILED_INDEXES_EXCEEDED,
    FAILED_INDEXES,
];
