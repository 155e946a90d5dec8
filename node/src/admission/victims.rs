//! Which pods a critical pod takes the place of: a pure function. As few as can be, guaranteed ones before all, then
//! burstable ones, then those that ask for nothing (kubelet's `getPodsToPreempt`).

use std::cmp::Ordering;

use coracle_api::pod::{QosClass, qos_class};
use k8s_openapi::api::core::v1::Pod;

use super::shortage::{Amounts, RESOURCES, Shortage, with_pods};
use crate::{eviction::is_critical, pods::Holder};

/// Nobody has enough of what is missing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [{missing}]"
)]
pub struct NoVictims {
    missing: String,
}

/// A pod that may be ended, and what that frees: what it has, which is not what it asks for while its resize waits.
#[derive(Debug, Clone)]
struct Candidate {
    holder: Holder,
    frees: Amounts,
}

/// Chooses those that end for `preemptor` to have what it lacks.
///
/// # Errors
/// When it would lack something even without all of them.
pub fn victims(preemptor: &Pod, pods: Vec<Holder>, shortages: &[Shortage]) -> Result<Vec<Holder>, NoVictims> {
    let mut missing = Amounts::default();
    shortages.iter().for_each(|shortage| missing[shortage.index] = shortage.missing());
    let (mut guaranteed, mut burstable, mut best_effort) = (Vec::new(), Vec::new(), Vec::new());
    for holder in pods {
        let pod = holder.pod.open();
        if !may_preempt(preemptor, &pod) {
            continue;
        }
        let class = match qos_class(&pod) {
            QosClass::Guaranteed => &mut guaranteed,
            QosClass::Burstable => &mut burstable,
            QosClass::BestEffort => &mut best_effort,
        };
        class.push(Candidate { frees: with_pods(1, holder.held), holder });
    }
    // Each class gives what is still missing without all of the lesser ones and what was chosen of the better ones.
    let of_guaranteed = nearest(guaranteed, without(without(missing, &best_effort), &burstable))?;
    let of_burstable = nearest(burstable, without(without(missing, &best_effort), &of_guaranteed))?;
    let of_best_effort = nearest(best_effort, without(without(missing, &of_burstable), &of_guaranteed))?;
    let chosen = of_best_effort.into_iter().chain(of_burstable).chain(of_guaranteed);
    Ok(chosen.map(|candidate| candidate.holder).collect())
}

/// Whether the one may take the place of the other (kubelet's `Preemptable`).
fn may_preempt(preemptor: &Pod, other: &Pod) -> bool {
    let given = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.priority);
    let higher = given(preemptor).zip(given(other)).is_some_and(|(own, other)| own > other);
    higher || (is_critical(preemptor) && !is_critical(other))
}

/// What is still missing once these are gone.
fn without(missing: Amounts, pods: &[Candidate]) -> Amounts {
    pods.iter().fold(missing, |missing, candidate| less(missing, candidate.frees))
}

fn less(mut missing: Amounts, freed: Amounts) -> Amounts {
    missing.iter_mut().zip(freed).for_each(|(amount, freed)| *amount = amount.saturating_sub(freed).max(0));
    missing
}

/// The pods that free what is missing, found by taking again and again the one that leaves the least of it; among equals
/// the one that asks for less.
fn nearest(mut pods: Vec<Candidate>, mut missing: Amounts) -> Result<Vec<Candidate>, NoVictims> {
    let mut chosen = Vec::new();
    while missing != Amounts::default() {
        let order = |a: &&Candidate, b: &&Candidate| {
            let nearer = distance(missing, a.frees).total_cmp(&distance(missing, b.frees));
            nearer.then_with(|| by_size(a, b))
        };
        let Some(best) = pods.iter().min_by(order).map(|best| best.holder.uid.clone()) else {
            return Err(NoVictims { missing: describe(missing) });
        };
        let Some(place) = pods.iter().position(|it| it.holder.uid == best) else { break };
        let taken = pods.swap_remove(place);
        missing = less(missing, taken.frees);
        chosen.push(taken);
    }
    Ok(chosen)
}

/// How far a pod is from what is missing: each resource counts by the part of it that would still be missing.
fn distance(missing: Amounts, freed: Amounts) -> f64 {
    let wanted = missing.into_iter().zip(freed).filter(|(missing, _)| *missing > 0);
    wanted.map(|(missing, freed)| (missing.saturating_sub(freed).max(0) as f64 / missing as f64).powi(2)).sum()
}

/// Memory counts before CPU; the others don't.
fn by_size(a: &Candidate, b: &Candidate) -> Ordering {
    let [_, cpu, memory, _] = a.frees;
    let [_, other_cpu, other_memory, _] = b.frees;
    (memory, cpu).cmp(&(other_memory, other_cpu))
}

/// As kubelet's `admissionRequirementList` is printed.
fn describe(missing: Amounts) -> String {
    let all = RESOURCES.iter().zip(missing).filter(|(_, amount)| *amount > 0);
    all.map(|(name, amount)| format!("(res: {name}, q: {amount}), ")).collect()
}

#[cfg(test)]
mod tests {
    use coracle_api::pod::ResourceList;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        admission::{Room, judge},
        pods::{KeptPod, asked},
    };

    fn pod(name: &str, priority: Option<i32>, requests: Value, limits: Value) -> Holder {
        let container = json!({"name": "c", "resources": {"requests": requests, "limits": limits}});
        let pod = json!({"metadata": {"name": name}, "spec": {"priority": priority, "containers": [container]}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        Holder { uid: name.to_owned(), held: asked(&pod), pod: KeptPod::of(&pod) }
    }

    fn guaranteed(name: &str, cpu: &str, memory: &str) -> Holder {
        let all = json!({"cpu": cpu, "memory": memory});
        pod(name, Some(0), all.clone(), all)
    }

    fn burstable(name: &str, cpu: &str, memory: &str) -> Holder {
        pod(name, Some(0), json!({"cpu": cpu, "memory": memory}), json!({}))
    }

    fn best_effort(name: &str) -> Holder {
        pod(name, Some(0), json!({}), json!({}))
    }

    /// Who ends, on a node with so much left, for a critical pod that asks for so much.
    fn chosen(pods: Vec<Holder>, wanted: Value, left: [i64; 3], pods_left: i64) -> Result<Vec<String>, String> {
        let critical = pod("critical", Some(2_000_000_000), wanted, json!({})).pod.open();
        let allocatable: ResourceList = [
            ("pods", pods_left.to_string()),
            ("cpu", format!("{}m", left[0])),
            ("memory", left[1].to_string()),
            ("ephemeral-storage", left[2].to_string()),
        ]
        .map(|(name, amount)| (name.to_owned(), amount.parse().unwrap()))
        .into();
        let room =
            Room { allocatable: &allocatable, pods: 0, asked: [0; 3], pressures: Vec::new(), shutting_down: false };
        let shortages = judge(&critical, &room).unwrap();
        let chosen = victims(&critical, pods, &shortages).map_err(|error| error.to_string())?;
        Ok(chosen.into_iter().map(|it| it.uid).collect())
    }

    #[test]
    fn as_few_as_can_be_and_the_smaller_of_two() {
        let pods =
            || vec![burstable("big", "4", "900"), burstable("small", "100m", "10"), burstable("fit", "1", "100")];
        let wanted = json!({"cpu": "1"});
        assert_eq!(chosen(pods(), wanted.clone(), [0, 0, 0], 9).unwrap(), ["fit"]);
        assert_eq!(chosen(pods(), wanted, [900, 0, 0], 9).unwrap(), ["small"]);
        assert_eq!(chosen(pods(), json!({"cpu": "1", "memory": "200"}), [0, 0, 0], 9).unwrap(), ["big"]);
        assert_eq!(chosen(pods(), json!({"cpu": "5"}), [0, 0, 0], 9).unwrap(), ["big", "fit"]);
    }

    #[test]
    fn a_pod_frees_what_it_has_and_not_what_it_waits_for() {
        let waits = Holder { held: [100, 0, 0], ..burstable("waits", "4", "0") };
        let pods = || vec![waits.clone(), burstable("has", "1", "0")];
        assert_eq!(chosen(pods(), json!({"cpu": "1"}), [0, 0, 0], 9).unwrap(), ["has"]);
        assert_eq!(chosen(pods(), json!({"cpu": "1100m"}), [0, 0, 0], 9).unwrap(), ["has", "waits"]);
        assert!(chosen(pods(), json!({"cpu": "2"}), [0, 0, 0], 9).is_err());
    }

    #[test]
    fn lesser_classes_go_first() {
        let pods = || vec![guaranteed("g", "1", "100"), burstable("b", "1", "100"), best_effort("e")];
        let wanted = |cpu: &str| json!({"cpu": cpu});
        assert_eq!(chosen(pods(), wanted("1"), [0, 0, 0], 9).unwrap(), ["b"]);
        assert_eq!(chosen(pods(), wanted("1500m"), [0, 0, 0], 9).unwrap(), ["b", "g"]);
        assert_eq!(chosen(pods(), wanted("1"), [1000, 0, 0], 0).unwrap(), ["e"]);
        assert_eq!(
            chosen(pods(), wanted("3"), [0, 0, 0], 9).unwrap_err(),
            "preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: \
             [(res: cpu, q: 1000), ]"
        );
    }

    #[test]
    fn only_lower_pods_are_ended() {
        let wanted = json!({"cpu": "1"});
        let of = |priority| vec![pod("other", priority, json!({"cpu": "1"}), json!({}))];
        for lower in [None, Some(1_999_999_999)] {
            assert_eq!(chosen(of(lower), wanted.clone(), [0, 0, 0], 9).unwrap(), ["other"]);
        }
        for other in [Some(2_000_000_000), Some(2_000_001_000)] {
            assert!(chosen(of(other), wanted.clone(), [0, 0, 0], 9).is_err());
        }
        let highest = pod("highest", Some(2_000_001_000), json!({}), json!({})).pod.open();
        assert!(may_preempt(&highest, &of(Some(2_000_000_000))[0].pod.open()));
    }
}
