//! What the scheduler knows about one pod, read from the object once so that decisions parse nothing.

use crate::ports::HostPort;
use crate::resources::Resources;
use coracle_api::pod::{self, ResourceList};
use k8s_openapi::api::core::v1::{
    Affinity, NodeSelectorTerm, Pod, PodSpec, PreferredSchedulingTerm, Taint, Toleration,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// What scoring assumes of a pod that requests no CPU: a tenth of a core, as Kubernetes does.
const ASSUMED_MILLI_CPU: i64 = 100;
/// What scoring assumes of a pod that requests no memory: 200 MB, as Kubernetes does.
const ASSUMED_MEMORY_BYTES: i64 = 200 * 1024 * 1024;

/// See the module's documentation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PodInfo {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: Option<String>,
    /// Whether deletion was asked for.
    pub deleting: bool,
    /// `spec.schedulerName`.
    pub scheduler: String,
    /// `spec.nodeName`.
    pub node_name: Option<String>,
    /// `spec.priority`.
    pub priority: i32,
    /// `spec.schedulingGates[*].name`.
    pub gates: Vec<String>,
    /// What its node must keep free for it.
    pub requests: Resources,
    /// CPU (thousandths) and memory (bytes) for scoring.
    pub non_zero_requests: (i64, i64),
    /// The host ports it wants.
    pub host_ports: Vec<HostPort>,
    /// `spec.tolerations`.
    pub tolerations: Vec<Toleration>,
    /// `spec.nodeSelector`.
    pub node_selector: BTreeMap<String, String>,
    /// Required node affinity, if there is any.
    pub required_terms: Option<Vec<NodeSelectorTerm>>,
    /// Preferred node affinity.
    pub preferred_terms: Vec<PreferredSchedulingTerm>,
    /// Reason and message of the condition PodScheduled, if that is False.
    pub condition: Option<(String, String)>,
}

impl PodInfo {
    /// Reads a pod.
    pub fn of(pod: &Pod) -> PodInfo {
        let no_spec = PodSpec::default();
        let (meta, spec) = (&pod.metadata, pod.spec.as_ref().unwrap_or(&no_spec));
        let (requests, _) = amounts(&pod::reserved(pod));
        let (required_terms, preferred_terms) = node_affinity(spec.affinity.as_ref());
        PodInfo {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            resource_version: meta.resource_version.clone(),
            deleting: meta.deletion_timestamp.is_some(),
            scheduler: spec.scheduler_name.clone().unwrap_or_else(|| "default-scheduler".to_owned()),
            node_name: spec.node_name.clone().filter(|name| !name.is_empty()),
            priority: spec.priority.unwrap_or(0),
            gates: spec.scheduling_gates.iter().flatten().map(|gate| gate.name.clone()).collect(),
            non_zero_requests: non_zero(&requests),
            requests,
            host_ports: pod::host_ports(pod),
            tolerations: spec.tolerations.clone().unwrap_or_default(),
            node_selector: spec.node_selector.clone().unwrap_or_default(),
            required_terms,
            preferred_terms,
            condition: unscheduled_condition(pod),
        }
    }

    /// Whether one of the pod's tolerations covers the taint.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.tolerations.iter().any(|toleration| pod::tolerates(toleration, taint))
    }

    /// Whether `other`, a later version of this pod, asks the scheduler for the same.
    pub fn asks_the_same(&self, other: &PodInfo) -> bool {
        self.priority == other.priority
            && self.gates == other.gates
            && self.requests == other.requests
            && self.tolerations == other.tolerations
            && self.node_selector == other.node_selector
            && self.required_terms == other.required_terms
            && self.preferred_terms == other.preferred_terms
    }
}

/// The amounts in a resource list, and the number of pods in it.
pub fn read_resources(list: &BTreeMap<String, Quantity>) -> (Resources, i64) {
    amounts(&pod::read_list(Some(list)))
}

fn amounts(list: &ResourceList) -> (Resources, i64) {
    let (mut resources, mut pods) = (Resources::default(), 0);
    for (name, quantity) in list {
        match name.as_str() {
            "cpu" => resources.milli_cpu = quantity.milli_value(),
            "memory" => resources.memory_bytes = quantity.value(),
            "ephemeral-storage" => resources.ephemeral_bytes = quantity.value(),
            "pods" => pods = quantity.value(),
            _ => drop(resources.extended.insert(name.clone(), quantity.value())),
        }
    }
    (resources, pods)
}

fn non_zero(requests: &Resources) -> (i64, i64) {
    let or = |amount: i64, assumed: i64| if amount == 0 { assumed } else { amount };
    (or(requests.milli_cpu, ASSUMED_MILLI_CPU), or(requests.memory_bytes, ASSUMED_MEMORY_BYTES))
}

type Terms = (Option<Vec<NodeSelectorTerm>>, Vec<PreferredSchedulingTerm>);

fn node_affinity(affinity: Option<&Affinity>) -> Terms {
    let Some(affinity) = affinity.and_then(|a| a.node_affinity.as_ref()) else { return Terms::default() };
    let required =
        affinity.required_during_scheduling_ignored_during_execution.as_ref().map(|r| r.node_selector_terms.clone());
    (required, affinity.preferred_during_scheduling_ignored_during_execution.clone().unwrap_or_default())
}

fn unscheduled_condition(pod: &Pod) -> Option<(String, String)> {
    let condition = pod::condition(pod, "PodScheduled").filter(|c| c.status == "False")?;
    Some((condition.reason.clone().unwrap_or_default(), condition.message.clone().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_scheduling_looks_at() {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p", "namespace": "d", "uid": "u"},
            "spec": {
                "schedulingGates": [{"name": "g"}],
                "nodeName": "",
                "containers": [
                    {"name": "a", "resources": {"requests": {"cpu": "250m", "memory": "64Mi", "example.com/gpu": "1"}},
                     "ports": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81}]},
                    {"name": "b", "resources": {"requests": {"cpu": "1"}}},
                ],
            },
            "status": {"conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "m"}]},
        }))
        .unwrap();
        let info = PodInfo::of(&pod);
        assert_eq!(info.requests.milli_cpu, 1250);
        assert_eq!(info.requests.memory_bytes, 64 << 20);
        assert_eq!(info.requests.extended["example.com/gpu"], 1);
        assert_eq!(info.host_ports, [HostPort { ip: "0.0.0.0".into(), protocol: "TCP".into(), port: 8080 }]);
        assert_eq!(info.node_name, None);
        assert_eq!(info.gates, ["g"]);
        assert_eq!(info.condition, Some(("Unschedulable".into(), "m".into())));
        assert_eq!(PodInfo::of(&Pod::default()).non_zero_requests, (100, 200 << 20));
    }
}
