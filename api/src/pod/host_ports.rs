//! Ports of the node that the containers of a pod ask for.

use k8s_openapi::api::core::v1::{ContainerPort, Pod};

use super::is_sidecar;

/// Every address of the node.
pub const ANY_ADDRESS: &str = "0.0.0.0";

/// One port of a node's address, as `spec.containers[*].ports[*].hostPort` asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Address it listens on; `0.0.0.0` is all of them.
    pub ip: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Whether only one of the two can be listened on.
    pub fn conflicts(&self, other: &HostPort) -> bool {
        let same_address = self.ip == other.ip || self.ip == ANY_ADDRESS || other.ip == ANY_ADDRESS;
        self.port == other.port && self.protocol == other.protocol && same_address
    }
}

/// The ports with a host port of all containers that run for as long as the pod does.
pub fn ports_on_host(pod: &Pod) -> impl Iterator<Item = (u16, &ContainerPort)> {
    let containers = pod.spec.iter().flat_map(|spec| {
        let sidecars = spec.init_containers.iter().flatten().filter(|container| is_sidecar(container));
        spec.containers.iter().chain(sidecars)
    });
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    ports.filter_map(|port| {
        let number = u16::try_from(port.host_port?).ok().filter(|number| *number > 0)?;
        Some((number, port))
    })
}

/// The host ports that a pod takes.
pub fn host_ports(pod: &Pod) -> Vec<HostPort> {
    let or = |value: &Option<String>, default: &str| {
        value.clone().filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
    };
    let wanted = |(port, it): (u16, &ContainerPort)| HostPort {
        ip: or(&it.host_ip, ANY_ADDRESS),
        protocol: or(&it.protocol, "TCP"),
        port,
    };
    ports_on_host(pod).map(wanted).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn containers_that_last_count_and_every_address_is_any() {
        let port = |number: i32, ip: &str, protocol: &str| json!({"containerPort": 1, "hostPort": number, "hostIP": ip, "protocol": protocol});
        let pod: Pod = serde_json::from_value(json!({"metadata": {}, "spec": {
            "containers": [{"name": "a", "ports": [port(80, "", "TCP"), {"containerPort": 81}, port(0, "", "TCP")]}],
            "initContainers": [
                {"name": "init", "ports": [port(82, "", "TCP")]},
                {"name": "sidecar", "restartPolicy": "Always", "ports": [port(53, "10.0.0.1", "UDP")]},
            ],
        }}))
        .unwrap();
        let all = host_ports(&pod);
        let port = |ip: &str, protocol: &str, port| HostPort { ip: ip.into(), protocol: protocol.into(), port };
        assert_eq!(all, [port(ANY_ADDRESS, "TCP", 80), port("10.0.0.1", "UDP", 53)]);
        assert!(all[0].conflicts(&port("10.0.0.1", "TCP", 80)) && port("10.0.0.1", "TCP", 80).conflicts(&all[0]));
        assert!(all[1].conflicts(&port(ANY_ADDRESS, "UDP", 53)) && !all[1].conflicts(&port("10.0.0.2", "UDP", 53)));
        assert!(!all[0].conflicts(&port(ANY_ADDRESS, "UDP", 80)) && !all[0].conflicts(&port(ANY_ADDRESS, "TCP", 81)));
    }
}
