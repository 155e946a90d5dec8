//! Pods and nodes for tests and benches.

use crate::node_info::{NodeInfo, NodeOffer};
use crate::pod_info::PodInfo;
use crate::ports::{ANY_ADDRESS, HostPort};
use crate::resources::Resources;
use crate::view::PodView;
use k8s_openapi::api::core::v1::{Node, Taint, Toleration};
use std::sync::Arc;

/// Builds a pod step by step.
pub struct PodBuilder(PodInfo);

/// A pod called `name`, whose uid is its name, and that asks for nothing.
pub fn pod(name: &str) -> PodBuilder {
    PodBuilder(PodInfo {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        uid: name.to_owned(),
        scheduler: "default-scheduler".to_owned(),
        non_zero_requests: (100, 200 << 20),
        ..PodInfo::default()
    })
}

impl PodBuilder {
    /// Requests CPU.
    pub fn cpu(mut self, milli: i64) -> Self {
        self.0.requests.milli_cpu = milli;
        self.0.non_zero_requests.0 = milli;
        self
    }

    /// Requests memory.
    pub fn memory(mut self, bytes: i64) -> Self {
        self.0.requests.memory_bytes = bytes;
        self.0.non_zero_requests.1 = bytes;
        self
    }

    /// Requests an extended resource.
    pub fn extended(mut self, name: &str, amount: i64) -> Self {
        self.0.requests.extended.insert(name.to_owned(), amount);
        self
    }

    /// Has this priority.
    pub fn priority(mut self, priority: i32) -> Self {
        self.0.priority = priority;
        self
    }

    /// Tolerates something.
    pub fn tolerate(mut self, toleration: Toleration) -> Self {
        self.0.tolerations.push(toleration);
        self
    }

    /// Selects nodes by a label.
    pub fn select(mut self, key: &str, value: &str) -> Self {
        self.0.node_selector.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Wants a TCP port on all addresses of the node.
    pub fn host_port(mut self, port: u16) -> Self {
        self.0.host_ports.push(HostPort { ip: ANY_ADDRESS.to_owned(), protocol: "TCP".to_owned(), port });
        self
    }

    /// The pod.
    pub fn build(self) -> PodInfo {
        self.0
    }
}

/// A taint.
pub fn taint(key: &str, value: &str, effect: &str) -> Taint {
    Taint {
        key: key.to_owned(),
        value: Some(value.to_owned()).filter(|v| !v.is_empty()),
        effect: effect.to_owned(),
        time_added: None,
    }
}

/// A toleration; empty texts are left out.
pub fn toleration(key: &str, operator: &str, value: &str, effect: &str) -> Toleration {
    let given = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    Toleration {
        key: given(key),
        operator: given(operator),
        value: given(value),
        effect: given(effect),
        toleration_seconds: None,
    }
}

/// An offer of CPU (thousandths) and memory (bytes), and of 110 pods.
pub fn node_offer(milli_cpu: i64, memory_bytes: i64) -> NodeOffer {
    NodeOffer {
        allocatable: Resources { milli_cpu, memory_bytes, ..Resources::default() },
        max_pods: 110,
        ..NodeOffer::default()
    }
}

/// Nodes `node-0`, `node-1`, … that offer the same.
pub fn nodes(count: usize, milli_cpu: i64, memory_bytes: i64) -> Vec<NodeInfo> {
    (0..count)
        .map(|i| NodeInfo {
            name: format!("node-{i}"),
            offer: node_offer(milli_cpu, memory_bytes),
            ..NodeInfo::default()
        })
        .collect()
}

/// A node as the watch shows it.
pub fn seen_node(name: &str, cpu: &str, memory: &str) -> Box<Node> {
    decode(serde_json::json!({
        "metadata": {"name": name},
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": "110"}},
    }))
}

/// A pod as the watch shows it.
pub fn seen_pod(name: &str, cpu: &str, node: Option<&str>) -> Arc<PodInfo> {
    let view: PodView = decode(serde_json::json!({
        "metadata": {"name": name, "namespace": "default", "uid": name},
        "spec": {"nodeName": node, "schedulerName": "default-scheduler",
            "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]},
    }));
    Arc::new(PodInfo::of(&view.0))
}

fn decode<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).expect("what this module writes is an object of its kind")
}
