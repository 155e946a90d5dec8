//! What the scheduler knows about one node: what it offers, and what the pods on it already take.

use crate::pod_info::PodInfo;
use crate::ports::HostPorts;
use crate::resources::Resources;
use k8s_openapi::api::core::v1::{Node, Taint};
use std::collections::BTreeMap;

/// A node with its usage. Pods are counted here from the moment they are assumed, before the binding is written.
#[derive(Debug, Clone, Default)]
pub struct NodeInfo {
    /// `metadata.name`.
    pub name: String,
    /// What the node is and offers.
    pub offer: NodeOffer,
    /// Sum of the requests of the pods here.
    pub requested: Resources,
    /// The same, with a small amount assumed for pods that request nothing, so that scoring spreads them too.
    pub non_zero_requested: (i64, i64),
    /// How many pods are here.
    pub pod_count: i64,
    /// Host ports in use.
    pub host_ports: HostPorts,
}

/// The part of a node that its own object states.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeOffer {
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// `status.allocatable` without pods.
    pub allocatable: Resources,
    /// `status.allocatable.pods`.
    pub max_pods: i64,
}

impl NodeOffer {
    /// Reads the offer from a node object.
    pub fn of(node: &Node) -> NodeOffer {
        let spec = node.spec.as_ref();
        let (allocatable, max_pods) = node
            .status
            .as_ref()
            .and_then(|s| s.allocatable.as_ref())
            .map(crate::pod_info::read_resources)
            .unwrap_or_default();
        NodeOffer {
            labels: node.metadata.labels.clone().unwrap_or_default(),
            taints: spec.and_then(|s| s.taints.clone()).unwrap_or_default(),
            unschedulable: spec.and_then(|s| s.unschedulable).unwrap_or(false),
            allocatable,
            max_pods,
        }
    }
}

impl NodeInfo {
    /// A node of this name that offers nothing yet.
    pub fn named(name: &str) -> NodeInfo {
        NodeInfo { name: name.to_owned(), ..NodeInfo::default() }
    }

    /// Counts a pod in.
    pub fn add_pod(&mut self, pod: &PodInfo) {
        self.requested.add(&pod.requests);
        self.non_zero_requested.0 = self.non_zero_requested.0.saturating_add(pod.non_zero_requests.0);
        self.non_zero_requested.1 = self.non_zero_requested.1.saturating_add(pod.non_zero_requests.1);
        self.pod_count += 1;
        pod.host_ports.iter().for_each(|port| self.host_ports.take(port));
    }

    /// Counts a pod out.
    pub fn remove_pod(&mut self, pod: &PodInfo) {
        self.requested.subtract(&pod.requests);
        self.non_zero_requested.0 = self.non_zero_requested.0.saturating_sub(pod.non_zero_requests.0);
        self.non_zero_requested.1 = self.non_zero_requested.1.saturating_sub(pod.non_zero_requests.1);
        self.pod_count -= 1;
        pod.host_ports.iter().for_each(|port| self.host_ports.give_back(port));
    }
}
