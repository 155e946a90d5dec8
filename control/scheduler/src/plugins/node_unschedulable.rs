//! NodeUnschedulable: `kubectl cordon` keeps new pods away, except those that tolerate it.

use crate::framework::{ClusterEvent, Filter, Unfit};
use crate::node_info::NodeInfo;
use crate::pod_info::PodInfo;
use k8s_openapi::api::core::v1::Taint;

/// See the module's documentation.
pub struct NodeUnschedulable;

impl Filter for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Unfit> {
        if !node.offer.unschedulable {
            return Ok(());
        }
        let cordon = Taint {
            key: "node.kubernetes.io/unschedulable".to_owned(),
            effect: "NoSchedule".to_owned(),
            ..Taint::default()
        };
        if pod.tolerates(&cordon) { Ok(()) } else { Err(Unfit::unresolvable("node(s) were unschedulable")) }
    }

    fn helped_by(&self, event: ClusterEvent) -> bool {
        event == ClusterEvent::NodeChanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{nodes, pod, toleration};

    #[test]
    fn a_cordoned_node_takes_only_who_tolerates_it() {
        let mut node = nodes(1, 1000, 1 << 30).remove(0);
        node.offer.unschedulable = true;
        assert!(NodeUnschedulable.filter(&pod("p").build(), &node).is_err());
        let tolerant = pod("p").tolerate(toleration("node.kubernetes.io/unschedulable", "Exists", "", "")).build();
        assert!(NodeUnschedulable.filter(&tolerant, &node).is_ok());
    }
}
