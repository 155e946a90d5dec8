//! NodePorts: two pods can't listen on the same port of the same address of a node.

use crate::framework::{ClusterEvent, Filter, Unfit};
use crate::node_info::NodeInfo;
use crate::pod_info::PodInfo;

/// See the module's documentation.
pub struct NodePorts;

impl Filter for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn concerns(&self, pod: &PodInfo) -> bool {
        !pod.host_ports.is_empty()
    }

    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Unfit> {
        if pod.host_ports.iter().any(|port| node.host_ports.conflicts(port)) {
            return Err(Unfit::resolvable("node(s) didn't have free ports for the requested pod ports"));
        }
        Ok(())
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
    fn a_taken_port_is_taken() {
        let mut node = nodes(1, 1000, 1 << 30).remove(0);
        let first = pod("p").host_port(8080).build();
        assert!(NodePorts.filter(&first, &node).is_ok());
        node.add(&Usage::of(&first));
        assert!(NodePorts.filter(&pod("q").host_port(8080).build(), &node).unwrap_err().resolvable);
        assert!(NodePorts.filter(&pod("q").host_port(8081).build(), &node).is_ok());
    }
}
