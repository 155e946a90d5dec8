//! Host ports: two pods can't have the same one (the scheduler's `NodePorts`).

use coracle_api::pod::{HostPort, host_ports};
use k8s_openapi::api::core::v1::Pod;

use super::Refusal;
use crate::pods::Holder;

/// Whether nobody among `others` has a host port that the pod wants. They are asked for only if it wants any.
///
/// # Errors
/// When somebody has.
pub fn free_ports(pod: &Pod, others: impl FnOnce() -> Vec<Holder>) -> Result<(), Refusal> {
    let wanted = host_ports(pod);
    if wanted.is_empty() {
        return Ok(());
    }
    let taken: Vec<HostPort> = others().iter().flat_map(|other| host_ports(&other.pod.open())).collect();
    if wanted.iter().any(|port| taken.iter().any(|other| port.conflicts(other))) {
        let why = "node(s) didn't have free ports for the requested pod ports";
        return Err(Refusal::of_predicate("NodePorts", why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pods::{Asked, KeptPod};

    fn pod(host_port: Option<u16>) -> Pod {
        let ports = json!([{"containerPort": 80, "hostPort": host_port}]);
        let spec = json!({"containers": [{"name": "c", "ports": ports}]});
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap()
    }

    #[test]
    fn a_port_that_somebody_has_is_refused_in_kubelets_words() {
        let holder = |pod| Holder { uid: String::new(), pod: KeptPod::of(&pod), held: Asked::default() };
        let others = || vec![holder(pod(None)), holder(pod(Some(8080)))];
        assert_eq!(free_ports(&pod(Some(8081)), others), Ok(()));
        assert_eq!(free_ports(&pod(None), || panic!("nobody needs to look")), Ok(()));
        let refusal = free_ports(&pod(Some(8080)), others).unwrap_err();
        assert_eq!(refusal.reason, "NodePorts");
        let wanted = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
        assert_eq!(refusal.message, wanted);
    }
}
