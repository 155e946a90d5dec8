//! NodeName: a pod that names its node fits no other.

use crate::framework::{ClusterEvent, Filter, Unfit};
use crate::node_info::NodeInfo;
use crate::pod_info::PodInfo;

/// See the module's documentation.
pub struct NodeName;

impl Filter for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn concerns(&self, pod: &PodInfo) -> bool {
        pod.node_name.is_some()
    }

    fn filter(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Unfit> {
        match &pod.node_name {
            Some(name) if *name != node.name => {
                Err(Unfit::unresolvable("node(s) didn't match the requested node name"))
            }
            _ => Ok(()),
        }
    }

    fn helped_by(&self, event: ClusterEvent) -> bool {
        event == ClusterEvent::NodeChanged
    }
}
