//! Host ports: what comes to a port of the node that a pod has asked for goes to the pod, while it runs.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use coracle_api::pod::{ANY_ADDRESS, ports_on_host};
use k8s_openapi::api::core::v1::Pod;
use parking_lot::RwLock;

use super::{
    endpoints::{Protocol, port_number},
    table::{Backend, Frontend, ServiceTable},
};
use crate::events::Subject;

/// The host ports of the pods that run here.
#[derive(Default)]
pub struct HostPortTable(RwLock<HashMap<Frontend, Forward>>);

/// Where one port leads.
struct Forward {
    /// The pod, for events.
    owner: Subject,
    backend: Arc<Backend>,
}

impl HostPortTable {
    /// All addresses that lead somewhere.
    pub(super) fn frontends(&self) -> Vec<Frontend> {
        self.0.read().keys().copied().collect()
    }

    /// Where an address leads.
    pub(super) fn backend(&self, frontend: &Frontend) -> Option<Arc<Backend>> {
        self.0.read().get(frontend).map(|forward| Arc::clone(&forward.backend))
    }

    /// Whose address it is.
    pub(super) fn owner(&self, frontend: &Frontend) -> Option<Subject> {
        self.0.read().get(frontend).map(|forward| Arc::clone(&forward.owner))
    }
}

/// The host ports of one pod; dropping it ends them.
pub struct HostPorts {
    table: Arc<ServiceTable>,
    owner: Subject,
    frontends: Vec<Frontend>,
}

impl HostPorts {
    /// Lets what comes to the pod's host ports go to its address. None if it has none, or if its address is the node's.
    pub fn open(table: &Arc<ServiceTable>, pod: &Pod, owner: Subject, address: IpAddr) -> Option<HostPorts> {
        let forwards = forwards(pod, table.node_address(), address);
        if forwards.is_empty() {
            return None;
        }
        let frontends = forwards.iter().map(|(frontend, _)| *frontend).collect();
        {
            let mut all = table.host_ports().0.write();
            for (frontend, endpoint) in forwards {
                let backend = Arc::new(Backend::of(endpoint));
                all.insert(frontend, Forward { owner: Arc::clone(&owner), backend });
            }
        }
        table.changed();
        Some(HostPorts { table: Arc::clone(table), owner, frontends })
    }
}

impl Drop for HostPorts {
    fn drop(&mut self) {
        {
            let mut all = self.table.host_ports().0.write();
            for frontend in &self.frontends {
                // The pod's successor may have it already.
                if all.get(frontend).is_some_and(|forward| Arc::ptr_eq(&forward.owner, &self.owner)) {
                    all.remove(frontend);
                }
            }
        }
        self.table.changed();
    }
}

/// What leads where. Every address of the node is the one that is its own: node ports answer there only, too.
fn forwards(pod: &Pod, node: IpAddr, address: IpAddr) -> Vec<(Frontend, SocketAddr)> {
    if pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false) {
        return Vec::new();
    }
    let forward = |(number, port): (u16, &k8s_openapi::api::core::v1::ContainerPort)| {
        let given = port.host_ip.as_deref().filter(|ip| !ip.is_empty() && *ip != ANY_ADDRESS);
        let ip = given.map_or(Some(node), |ip| ip.parse().ok())?;
        let frontend =
            Frontend { address: SocketAddr::new(ip, number), protocol: Protocol::parse(port.protocol.as_deref())? };
        Some((frontend, SocketAddr::new(address, port_number(port.container_port)?)))
    };
    ports_on_host(pod).filter_map(forward).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(host_network: bool, ports: Value) -> Pod {
        let spec = json!({"hostNetwork": host_network, "containers": [{"name": "c", "ports": ports}]});
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap()
    }

    fn table() -> Arc<ServiceTable> {
        let cidr = |text: &str| text.parse().unwrap();
        ServiceTable::new("n1", "127.64.0.1".parse().unwrap(), cidr("127.64.0.0/16"), cidr("127.96.0.0/16")).into()
    }

    fn at(address: &str, protocol: Protocol) -> Frontend {
        Frontend { address: address.parse().unwrap(), protocol }
    }

    #[test]
    fn ports_lead_to_the_pod_from_the_nodes_address_or_the_one_given() {
        let ports = json!([
            {"containerPort": 80, "hostPort": 8080}, {"containerPort": 81},
            {"containerPort": 53, "hostPort": 5353, "hostIP": "127.0.0.1", "protocol": "UDP"},
            {"containerPort": 82, "hostPort": 8082, "hostIP": "0.0.0.0"},
            {"containerPort": 83, "hostPort": 8083, "protocol": "SCTP"},
        ]);
        let [node, address] = ["127.64.0.1", "127.64.0.9"].map(|ip| ip.parse().unwrap());
        let to = |port| SocketAddr::new(address, port);
        let wanted = [
            (at("127.64.0.1:8080", Protocol::Tcp), to(80)),
            (at("127.0.0.1:5353", Protocol::Udp), to(53)),
            (at("127.64.0.1:8082", Protocol::Tcp), to(82)),
        ];
        assert_eq!(forwards(&pod(false, ports.clone()), node, address), wanted);
        assert!(forwards(&pod(true, ports), node, address).is_empty());
    }

    #[test]
    fn a_port_ends_with_its_pod_unless_another_has_it_by_then() {
        let (table, frontend) = (table(), at("127.64.0.1:8080", Protocol::Tcp));
        let pod = pod(false, json!([{"containerPort": 80, "hostPort": 8080}]));
        let open = |ip: &str| HostPorts::open(&table, &pod, Subject::default(), ip.parse().unwrap()).unwrap();
        let to = || table.backend(&frontend).and_then(|backend| backend.pick("127.0.0.1".parse().unwrap()));
        let first = open("127.64.0.9");
        assert!(table.answered_frontends().contains(&frontend));
        let second = open("127.64.0.10");
        drop(first);
        assert_eq!(to(), Some("127.64.0.10:80".parse().unwrap()));
        let guest = "127.64.0.11".parse().unwrap();
        assert_eq!(table.route(guest, frontend.address), Ok("127.64.0.10:80".parse().unwrap()));
        drop(second);
        assert!(to().is_none() && table.answered_frontends().is_empty());
        assert_eq!(table.route(guest, frontend.address), Ok(frontend.address));
    }
}
