//! What a pod asks for and the node has not left.

use coracle_api::pod::ResourceList;
use k8s_openapi::api::core::v1::Pod;

use super::{Refusal, Room};
use crate::pods::{Asked, COUNTED, asked, in_units};

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

/// So many pods, and what they have together.
pub(super) fn with_pods(pods: i64, [cpu, memory, storage]: Asked) -> Amounts {
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

/// Everything that there is too little of for who wants so much.
pub(super) fn shortages(wanted: Amounts, room: &Room<'_>) -> Vec<Shortage> {
    let used = with_pods(i64::from(room.pods), room.asked);
    let pods = room.allocatable.get(RESOURCES[0]).map_or(i64::MAX, |pods| pods.value());
    let all = with_pods(pods, capacity(room.allocatable));
    let wanted = wanted.into_iter().zip(used).zip(all).enumerate();
    let short = wanted.filter_map(|(index, ((requested, used), capacity))| {
        // Who asks for nothing of it gets along with what there is.
        let lacks = requested > 0 && requested > capacity.saturating_sub(used);
        lacks.then_some(Shortage { index, requested, used, capacity })
    });
    short.collect()
}

/// What there is of each resource that is counted; no end of it where the node says nothing.
pub(super) fn capacity(allocatable: &ResourceList) -> Asked {
    let amounts = in_units(allocatable);
    std::array::from_fn(|index| if allocatable.contains_key(COUNTED[index]) { amounts[index] } else { i64::MAX })
}
