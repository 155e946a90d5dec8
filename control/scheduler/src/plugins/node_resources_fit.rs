//! NodeResourcesFit: what the pods of a node request must not exceed what the node can give.

use crate::framework::{ClusterEvent, Filter, Unfit};
use crate::node_info::NodeInfo;
use crate::pod_info::PodInfo;
use std::borrow::Cow;

/// See the module's documentation.
pub struct NodeResourcesFit;

/// What is missing, collected over all resources of one node.
#[derive(Default)]
struct Shortage {
    reasons: Vec<Cow<'static, str>>,
    /// Set if even the empty node would be too small.
    never: bool,
}

impl Shortage {
    fn check(&mut self, wanted: i64, used: i64, allocatable: i64, reason: impl FnOnce() -> Cow<'static, str>) {
        if wanted > 0 && wanted > allocatable.saturating_sub(used) {
            self.reasons.push(reason());
            self.never |= wanted > allocatable;
        }
    }
}

impl Filter for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Unfit> {
        let (wanted, used, allocatable) = (&pod.requests, &node.requested, &node.offer.allocatable);
        let mut short = Shortage::default();
        short.check(1, node.pod_count, node.offer.max_pods, || "Too many pods".into());
        short.check(wanted.milli_cpu, used.milli_cpu, allocatable.milli_cpu, || "Insufficient cpu".into());
        short.check(wanted.memory_bytes, used.memory_bytes, allocatable.memory_bytes, || "Insufficient memory".into());
        short.check(wanted.ephemeral_bytes, used.ephemeral_bytes, allocatable.ephemeral_bytes, || {
            "Insufficient ephemeral-storage".into()
        });
        for (name, amount) in &wanted.extended {
            let used = used.extended.get(name).copied().unwrap_or(0);
            let allocatable = allocatable.extended.get(name).copied().unwrap_or(0);
            short.check(*amount, used, allocatable, || format!("Insufficient {name}").into());
        }
        if short.reasons.is_empty() {
            return Ok(());
        }
        Err(Unfit { reasons: short.reasons, resolvable: !short.never })
    }

    fn helped_by(&self, event: ClusterEvent) -> bool {
        matches!(event, ClusterEvent::NodeChanged | ClusterEvent::PodRemoved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_info::Usage;
    use crate::testing::{nodes, pod};

    #[test]
    fn each_resource_is_named() {
        let mut node = nodes(1, 1000, 1 << 30).remove(0);
        node.add(&Usage::of(&pod("busy").cpu(600).build()));
        let unfit = NodeResourcesFit.filter(&pod("p").cpu(500).memory(2 << 30).build(), &node).unwrap_err();
        assert_eq!(unfit.reasons, ["Insufficient cpu", "Insufficient memory"]);
        assert!(!unfit.resolvable, "the memory is more than the node has");
        let unfit = NodeResourcesFit.filter(&pod("p").cpu(500).build(), &node).unwrap_err();
        assert!(unfit.resolvable);
        assert!(NodeResourcesFit.filter(&pod("p").cpu(400).build(), &node).is_ok());
    }

    #[test]
    fn a_full_node_takes_nobody_and_unknown_resources_are_not_there() {
        let mut node = nodes(1, 1000, 1 << 30).remove(0);
        node.offer.max_pods = 1;
        node.add(&Usage::of(&pod("one").build()));
        assert_eq!(NodeResourcesFit.filter(&pod("p").build(), &node).unwrap_err().reasons, ["Too many pods"]);
        node.offer.max_pods = 110;
        let gpu = pod("p").extended("example.com/gpu", 1).build();
        assert_eq!(NodeResourcesFit.filter(&gpu, &node).unwrap_err().reasons, ["Insufficient example.com/gpu"]);
    }

    #[test]
    fn a_pod_that_asks_for_nothing_fits_an_overcommitted_node() {
        let mut node = nodes(1, 1000, 1 << 30).remove(0);
        node.add(&Usage::of(&pod("busy").cpu(2000).build()));
        assert!(NodeResourcesFit.filter(&pod("p").build(), &node).is_ok());
    }
}
