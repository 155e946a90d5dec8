//! A Deployment's conditions, with Kubernetes' reasons and sentences.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The rollout moves, has ended well, or is stuck.
pub const PROGRESSING: &str = "Progressing";
/// Enough pods are available.
pub const AVAILABLE: &str = "Available";
/// Pods can't be created or deleted.
pub const REPLICA_FAILURE: &str = "ReplicaFailure";

/// Progressing: the rollout has ended.
pub const NEW_SET_AVAILABLE: &str = "NewReplicaSetAvailable";
/// Progressing: the set of the template was made.
pub const NEW_SET_CREATED: &str = "NewReplicaSetCreated";
/// Progressing: the set of the template existed.
pub const FOUND_NEW_SET: &str = "FoundNewReplicaSet";
/// Progressing: pods changed.
pub const SET_UPDATED: &str = "ReplicaSetUpdated";
/// Not progressing: the set of the template can't be made.
pub const CREATE_ERROR: &str = "ReplicaSetCreateError";
/// Not progressing for `spec.progressDeadlineSeconds`.
pub const TIMED_OUT: &str = "ProgressDeadlineExceeded";
/// Progressing is unknown while the deployment is paused.
pub const PAUSED: &str = "DeploymentPaused";
/// It was paused until now.
pub const RESUMED: &str = "DeploymentResumed";

/// `spec.progressDeadlineSeconds`, unless it is "never".
pub fn progress_deadline_seconds(deployment: &Deployment) -> Option<i64> {
    let seconds = deployment.spec.as_ref()?.progress_deadline_seconds?;
    (seconds != i32::MAX).then_some(i64::from(seconds))
}

/// The condition of this type.
pub fn find<'a>(conditions: &'a [DeploymentCondition], kind: &str) -> Option<&'a DeploymentCondition> {
    conditions.iter().find(|c| c.type_ == kind)
}

/// The reason of a condition; empty without one.
pub fn reason(condition: Option<&DeploymentCondition>) -> &str {
    condition.and_then(|c| c.reason.as_deref()).unwrap_or_default()
}

/// A condition as of `now`.
pub fn condition(kind: &str, status: &str, reason: &str, message: String, now: Timestamp) -> DeploymentCondition {
    DeploymentCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_update_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    }
}

/// Sets a condition. One that says the same already stays as it is; the time of the transition is kept while the status is.
pub fn set(conditions: &mut Vec<DeploymentCondition>, mut new: DeploymentCondition) {
    if let Some(old) = find(conditions, &new.type_) {
        if old.status == new.status && old.reason == new.reason {
            return;
        }
        if old.status == new.status {
            new.last_transition_time = old.last_transition_time.clone();
        }
    }
    conditions.retain(|c| c.type_ != new.type_);
    conditions.push(new);
}

/// Sets a condition even if only its time of update is new: that is how progress is noted.
pub fn refresh(conditions: &mut Vec<DeploymentCondition>, mut new: DeploymentCondition) {
    if let Some(old) = find(conditions, &new.type_).filter(|old| old.status == new.status) {
        new.last_transition_time = old.last_transition_time.clone();
    }
    conditions.retain(|c| c.type_ != new.type_);
    conditions.push(new);
}

/// The change of the Progressing condition that pausing or resuming asks for.
pub fn for_pause(deployment: &Deployment, now: Timestamp) -> Option<DeploymentCondition> {
    progress_deadline_seconds(deployment)?;
    let conditions = deployment.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let current = reason(find(conditions, PROGRESSING));
    let is_paused = deployment.spec.as_ref().and_then(|s| s.paused).unwrap_or(false);
    match (is_paused, current) {
        (_, TIMED_OUT) | (true, PAUSED) => None,
        (true, _) => Some(condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused".to_owned(), now)),
        (false, PAUSED) => Some(condition(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed".to_owned(), now)),
        (false, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::rollout::testing::deployment;
    use serde_json::json;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn transitions_are_timed() {
        let mut conditions = Vec::new();
        set(&mut conditions, condition("A", "True", "x", "m".into(), at(1)));
        set(&mut conditions, condition("A", "True", "x", "m".into(), at(2)));
        assert_eq!(conditions[0].last_update_time, Some(Time(at(1))), "said already");
        refresh(&mut conditions, condition("A", "True", "x", "m".into(), at(3)));
        assert_eq!(conditions[0].last_update_time, Some(Time(at(3))));
        assert_eq!(conditions[0].last_transition_time, Some(Time(at(1))));
        set(&mut conditions, condition("A", "False", "y", "m".into(), at(4)));
        assert_eq!(conditions[0].last_transition_time, Some(Time(at(4))));
        assert_eq!(conditions.len(), 1);
    }

    #[test]
    fn pausing_and_resuming_are_told() {
        let mut paused = deployment(1, &json!({"paused": true, "progressDeadlineSeconds": 600}));
        let told = for_pause(&paused, at(0)).unwrap();
        assert_eq!((told.status.as_str(), told.reason.as_deref()), ("Unknown", Some(PAUSED)));
        paused.status.get_or_insert_default().conditions = Some(vec![told]);
        assert!(for_pause(&paused, at(1)).is_none());
        paused.spec.as_mut().unwrap().paused = Some(false);
        assert_eq!(for_pause(&paused, at(1)).unwrap().reason.as_deref(), Some(RESUMED));
        assert!(for_pause(&deployment(1, &json!({"paused": true})), at(0)).is_none(), "no deadline, no progress");
    }
}
