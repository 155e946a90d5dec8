//! Scaling a Deployment in the middle of a rollout: its sets grow and shrink in proportion.

use super::annotations::{DESIRED_REPLICAS, MAX_REPLICAS, number};
use super::rollout::Step;
use super::sets::{Sets, actual, available, wanted};
use super::strategy::Limits;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use std::sync::Arc;

/// Whether `spec.replicas` changed since a set with pods was scaled last.
pub fn is_scaling_event(limits: Limits, sets: &Sets) -> bool {
    sets.all()
        .filter(|set| wanted(set) > 0)
        .filter_map(|set| number(set, DESIRED_REPLICAS))
        .any(|desired| desired != limits.replicas)
}

/// What to do about a changed `spec.replicas`, without moving the rollout on.
pub fn scale(deployment: &Deployment, limits: Limits, sets: &Sets, recreate: bool) -> Vec<Step> {
    if let Some(only) = only_active_or_latest(sets) {
        return vec![Step::scale(&only, limits.replicas)];
    }
    if let Some(new) = &sets.new
        && is_saturated(limits, new)
    {
        return sets.old.iter().filter(|set| wanted(set) > 0).map(|set| Step::scale(set, 0)).collect();
    }
    if recreate { Vec::new() } else { proportional(deployment, limits, sets) }
}

/// The set that takes the whole scaling: the only one with pods, or, if none has any, the newest.
fn only_active_or_latest(sets: &Sets) -> Option<Arc<ReplicaSet>> {
    let active: Vec<_> = sets.all().filter(|set| wanted(set) > 0).collect();
    match active[..] {
        [] => sets.new.clone().or_else(|| sets.old.last().cloned()),
        [one] => Some(one.clone()),
        _ => None,
    }
}

fn is_saturated(limits: Limits, set: &ReplicaSet) -> bool {
    wanted(set) == limits.replicas
        && number(set, DESIRED_REPLICAS) == Some(limits.replicas)
        && available(set) == limits.replicas
}

fn proportional(deployment: &Deployment, limits: Limits, sets: &Sets) -> Vec<Step> {
    let mut active: Vec<Arc<ReplicaSet>> = sets.all().filter(|set| wanted(set) > 0).cloned().collect();
    let total: i32 = active.iter().map(|set| wanted(set)).sum();
    let allowed = if limits.replicas > 0 { limits.max_pods() } else { 0 };
    let to_add = allowed - total;
    // The larger set gets its share first; among equals the newer one when growing, the older one when shrinking.
    let created = |set: &ReplicaSet| set.metadata.creation_timestamp.clone();
    active.sort_by(|a, b| {
        let by_age = created(a).cmp(&created(b));
        wanted(b).cmp(&wanted(a)).then(if to_add > 0 { by_age.reverse() } else { by_age })
    });
    let mut added = 0;
    let mut sizes: Vec<i32> = Vec::with_capacity(active.len());
    for set in &active {
        let share = share(deployment, limits, set, to_add - added);
        added += share;
        sizes.push(wanted(set) + share);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    active.iter().zip(sizes).map(|(set, size)| Step::scale(set, size)).collect()
}

/// The set's share of what is left to add (or, below zero, to take away).
fn share(deployment: &Deployment, limits: Limits, set: &ReplicaSet, left: i32) -> i32 {
    if left == 0 {
        return 0;
    }
    let fraction = if limits.replicas == 0 {
        -wanted(set)
    } else {
        let before = number(set, MAX_REPLICAS)
            .filter(|max| *max > 0)
            .or(deployment.status.as_ref().and_then(|s| s.replicas))
            .filter(|max| *max > 0)
            .unwrap_or_else(|| actual(set).max(1));
        rounded(i64::from(wanted(set)) * i64::from(limits.max_pods()), i64::from(before)) - wanted(set)
    };
    if left > 0 { fraction.min(left) } else { fraction.max(left) }
}

/// Division rounded to the nearest, halves away from zero; both are positive.
fn rounded(dividend: i64, divisor: i64) -> i32 {
    i32::try_from((2 * dividend + divisor) / (2 * divisor)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::rollout::testing::{deployment, set};
    use serde_json::json;

    fn annotated(name: &str, replicas: i32, desired: i32, max: i32) -> Arc<ReplicaSet> {
        let mut annotated = (*set(name, replicas, replicas, 0)).clone();
        annotated.metadata.annotations = Some(
            [(DESIRED_REPLICAS.to_owned(), desired.to_string()), (MAX_REPLICAS.to_owned(), max.to_string())].into(),
        );
        Arc::new(annotated)
    }

    fn sizes(steps: &[Step]) -> Vec<(String, i32)> {
        steps.iter().map(|s| (s.set.metadata.name.clone().unwrap(), s.replicas)).collect()
    }

    #[test]
    fn the_only_set_takes_it_all() {
        let deployment = deployment(7, &json!({}));
        let sets = Sets { new: Some(annotated("new", 3, 3, 4)), old: vec![annotated("old", 0, 3, 4)] };
        assert!(is_scaling_event(Limits::of(&deployment), &sets));
        assert_eq!(sizes(&scale(&deployment, Limits::of(&deployment), &sets, false)), [("new".to_owned(), 7)]);
    }

    #[test]
    fn two_sets_share_in_proportion() {
        // Kubernetes' own example: 10 replicas, surge 3, in the middle of a rollout scaled to 15.
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}});
        let deployment = deployment(15, &json!({"strategy": strategy}));
        let sets = Sets { new: Some(annotated("new", 5, 10, 13)), old: vec![annotated("old", 8, 10, 13)] };
        let steps = scale(&deployment, Limits::of(&deployment), &sets, false);
        assert_eq!(sizes(&steps), [("old".to_owned(), 11), ("new".to_owned(), 7)]);
    }

    #[test]
    fn to_zero_means_all_to_zero() {
        let deployment = deployment(0, &json!({}));
        let sets = Sets { new: Some(annotated("new", 5, 10, 13)), old: vec![annotated("old", 8, 10, 13)] };
        let steps = scale(&deployment, Limits::of(&deployment), &sets, false);
        assert!(steps.iter().all(|step| step.replicas == 0), "{steps:?}");
        assert_eq!(steps.len(), 2);
    }
}
