//! What the scheduler knows about one node: what it offers, and what the pods on it already take.

use crate::pod_info::PodInfo;
use crate::ports::{HostPort, HostPorts};
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

/// What a pod takes of its node: all that is remembered of one that was placed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// What it requests.
    pub requests: Resources,
    /// CPU (thousandths) and memory (bytes) for scoring.
    pub non_zero_requests: (i64, i64),
    /// Its host ports.
    pub host_ports: Vec<HostPort>,
}

impl Usage {
    /// What this pod takes.
    pub fn of(pod: &PodInfo) -> Usage {
        let PodInfo { requests, non_zero_requests, host_ports, .. } = pod;
        Usage { requests: requests.clone(), non_zero_requests: *non_zero_requests, host_ports: host_ports.clone() }
    }
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

    /// Counts in what a pod takes.
    pub fn add(&mut self, usage: &Usage) {
        self.requested.add(&usage.requests);
        self.non_zero_requested.0 = self.non_zero_requested.0.saturating_add(usage.non_zero_requests.0);
        self.non_zero_requested.1 = self.non_zero_requested.1.saturating_add(usage.non_zero_requests.1);
        self.pod_count += 1;
        usage.host_ports.iter().for_each(|port| self.host_ports.take(port));
    }

    /// Counts out what a pod took.
    pub fn subtract(&mut self, usage: &Usage) {
        self.requested.subtract(&usage.requests);
        self.non_zero_requested.0 = self.non_zero_requested.0.saturating_sub(usage.non_zero_requests.0);
        self.non_zero_requested.1 = self.non_zero_requested.1.saturating_sub(usage.non_zero_requests.1);
        self.pod_count -= 1;
        usage.host_ports.iter().for_each(|port| self.host_ports.give_back(port));
    }
}
