//! `[k8s.io] KubeletManagedEtcHosts`

use std::fs;

use serde_json::{Value, json};

use super::site::{Site, container};

/// A pod of two containers like all others and one that mounts a file of its own as `/etc/hosts`.
fn pod(name: &str, host_network: bool) -> Value {
    let waits = ["sleep", "600"];
    let own = json!({"volumeMounts": [{"name": "host", "mountPath": "/etc/hosts"}]});
    let containers = [
        container("first", &waits, &json!({})),
        container("second", &waits, &json!({})),
        container("own", &waits, &own),
    ];
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "hostNetwork": host_network, "terminationGracePeriodSeconds": 1, "containers": containers,
        "volumes": [{"name": "host", "hostPath": {"path": "/etc/hosts", "type": "File"}}],
    }})
}

/// `[k8s.io] KubeletManagedEtcHosts should test kubelet managed /etc/hosts file [LinuxOnly] [NodeConformance]
/// [Conformance]`
///
/// It is managed in every container of a pod, but not where a container mounts its own, nor with the host's network.
#[test]
fn managed_unless_the_pod_has_another() {
    let site = Site::new();
    let of_node = fs::read_to_string("/etc/hosts").expect("the machine has a hosts file");
    for (name, host_network) in [("pod", false), ("host", true)] {
        site.apply(&pod(name, host_network));
        site.phase(name, "Running");
        let hosts = |container: &str| site.kubectl(&format!("exec {name} -c {container} -- cat /etc/hosts")).ok();
        let ip = site.field(name, "{.status.podIP}");
        for container in ["first", "second"] {
            let found = hosts(container);
            if host_network {
                let header = "# Kubernetes-managed hosts file (host network).\n";
                assert_eq!(found, format!("{header}{of_node}"), "{container}");
            } else {
                assert!(found.starts_with("# Kubernetes-managed hosts file.\n"), "{container}: {found}");
                assert!(found.ends_with(&format!("\n{ip}\t{name}\n")), "{container}: {found}");
            }
        }
        assert_eq!(hosts("own"), of_node, "{name}");
    }
}
