//! Whether the node takes a pod that was bound to it: not everybody who binds asks the scheduler, and the node may have
//! become short of something since (kubelet's `lifecycle` handlers). A critical pod that only lacks resources gets those
//! of lesser pods (kubelet's `preemption`).

mod affinity;
mod growth;
mod ports;
mod preempt;
mod refuse;
mod shortage;
mod victims;

use std::collections::BTreeMap;

use coracle_api::pod::{QosClass, ResourceList, qos_class, tolerates};
use k8s_openapi::api::core::v1::{Pod, Taint};

pub use affinity::any_term_is_met;
pub use growth::{infeasible, judge_growth};
pub use ports::free_ports;
pub use preempt::{DISRUPTION, PREEMPTING, preempt};
pub use refuse::refuse;
pub use shortage::Shortage;
pub use victims::victims;

use self::shortage::{Amounts, amounts, shortages};
use crate::{
    eviction::{Condition, is_critical},
    pods::Asked,
    shared::Shared,
};

/// Why a pod is not taken: `status.reason`, and what is said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `OutOfcpu`, `NodeAffinity`, `Evicted` …
    pub reason: &'static str,
    /// In kubelet's words.
    pub message: String,
}

impl Refusal {
    /// One of the scheduler's predicates does not hold here.
    fn of_predicate(name: &'static str, why: &str) -> Refusal {
        Refusal { reason: name, message: format!("Predicate {name} failed: {why}") }
    }

    /// A step of the admission itself has failed.
    pub fn unexpected(message: String) -> Refusal {
        Refusal { reason: "UnexpectedAdmissionError", message }
    }
}

/// What the node is judged by.
pub struct Room<'a> {
    /// What pods may ask for together.
    pub allocatable: &'a ResourceList,
    /// How many pods there are, without the one that is judged.
    pub pods: u32,
    /// What they ask for.
    pub asked: Asked,
    /// Conditions that are true.
    pub pressures: Vec<Condition>,
    /// Whether the node is about to stop.
    pub shutting_down: bool,
}

impl<'a> Room<'a> {
    /// The node as it is, with so many pods that have been let have so much.
    pub fn of(shared: &'a Shared, pods: u32, asked: Asked) -> Room<'a> {
        Room {
            allocatable: &shared.allocatable,
            pods,
            asked,
            pressures: shared.health.pressures(),
            shutting_down: shared.health.is_shutting_down(),
        }
    }
}

/// What the node thinks of a pod: what it lacks, if it is critical, and others may have to give it.
pub type Verdict = Result<Vec<Shortage>, Refusal>;

/// Judges a pod, without a look at labels and ports. A critical pod is not refused for what it lacks: that is returned,
/// and others may have it.
///
/// # Errors
/// When it is not to run here.
pub fn judge(pod: &Pod, room: &Room<'_>) -> Verdict {
    judge_wish(pod, amounts(pod), room)
}

/// Judges what a pod wants, be it all of it or more than it has.
fn judge_wish(pod: &Pod, wanted: Amounts, room: &Room<'_>) -> Verdict {
    if room.shutting_down {
        let message = "Pod was rejected as the node is shutting down.".to_owned();
        return Err(Refusal { reason: "NodeShutdown", message });
    }
    let critical = is_critical(pod);
    if !critical {
        bear_pressure(pod, &room.pressures)?;
    }
    let shortages = shortages(wanted, room);
    match shortages.first() {
        Some(first) if !critical => Err(first.refusal()),
        _ => Ok(shortages),
    }
}

/// Whether the pod's node selector and affinity fit the node's labels.
///
/// # Errors
/// When they don't.
pub fn fits(pod: &Pod, name: &str, labels: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if affinity::matches(pod, name, labels) {
        return Ok(());
    }
    Err(Refusal::of_predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector"))
}

/// Whether the pod asks anything of the node's labels.
pub fn asks_for_labels(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    spec.node_selector.as_ref().is_some_and(|selector| !selector.is_empty())
        || affinity.is_some_and(|it| it.required_during_scheduling_ignored_during_execution.is_some())
}

/// Under memory pressure alone, who asks for memory is still taken; under any other, nobody is.
fn bear_pressure(pod: &Pod, pressures: &[Condition]) -> Result<(), Refusal> {
    let tolerated = match pressures {
        [] => true,
        [Condition::Memory] => qos_class(pod) != QosClass::BestEffort || tolerates_memory_pressure(pod),
        _ => false,
    };
    if tolerated {
        return Ok(());
    }
    let names: Vec<&str> = pressures.iter().map(|condition| condition.name()).collect();
    let message = format!("The node had condition: [{}]. ", names.join(" "));
    Err(Refusal { reason: "Evicted", message })
}

fn tolerates_memory_pressure(pod: &Pod) -> bool {
    let taint = Taint {
        key: "node.kubernetes.io/memory-pressure".to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    };
    let tolerations = pod.spec.iter().flat_map(|spec| spec.tolerations.iter().flatten());
    tolerations.into_iter().any(|toleration| tolerates(toleration, &taint))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::pods::COUNTED;

    pub(super) fn pod(requests: Value, extra: Value) -> Pod {
        let mut pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "resources": {"requests": requests}}]}});
        pod["spec"].as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap_or_default());
        serde_json::from_value(pod).unwrap()
    }

    pub(super) fn with_room<T>(change: impl FnOnce(&mut Room<'_>), ask: impl FnOnce(&Room<'_>) -> T) -> T {
        let allocatable: ResourceList = [("cpu", "2"), ("memory", "1Gi"), ("ephemeral-storage", "1Gi"), ("pods", "10")]
            .map(|(name, amount)| (name.to_owned(), amount.parse().unwrap()))
            .into();
        let mut room = Room {
            allocatable: &allocatable,
            pods: 0,
            asked: [0; COUNTED.len()],
            pressures: Vec::new(),
            shutting_down: false,
        };
        change(&mut room);
        ask(&room)
    }

    fn verdict(pod: &Pod, change: impl FnOnce(&mut Room<'_>)) -> Result<(), (&'static str, String)> {
        with_room(change, |room| judge(pod, room)).map(drop).map_err(|refusal| (refusal.reason, refusal.message))
    }

    #[test]
    fn resources_are_refused_in_kubelets_words() {
        let refused = |requests, change: fn(&mut Room<'_>)| verdict(&pod(requests, json!({})), change).unwrap_err();
        assert_eq!(
            refused(json!({"cpu": "5"}), |_| {}),
            ("OutOfcpu", "Node didn't have enough resource: cpu, requested: 5000, used: 0, capacity: 2000".into())
        );
        assert_eq!(refused(json!({"memory": "600Mi"}), |room| room.asked[1] = 500 << 20).0, "OutOfmemory");
        assert_eq!(
            refused(json!({}), |room| room.pods = 10),
            ("OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 10, capacity: 10".into())
        );
        assert_eq!(verdict(&pod(json!({}), json!({})), |room| room.asked = [9000, 9 << 40, 0]), Ok(()));
        assert_eq!(verdict(&pod(json!({"cpu": "2"}), json!({})), |_| {}), Ok(()));
    }

    #[test]
    fn memory_pressure_is_for_who_asks_for_nothing_and_other_pressure_for_all() {
        let best_effort = pod(json!({}), json!({}));
        let memory = |room: &mut Room<'_>| room.pressures = vec![Condition::Memory];
        assert_eq!(
            verdict(&best_effort, memory).unwrap_err(),
            ("Evicted", "The node had condition: [MemoryPressure]. ".into())
        );
        let burstable = pod(json!({"memory": "1Mi"}), json!({}));
        assert_eq!(verdict(&burstable, memory), Ok(()));
        let tolerations = json!({"tolerations": [{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"}]});
        let tolerant = pod(json!({}), tolerations);
        assert_eq!(verdict(&tolerant, memory), Ok(()));
        let both = |room: &mut Room<'_>| room.pressures = vec![Condition::Memory, Condition::Disk];
        for pod in [&burstable, &tolerant] {
            assert_eq!(verdict(pod, both).unwrap_err().1, "The node had condition: [MemoryPressure DiskPressure]. ");
        }
        assert_eq!(verdict(&pod(json!({"cpu": "9"}), json!({"priority": 2_000_000_000})), both), Ok(()));
    }

    #[test]
    fn a_critical_pod_is_told_all_that_it_lacks() {
        let allocatable: ResourceList =
            [("cpu", "2"), ("pods", "1")].map(|(name, amount)| (name.to_owned(), amount.parse().unwrap())).into();
        let asked = [1500, 0, 0];
        let room = Room { allocatable: &allocatable, pods: 1, asked, pressures: Vec::new(), shutting_down: false };
        let critical = pod(json!({"cpu": "1", "memory": "1Ti"}), json!({"priority": 2_000_000_000}));
        let lacks = judge(&critical, &room).unwrap();
        assert_eq!(
            lacks.iter().map(|it| (it.resource(), it.missing())).collect::<Vec<_>>(),
            [("pods", 1), ("cpu", 500)]
        );
    }

    #[test]
    fn a_node_that_shuts_down_takes_nobody() {
        let critical = pod(json!({}), json!({"priority": 2_000_000_000}));
        assert_eq!(
            verdict(&critical, |room| room.shutting_down = true).unwrap_err(),
            ("NodeShutdown", "Pod was rejected as the node is shutting down.".into())
        );
    }
}
