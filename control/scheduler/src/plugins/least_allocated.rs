//! The LeastAllocated strategy of NodeResourcesFit: the node with the larger free share of CPU and memory is better.

use crate::framework::{MAX_SCORE, Score};
use crate::node_info::NodeInfo;
use crate::pod_info::PodInfo;

/// See the module's documentation.
pub struct LeastAllocated;

impl Score for LeastAllocated {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn score(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let (cpu, memory) = node.non_zero_requested;
        let allocatable = &node.offer.allocatable;
        let cpu = free_share(cpu.saturating_add(pod.non_zero_requests.0), allocatable.milli_cpu);
        let memory = free_share(memory.saturating_add(pod.non_zero_requests.1), allocatable.memory_bytes);
        match (cpu, memory) {
            (Some(cpu), Some(memory)) => (cpu + memory) / 2,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => 0,
        }
    }
}

/// The free share in percent after the pod is placed; None for a resource that the node does not have.
fn free_share(requested: i64, allocatable: i64) -> Option<i64> {
    if allocatable <= 0 {
        return None;
    }
    let free = allocatable.saturating_sub(requested).max(0);
    i64::try_from(i128::from(free) * i128::from(MAX_SCORE) / i128::from(allocatable)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_info::Usage;
    use crate::testing::{nodes, pod};

    #[test]
    fn free_shares() {
        let mut node = nodes(1, 1000, 1000 << 20).remove(0);
        let pod_ = pod("p").cpu(500).memory(500 << 20).build();
        assert_eq!(LeastAllocated.score(&pod_, &node), 50);
        node.add(&Usage::of(&pod_));
        assert_eq!(LeastAllocated.score(&pod_, &node), 0);
        node.add(&Usage::of(&pod_));
        assert_eq!(LeastAllocated.score(&pod_, &node), 0, "never below zero");
        assert_eq!(free_share(1, 0), None);
    }
}
