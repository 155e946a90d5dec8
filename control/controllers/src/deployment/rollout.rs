//! One step of a rollout: which ReplicaSets to scale, to what.

use super::sets::{Sets, actual, available, sum, wanted};
use super::strategy::Limits;
use k8s_openapi::api::apps::v1::ReplicaSet;
use std::sync::Arc;

/// A set to be scaled.
#[derive(Debug, Clone)]
pub struct Step {
    /// The set.
    pub set: Arc<ReplicaSet>,
    /// To this many.
    pub replicas: i32,
}

impl Step {
    /// `set` to `replicas`.
    pub fn scale(set: &Arc<ReplicaSet>, replicas: i32) -> Step {
        Step { set: set.clone(), replicas }
    }
}

/// How many replicas the new set may have now, given all sets including it.
pub fn new_set_size(limits: Limits, sets: &Sets, recreate: bool) -> i32 {
    if recreate {
        return limits.replicas;
    }
    let size = sets.new.as_ref().map_or(0, |set| wanted(set));
    let room = limits.max_pods() - sum(sets.all(), wanted);
    if room <= 0 { size } else { size + room.min(limits.replicas - size) }
}

/// The next step of a rolling update: the new set grows if it may; otherwise old sets shrink if they may.
pub fn rolling(limits: Limits, sets: &Sets) -> Vec<Step> {
    let Some(new) = &sets.new else { return Vec::new() };
    let size = if wanted(new) > limits.replicas { limits.replicas } else { new_set_size(limits, sets, false) };
    if size != wanted(new) {
        return vec![Step::scale(new, size)];
    }
    shrink_old(limits, sets, new)
}

fn shrink_old(limits: Limits, sets: &Sets, new: &ReplicaSet) -> Vec<Step> {
    if sum(&sets.old, wanted) == 0 {
        return Vec::new();
    }
    let unavailable_new = wanted(new) - available(new);
    let budget = sum(sets.all(), wanted) - limits.min_available() - unavailable_new;
    if budget <= 0 {
        return Vec::new();
    }
    let mut sizes: Vec<i32> = sets.old.iter().map(|set| wanted(set)).collect();
    drop_unhealthy(&sets.old, &mut sizes, budget);
    drop_available(sum(sets.all(), available) - limits.min_available(), &mut sizes);
    sets.old
        .iter()
        .zip(sizes)
        .filter(|(set, size)| wanted(set) != *size)
        .map(|(set, size)| Step::scale(set, size))
        .collect()
}

/// Replicas that are not available cost nothing to lose: they go first, oldest set first.
fn drop_unhealthy(old: &[Arc<ReplicaSet>], sizes: &mut [i32], mut budget: i32) {
    for (set, size) in old.iter().zip(sizes) {
        let dropped = (*size - available(set)).max(0).min(budget);
        *size -= dropped;
        budget -= dropped;
    }
}

fn drop_available(mut budget: i32, sizes: &mut [i32]) {
    for size in sizes {
        let dropped = (*size).min(budget.max(0));
        *size -= dropped;
        budget -= dropped;
    }
}

/// The next step of `Recreate`: every old set to nothing, then, once their pods are gone, the new one to its size.
pub fn recreate(limits: Limits, sets: &Sets, old_pods_exist: bool) -> Vec<Step> {
    let shrink: Vec<Step> = sets.old.iter().filter(|set| wanted(set) > 0).map(|set| Step::scale(set, 0)).collect();
    if !shrink.is_empty() || old_pods_exist || sum(&sets.old, actual) > 0 {
        return shrink;
    }
    sets.new.iter().filter(|new| wanted(new) != limits.replicas).map(|new| Step::scale(new, limits.replicas)).collect()
}

#[cfg(test)]
pub mod testing {
    //! Deployments and sets for the tests of this folder.

    use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
    use serde_json::{Value, json};
    use std::sync::Arc;

    /// A deployment of `replicas`, with more fields of its spec.
    pub fn deployment(replicas: i32, spec: &Value) -> Deployment {
        let mut value = json!({
            "metadata": {"name": "web", "namespace": "d", "uid": "web", "generation": 1},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template("v1")},
        });
        for (key, field) in spec.as_object().into_iter().flatten() {
            value["spec"][key] = field.clone();
        }
        serde_json::from_value(value).expect("a deployment")
    }

    /// A set of the deployment's template.
    pub fn set(name: &str, wanted: i32, actual: i32, available: i32) -> Arc<ReplicaSet> {
        let value = json!({
            "metadata": {"name": name, "namespace": "d", "uid": name, "generation": 1},
            "spec": {"replicas": wanted, "selector": {}, "template": template("v1")},
            "status": {"replicas": actual, "readyReplicas": available, "availableReplicas": available,
                "observedGeneration": 1},
        });
        Arc::new(serde_json::from_value(value).expect("a set"))
    }

    fn template(image: &str) -> Value {
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}})
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{deployment, set};
    use super::*;
    use serde_json::json;

    fn limits(replicas: i32, surge: i32, unavailable: i32) -> Limits {
        Limits { replicas, max_surge: surge, max_unavailable: unavailable }
    }

    fn sizes(steps: &[Step]) -> Vec<(&str, i32)> {
        steps.iter().map(|s| (s.set.metadata.name.as_deref().unwrap(), s.replicas)).collect()
    }

    #[test]
    fn new_sets_grow_within_the_surge_and_old_ones_shrink_within_availability() {
        let sets = Sets { new: Some(set("new", 0, 0, 0)), old: vec![set("old", 10, 10, 10)] };
        assert_eq!(sizes(&rolling(limits(10, 3, 2), &sets)), [("new", 3)]);
        let sets = Sets { new: Some(set("new", 3, 3, 0)), old: vec![set("old", 10, 10, 10)] };
        assert_eq!(sizes(&rolling(limits(10, 3, 2), &sets)), [("old", 8)]);
        let sets = Sets { new: Some(set("new", 3, 3, 3)), old: vec![set("old", 8, 8, 8)] };
        assert_eq!(sizes(&rolling(limits(10, 3, 2), &sets)), [("new", 5)]);
        let sets = Sets { new: Some(set("new", 5, 5, 0)), old: vec![set("old", 8, 8, 8)] };
        assert!(rolling(limits(10, 3, 2), &sets).is_empty(), "8 are available, 8 must be");
    }

    #[test]
    fn unhealthy_old_replicas_go_first() {
        let sets = Sets { new: Some(set("new", 1, 1, 0)), old: vec![set("bad", 2, 2, 0), set("good", 8, 8, 8)] };
        assert_eq!(sizes(&rolling(limits(10, 1, 2), &sets)), [("bad", 0)]);
    }

    #[test]
    fn a_shrunken_deployment_shrinks_its_new_set() {
        let sets = Sets { new: Some(set("new", 5, 5, 5)), old: vec![] };
        assert_eq!(sizes(&rolling(limits(3, 1, 1), &sets)), [("new", 3)]);
        assert!(rolling(limits(5, 1, 1), &sets).is_empty());
    }

    /// Plays a whole rollout, with pods that become available at once, and checks the two limits at every step.
    #[test]
    fn a_rollout_ends_and_keeps_its_limits() {
        for (replicas, surge, unavailable) in [(10, 3, 2), (1, 1, 0), (4, 0, 1), (7, 7, 7)] {
            let limits = limits(replicas, surge, unavailable);
            let mut sets = Sets { new: Some(set("new", 0, 0, 0)), old: vec![set("old", replicas, replicas, replicas)] };
            for _ in 0..100 {
                let steps = rolling(limits, &sets);
                if steps.is_empty() {
                    break;
                }
                for step in steps {
                    let name = step.set.metadata.name.clone().unwrap();
                    let settled = set(&name, step.replicas, step.replicas, step.replicas);
                    if name == "new" { sets.new = Some(settled) } else { sets.old = vec![settled] }
                }
                let total = sum(sets.all(), wanted);
                assert!(total <= limits.max_pods() && total >= limits.min_available());
            }
            assert_eq!((wanted(sets.new.as_ref().unwrap()), sum(&sets.old, wanted)), (replicas, 0));
        }
    }

    #[test]
    fn recreate_waits_for_the_old_pods() {
        let limits = Limits::of(&deployment(3, &json!({"strategy": {"type": "Recreate"}})));
        let sets = Sets { new: Some(set("new", 0, 0, 0)), old: vec![set("old", 3, 3, 3)] };
        assert_eq!(sizes(&recreate(limits, &sets, true)), [("old", 0)]);
        let sets = Sets { new: Some(set("new", 0, 0, 0)), old: vec![set("old", 0, 0, 0)] };
        assert!(recreate(limits, &sets, true).is_empty());
        assert_eq!(sizes(&recreate(limits, &sets, false)), [("new", 3)]);
        assert_eq!(new_set_size(limits, &sets, true), 3);
    }
}
