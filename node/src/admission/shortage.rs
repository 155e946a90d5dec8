//! What a pod asks for and the node has not left.

use k8s_openapi::api::core::v1::Pod;

use super::{Refusal, Room};
use crate::pods::{COUNTED, asked};

/// How many resources there are.
const COUNT: usize = 1 + COUNTED.len();

/// Resources in the order in which kubelet looks at them.
pub(super) const RESOURCES: [&str; COUNT] = ["pods", COUNTED[0], COUNTED[1], COUNTED[2]];

/// Amounts of them.
pub(super) type Amounts = [i64; COUNT];

/// What a pod takes; it is itself one of the pods that may be here.
pub(super) fn amounts(pod: &Pod) -> Amounts {
    with_pods(1, asked(pod))
}

fn with_pods(pods: i64, [cpu, memory, storage]: [i64; COUNTED.len()]) -> Amounts {
    [pods, cpu, memory, storage]
}

/// A resource that the node has not enough of for a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// Its place among the resources.
    pub(super) index: usize,
    requested: i64,
    used: i64,
    capacity: i64,
}

impl Shortage {
    /// The resource.
    pub fn resource(&self) -> &'static str {
        RESOURCES[self.index]
    }

    /// How much more there would have to be.
    pub fn missing(&self) -> i64 {
        self.requested.saturating_sub(self.capacity.saturating_sub(self.used))
    }

    /// The refusal of a pod that can't have it.
    pub(super) fn refusal(&self) -> Refusal {
        let Shortage { requested, used, capacity, .. } = self;
        let name = self.resource();
        let message = format!(
            "Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}"
        );
        Refusal { reason: out_of(name), message }
    }
}

fn out_of(resource: &str) -> &'static str {
    match resource {
        "cpu" => "OutOfcpu",
        "memory" => "OutOfmemory",
        "ephemeral-storage" => "OutOfephemeral-storage",
        _ => "OutOfpods",
    }
}

/// Everything that there is too little of for the pod.
pub(super) fn shortages(pod: &Pod, room: &Room<'_>) -> Vec<Shortage> {
    let used = with_pods(i64::from(room.pods), room.asked);
    let wanted = amounts(pod).into_iter().zip(used).enumerate();
    let short = wanted.filter_map(|(index, (requested, used))| {
        let (name, all) = (RESOURCES[index], room.allocatable.get(RESOURCES[index]).copied());
        let capacity = all.map_or(i64::MAX, |all| if name == "cpu" { all.milli_value() } else { all.value() });
        // Who asks for nothing of it gets along with what there is.
        let lacks = requested > 0 && requested > capacity.saturating_sub(used);
        lacks.then_some(Shortage { index, requested, used, capacity })
    });
    short.collect()
}
