//! What a set reports about its pods.

use super::kinds::Replicated;
use coracle_api::pod;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::sync::Arc;
use std::time::Duration;

/// Why pods could not be created or deleted, if so: reason and message.
pub type Failure = Option<(&'static str, String)>;

/// `spec.minReadySeconds`.
pub fn min_ready(set: &impl Replicated) -> Duration {
    Duration::from_secs(u64::try_from(set.min_ready_seconds()).unwrap_or(0))
}

/// The status of `set`, whose pods that count are `active`, and whose pods on their way out are `terminating`.
pub fn status(
    set: &impl Replicated,
    active: &[Arc<Pod>],
    terminating: usize,
    failure: &Failure,
    now: Timestamp,
) -> ReplicaSetStatus {
    let old = set.status().unwrap_or_default();
    let wanted_labels = set.template().metadata.and_then(|m| m.labels).unwrap_or_default();
    let labeled = |pod: &&Arc<Pod>| {
        wanted_labels.iter().all(|(key, value)| pod.metadata.labels.as_ref().and_then(|l| l.get(key)) == Some(value))
    };
    let min_ready = min_ready(set);
    ReplicaSetStatus {
        replicas: count(active.len()),
        fully_labeled_replicas: Some(count(active.iter().filter(labeled).count())),
        ready_replicas: Some(count(active.iter().filter(|p| pod::is_ready(p)).count())),
        available_replicas: Some(count(active.iter().filter(|p| pod::is_available(p, min_ready, now)).count())),
        terminating_replicas: Some(count(terminating)),
        observed_generation: set.meta().generation,
        conditions: conditions(old.conditions, failure, now),
    }
}

/// Whether writing `new` over `old` would change anything; absent and zero are the same.
pub fn differs(old: Option<&ReplicaSetStatus>, new: &ReplicaSetStatus) -> bool {
    let old = old.cloned().unwrap_or_default();
    let zero = |count: Option<i32>| count.unwrap_or(0);
    old.replicas != new.replicas
        || zero(old.fully_labeled_replicas) != zero(new.fully_labeled_replicas)
        || zero(old.ready_replicas) != zero(new.ready_replicas)
        || zero(old.available_replicas) != zero(new.available_replicas)
        || zero(old.terminating_replicas) != zero(new.terminating_replicas)
        || old.observed_generation != new.observed_generation
        || old.conditions.unwrap_or_default() != new.conditions.clone().unwrap_or_default()
}

fn conditions(
    old: Option<Vec<ReplicaSetCondition>>,
    failure: &Failure,
    now: Timestamp,
) -> Option<Vec<ReplicaSetCondition>> {
    let mut conditions = old.unwrap_or_default();
    match failure {
        None => conditions.retain(|c| c.type_ != "ReplicaFailure"),
        Some((reason, message)) => {
            let told = conditions.iter().any(|c| c.type_ == "ReplicaFailure" && c.reason.as_deref() == Some(*reason));
            if !told {
                conditions.retain(|c| c.type_ != "ReplicaFailure");
                conditions.push(ReplicaSetCondition {
                    type_: "ReplicaFailure".to_owned(),
                    status: "True".to_owned(),
                    reason: Some((*reason).to_owned()),
                    message: Some(message.clone()),
                    last_transition_time: Some(Time(now)),
                });
            }
        }
    }
    Some(conditions).filter(|c| !c.is_empty())
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::ReplicaSet;

    fn set() -> ReplicaSet {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "s", "generation": 3},
            "spec": {"replicas": 2, "minReadySeconds": 10, "selector": {},
                "template": {"metadata": {"labels": {"a": "1"}}}},
        }))
        .unwrap()
    }

    fn pod(label: &str, ready_at: Option<&str>) -> Arc<Pod> {
        let conditions =
            ready_at.map(|at| serde_json::json!([{"type": "Ready", "status": "True", "lastTransitionTime": at}]));
        Arc::new(
            serde_json::from_value(serde_json::json!({
                "metadata": {"name": "p", "labels": {"a": label}},
                "status": {"phase": "Running", "conditions": conditions},
            }))
            .unwrap(),
        )
    }

    #[test]
    fn counts() {
        let pods = [pod("1", Some("2026-01-01T00:00:00Z")), pod("1", Some("2026-01-01T00:00:55Z")), pod("2", None)];
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        let status = status(&set(), &pods, 1, &None, now);
        assert_eq!(
            (status.replicas, status.fully_labeled_replicas, status.ready_replicas, status.available_replicas),
            (3, Some(2), Some(2), Some(1))
        );
        assert_eq!((status.terminating_replicas, status.observed_generation), (Some(1), Some(3)));
        assert!(differs(None, &status));
        assert!(!differs(Some(&status), &status));
    }

    #[test]
    fn a_failure_is_a_condition_until_it_is_over() {
        let (mut set, now) = (set(), Timestamp::UNIX_EPOCH);
        let failed = status(&set, &[], 0, &Some(("FailedCreate", "quota".into())), now);
        let condition = &failed.conditions.as_ref().unwrap()[0];
        assert_eq!((condition.type_.as_str(), condition.status.as_str()), ("ReplicaFailure", "True"));
        set.status = Some(failed);
        assert_eq!(status(&set, &[], 0, &None, now).conditions, None);
    }
}
