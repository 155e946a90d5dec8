//! What a Deployment reports: counts, and whether its rollout is done, moving or stuck.

use super::conditions::{
    self, AVAILABLE, NEW_SET_AVAILABLE, PROGRESSING, REPLICA_FAILURE, SET_UPDATED, TIMED_OUT, condition, find,
    progress_deadline_seconds, reason,
};
use super::sets::{Sets, actual, available, ready, sum, wanted};
use super::strategy::Limits;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use std::sync::Arc;
use std::time::Duration;

/// The counts and the Available condition; other conditions as they were.
pub fn counts(deployment: &Deployment, limits: Limits, sets: &Sets, now: Timestamp) -> DeploymentStatus {
    let old = deployment.status.clone().unwrap_or_default();
    let is_available = sum(sets.all(), available);
    let mut all = old.conditions.unwrap_or_default();
    let (status, why, message) = if is_available >= limits.min_available() {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    conditions::set(&mut all, condition(AVAILABLE, status, why, message.to_owned(), now));
    let some = |count: i32| Some(count).filter(|c| *c != 0);
    DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: some(sum(sets.all(), actual)),
        updated_replicas: some(sets.new.as_ref().map_or(0, |set| actual(set))),
        ready_replicas: some(sum(sets.all(), ready)),
        available_replicas: some(is_available),
        unavailable_replicas: some((sum(sets.all(), wanted) - is_available).max(0)),
        terminating_replicas: some(sum(sets.all(), terminating)),
        collision_count: old.collision_count,
        conditions: Some(all),
    }
}

fn terminating(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|s| s.terminating_replicas).unwrap_or(0)
}

/// The whole status after a step of the rollout.
pub fn of_rollout(deployment: &Deployment, limits: Limits, sets: &Sets, now: Timestamp) -> DeploymentStatus {
    let mut status = counts(deployment, limits, sets, now);
    let mut all = status.conditions.take().unwrap_or_default();
    let current = find(&all, PROGRESSING).cloned();
    match progress_deadline_seconds(deployment) {
        None => all.retain(|c| c.type_ != PROGRESSING),
        Some(deadline) => {
            let ended =
                zero(status.replicas) == zero(status.updated_replicas) && reason(current.as_ref()) == NEW_SET_AVAILABLE;
            if !ended {
                progress(deployment, (limits, deadline), sets, &status, &mut all, now);
            }
        }
    }
    all.retain(|c| c.type_ != REPLICA_FAILURE);
    all.extend(failure_of_sets(sets));
    status.conditions = Some(all);
    status
}

fn progress(
    deployment: &Deployment,
    (limits, deadline): (Limits, i64),
    sets: &Sets,
    status: &DeploymentStatus,
    all: &mut Vec<DeploymentCondition>,
    now: Timestamp,
) {
    let subject = match &sets.new {
        Some(set) => format!("ReplicaSet {:?}", set.metadata.name.as_deref().unwrap_or_default()),
        None => format!("Deployment {:?}", deployment.metadata.name.as_deref().unwrap_or_default()),
    };
    let tell =
        |status: &str, why: &str, what: &str| condition(PROGRESSING, status, why, format!("{subject} {what}"), now);
    if is_complete(deployment, limits, status) {
        conditions::set(all, tell("True", NEW_SET_AVAILABLE, "has successfully progressed."));
    } else if has_moved(deployment, status) {
        conditions::refresh(all, tell("True", SET_UPDATED, "is progressing."));
    } else if has_timed_out(find(all, PROGRESSING), deadline, now) {
        conditions::set(all, tell("False", TIMED_OUT, "has timed out progressing."));
    }
}

/// Whether all pods are of the current template and available.
pub fn is_complete(deployment: &Deployment, limits: Limits, status: &DeploymentStatus) -> bool {
    zero(status.updated_replicas) == limits.replicas
        && zero(status.replicas) == limits.replicas
        && zero(status.available_replicas) == limits.replicas
        && status.observed_generation >= deployment.metadata.generation
}

fn has_moved(deployment: &Deployment, new: &DeploymentStatus) -> bool {
    let old = deployment.status.clone().unwrap_or_default();
    let outdated = |s: &DeploymentStatus| zero(s.replicas) - zero(s.updated_replicas);
    zero(new.updated_replicas) > zero(old.updated_replicas)
        || outdated(new) < outdated(&old)
        || zero(new.ready_replicas) > zero(old.ready_replicas)
        || zero(new.available_replicas) > zero(old.available_replicas)
}

fn has_timed_out(progressing: Option<&DeploymentCondition>, deadline: i64, now: Timestamp) -> bool {
    match (progressing, reason(progressing)) {
        (None, _) | (_, NEW_SET_AVAILABLE) => false,
        (_, TIMED_OUT) => true,
        (Some(condition), _) => left_seconds(condition, deadline, now).is_some_and(|left| left < 0),
    }
}

/// Seconds until the deadline.
fn left_seconds(progressing: &DeploymentCondition, deadline: i64, now: Timestamp) -> Option<i64> {
    let since = progressing.last_update_time.as_ref()?;
    Some(deadline - now.duration_since(since.0).as_secs())
}

/// When to look at a rollout again that does not move, so that its deadline is noticed.
pub fn recheck_after(
    deployment: &Deployment,
    limits: Limits,
    status: &DeploymentStatus,
    now: Timestamp,
) -> Option<Duration> {
    let deadline = progress_deadline_seconds(deployment)?;
    let progressing = find(status.conditions.as_deref().unwrap_or_default(), PROGRESSING)?;
    let paused = deployment.spec.as_ref().and_then(|s| s.paused).unwrap_or(false);
    let settled = matches!(reason(Some(progressing)), NEW_SET_AVAILABLE | TIMED_OUT);
    if settled || paused || is_complete(deployment, limits, status) {
        return None;
    }
    let left = left_seconds(progressing, deadline, now)?;
    // A second more, because times are whole seconds and the deadline must have passed by then.
    Some(Duration::from_secs(u64::try_from(left).unwrap_or(0) + 1))
}

/// What keeps a set from having its pods; the new set's trouble comes first.
fn failure_of_sets(sets: &Sets) -> Option<DeploymentCondition> {
    let failing = |set: &Arc<ReplicaSet>| {
        let conditions = set.status.as_ref()?.conditions.as_ref()?;
        conditions.iter().find(|c| c.type_ == REPLICA_FAILURE && c.status == "True").cloned()
    };
    let found = sets.new.iter().chain(&sets.old).find_map(failing)?;
    Some(DeploymentCondition {
        type_: REPLICA_FAILURE.to_owned(),
        status: found.status,
        reason: found.reason,
        message: found.message,
        last_update_time: found.last_transition_time.clone(),
        last_transition_time: found.last_transition_time,
    })
}

fn zero(count: Option<i32>) -> i32 {
    count.unwrap_or(0)
}

/// Whether writing `new` over `old` would change anything; absent and zero are the same.
pub fn differs(old: Option<&DeploymentStatus>, new: &DeploymentStatus) -> bool {
    let old = old.cloned().unwrap_or_default();
    let counts = |s: &DeploymentStatus| {
        [
            s.replicas,
            s.updated_replicas,
            s.ready_replicas,
            s.available_replicas,
            s.unavailable_replicas,
            s.terminating_replicas,
            s.collision_count,
        ]
        .map(zero)
    };
    counts(&old) != counts(new)
        || old.observed_generation != new.observed_generation
        || old.conditions.unwrap_or_default() != new.conditions.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::rollout::testing::{deployment, set};
    use serde_json::json;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn spec() -> serde_json::Value {
        json!({"progressDeadlineSeconds": 60})
    }

    fn progressing(status: &DeploymentStatus) -> (String, String, String) {
        let found = find(status.conditions.as_deref().unwrap(), PROGRESSING).unwrap().clone();
        (found.status, found.reason.unwrap(), found.message.unwrap())
    }

    #[test]
    fn a_rollout_moves_ends_or_gets_stuck() {
        let mut web = deployment(2, &spec());
        let limits = Limits::of(&web);
        let moving = Sets { new: Some(set("web-1", 2, 2, 0)), old: vec![] };
        let status = of_rollout(&web, limits, &moving, at(0));
        assert_eq!(
            progressing(&status),
            ("True".into(), SET_UPDATED.into(), "ReplicaSet \"web-1\" is progressing.".into())
        );
        assert_eq!(recheck_after(&web, limits, &status, at(10)), Some(Duration::from_secs(51)));
        web.status = Some(status);
        let stuck = of_rollout(&web, limits, &moving, at(61));
        assert_eq!(
            progressing(&stuck),
            ("False".into(), TIMED_OUT.into(), "ReplicaSet \"web-1\" has timed out progressing.".into())
        );
        web.status = Some(stuck);
        let done = of_rollout(&web, limits, &Sets { new: Some(set("web-1", 2, 2, 2)), old: vec![] }, at(70));
        assert_eq!(
            progressing(&done),
            ("True".into(), NEW_SET_AVAILABLE.into(), "ReplicaSet \"web-1\" has successfully progressed.".into())
        );
        assert_eq!(recheck_after(&web, limits, &done, at(71)), None);
        assert!(is_complete(&web, limits, &done));
    }

    #[test]
    fn availability_and_counts() {
        let web = deployment(4, &json!({}));
        let limits = Limits::of(&web);
        let sets = Sets { new: Some(set("new", 2, 2, 1)), old: vec![set("old", 3, 3, 2)] };
        let status = counts(&web, limits, &sets, at(0));
        assert_eq!((status.replicas, status.updated_replicas, status.available_replicas), (Some(5), Some(2), Some(3)));
        assert_eq!(status.unavailable_replicas, Some(2));
        let available = find(status.conditions.as_deref().unwrap(), AVAILABLE).unwrap();
        assert_eq!(available.message.as_deref(), Some("Deployment has minimum availability."));
        assert!(differs(web.status.as_ref(), &status) && !differs(Some(&status), &status));
    }

    #[test]
    fn a_sets_failure_is_the_deployments() {
        let mut failing = (*set("new", 2, 0, 0)).clone();
        failing.status.as_mut().unwrap().conditions = serde_json::from_value(json!([
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}]))
        .unwrap();
        let web = deployment(2, &spec());
        let sets = Sets { new: Some(Arc::new(failing)), old: vec![] };
        let status = of_rollout(&web, Limits::of(&web), &sets, at(0));
        let failure = find(status.conditions.as_deref().unwrap(), REPLICA_FAILURE).unwrap();
        assert_eq!((failure.reason.as_deref(), failure.message.as_deref()), (Some("FailedCreate"), Some("quota")));
    }
}
