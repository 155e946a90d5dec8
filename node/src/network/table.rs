//! The Services of the cluster and the endpoints behind them, in the form that routes and names are answered from.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use coracle_wasi_host::NetworkError;
use ipnet::IpNet;
use parking_lot::RwLock;
use tokio::sync::watch;

use super::{
    affinity::Affinity,
    endpoints::{Endpoint, Protocol, ServiceEntry, ServicePort, SliceEntry},
    host_ports::HostPortTable,
};

/// An address that Services are reached at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frontend {
    /// Address and port.
    pub address: SocketAddr,
    /// Protocol.
    pub protocol: Protocol,
}

/// What is behind one address of a Service.
pub struct Backend {
    endpoints: Vec<SocketAddr>,
    next: AtomicUsize,
    affinity: Option<Arc<Affinity>>,
}

impl Backend {
    /// One endpoint.
    pub(super) fn of(endpoint: SocketAddr) -> Backend {
        Backend { endpoints: vec![endpoint], next: AtomicUsize::new(0), affinity: None }
    }

    /// The endpoint for a connection from `client`: one after the other, or the client's own if it has one.
    pub fn pick(&self, client: IpAddr) -> Option<SocketAddr> {
        let choose = || {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            (!self.endpoints.is_empty()).then(|| self.endpoints[turn % self.endpoints.len()])
        };
        match &self.affinity {
            Some(affinity) => affinity.endpoint(client, &self.endpoints, Instant::now(), choose),
            None => choose(),
        }
    }
}

/// The table. Writers are the informers; readers are guests' connects and lookups, and the host's proxy.
pub struct ServiceTable {
    node: String,
    node_address: IpAddr,
    pod_cidr: IpNet,
    service_cidr: IpNet,
    inner: RwLock<Inner>,
    host_ports: HostPortTable,
    version: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    services: HashMap<String, Arc<ServiceEntry>>,
    /// The slices of each Service, by the slice's key.
    slices: HashMap<String, HashMap<String, SliceEntry>>,
    /// Which Service each slice belongs to.
    slice_owner: HashMap<String, String>,
    frontends: HashMap<Frontend, Arc<Backend>>,
    by_service: HashMap<String, Vec<Frontend>>,
}

impl ServiceTable {
    /// An empty table for `node` at `node_address`.
    pub fn new(node: &str, node_address: IpAddr, pod_cidr: IpNet, service_cidr: IpNet) -> ServiceTable {
        let (inner, host_ports) = (RwLock::new(Inner::default()), HostPortTable::default());
        let version = watch::Sender::new(0);
        ServiceTable { node: node.to_owned(), node_address, pod_cidr, service_cidr, inner, host_ports, version }
    }

    /// The node's address.
    pub fn node_address(&self) -> IpAddr {
        self.node_address
    }

    /// Ports of the node that lead to a pod of it.
    pub(super) fn host_ports(&self) -> &HostPortTable {
        &self.host_ports
    }

    /// Tells those who wait for changes.
    pub(super) fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// Told when addresses or endpoints change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// All addresses of Services, and host ports, that somebody answers behind. The others have no listener, so that whoever
    /// connects is refused by the kernel, as kube-proxy's reject rules do.
    pub fn answered_frontends(&self) -> HashSet<Frontend> {
        let inner = self.inner.read();
        inner
            .frontends
            .iter()
            .filter(|(_, backend)| !backend.endpoints.is_empty())
            .map(|(frontend, _)| *frontend)
            .chain(self.host_ports.frontends())
            .collect()
    }

    /// What is behind an address. A Service has it before a host port.
    pub fn backend(&self, frontend: &Frontend) -> Option<Arc<Backend>> {
        let service = self.inner.read().frontends.get(frontend).cloned();
        service.or_else(|| self.host_ports.backend(frontend))
    }

    /// Where a connection from a pod at `from` to `to` goes. Anything that is no Service stays, except addresses
    /// of the host's loopback network that belong to nobody in the cluster: a guest can't reach the host by them.
    pub fn route(&self, from: IpAddr, to: SocketAddr) -> Result<SocketAddr, NetworkError> {
        let frontends = [Protocol::Tcp, Protocol::Udp].map(|protocol| Frontend { address: to, protocol });
        {
            let inner = self.inner.read();
            if let Some(backend) = frontends.iter().find_map(|frontend| inner.frontends.get(frontend)) {
                return backend.pick(from).ok_or(NetworkError::Refused);
            }
        }
        let ip = to.ip();
        if self.service_cidr.contains(&ip) {
            return Err(NetworkError::Refused);
        }
        if ip.is_loopback() && !self.pod_cidr.contains(&ip) && ip != self.node_address {
            return Err(NetworkError::Unreachable);
        }
        let on_host = frontends.iter().find_map(|frontend| self.host_ports.backend(frontend)?.pick(from));
        Ok(on_host.unwrap_or(to))
    }

    /// A Service by namespace and name.
    pub fn service(&self, namespace: &str, name: &str) -> Option<Arc<ServiceEntry>> {
        self.inner.read().services.get(&key(namespace, name)).cloned()
    }

    /// The Services of a namespace, by name.
    pub fn services_in(&self, namespace: &str) -> Vec<Arc<ServiceEntry>> {
        let inner = self.inner.read();
        let mut found: Vec<_> = inner.services.values().filter(|s| s.namespace == namespace).cloned().collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// The addresses that the name of a headless Service leads to: of one endpoint by its hostname, or of all.
    pub fn endpoint_addresses(&self, service: &ServiceEntry, hostname: Option<&str>) -> Vec<IpAddr> {
        let inner = self.inner.read();
        let slices = inner.slices.get(&key(&service.namespace, &service.name));
        let endpoints = slices.into_iter().flat_map(HashMap::values).flat_map(|slice| &slice.endpoints);
        let named = endpoints.filter(|endpoint| hostname.is_none() || endpoint.hostname.as_deref() == hostname);
        let visible = named.filter(|endpoint| endpoint.ready || service.publish_not_ready);
        let mut addresses: Vec<IpAddr> = visible.map(|endpoint| endpoint.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// Takes in a Service that is new or has changed.
    pub fn apply_service(&self, service: ServiceEntry) {
        let key = key(&service.namespace, &service.name);
        let mut inner = self.inner.write();
        if inner.services.get(&key).is_some_and(|known| **known == service) {
            return;
        }
        inner.services.insert(key.clone(), Arc::new(service));
        self.rebuild(&mut inner, &key);
    }

    /// Forgets a Service.
    pub fn remove_service(&self, key: &str) {
        let mut inner = self.inner.write();
        inner.services.remove(key);
        self.rebuild(&mut inner, key);
    }

    /// Takes in a slice that is new or has changed; `service` is the key of the Service it names.
    pub fn apply_slice(&self, slice_key: &str, service: Option<String>, slice: SliceEntry) {
        let mut inner = self.inner.write();
        if inner.slice_owner.get(slice_key) != service.as_ref() {
            self.drop_slice(&mut inner, slice_key);
        }
        let Some(service) = service else { return };
        inner.slice_owner.insert(slice_key.to_owned(), service.clone());
        let known = inner.slices.entry(service.clone()).or_default().insert(slice_key.to_owned(), slice.clone());
        if known.as_ref() != Some(&slice) {
            self.rebuild(&mut inner, &service);
        }
    }

    /// Forgets a slice.
    pub fn remove_slice(&self, slice_key: &str) {
        self.drop_slice(&mut self.inner.write(), slice_key);
    }

    /// Keys of everything known, so that what a new list doesn't have can be removed.
    pub fn known_keys(&self) -> (Vec<String>, Vec<String>) {
        let inner = self.inner.read();
        (inner.services.keys().cloned().collect(), inner.slice_owner.keys().cloned().collect())
    }

    fn drop_slice(&self, inner: &mut Inner, slice_key: &str) {
        let Some(service) = inner.slice_owner.remove(slice_key) else { return };
        if let Some(slices) = inner.slices.get_mut(&service) {
            slices.remove(slice_key);
            if slices.is_empty() {
                inner.slices.remove(&service);
            }
        }
        self.rebuild(inner, &service);
    }

    /// Makes the frontends of one Service anew.
    fn rebuild(&self, inner: &mut Inner, key: &str) {
        let old_frontends = inner.by_service.remove(key).unwrap_or_default();
        let old: HashMap<Frontend, Arc<Backend>> =
            old_frontends.iter().filter_map(|f| Some((*f, inner.frontends.remove(f)?))).collect();
        if let Some(service) = inner.services.get(key).cloned() {
            let mut made = Vec::new();
            for port in &service.ports {
                for (frontend, local) in self.frontends_of(&service, port) {
                    let endpoints = self.endpoints_of(inner, key, port, frontend.address.is_ipv4(), local);
                    let backend = backend(endpoints, service.affinity, old.get(&frontend));
                    inner.frontends.insert(frontend, Arc::new(backend));
                    made.push(frontend);
                }
            }
            inner.by_service.insert(key.to_owned(), made);
        }
        self.changed();
    }

    /// The addresses of one port, and whether only endpoints on this node may answer there.
    fn frontends_of(&self, service: &ServiceEntry, port: &ServicePort) -> Vec<(Frontend, bool)> {
        let at = |ip: IpAddr, number| Frontend { address: SocketAddr::new(ip, number), protocol: port.protocol };
        let inside = service.cluster_ips.iter().map(|ip| (at(*ip, port.port), service.internal_local));
        let outside = service.external_ips.iter().map(|ip| (at(*ip, port.port), service.external_local));
        let node_port = port.node_port.filter(|_| !service.cluster_ips.is_empty());
        let on_node = node_port.map(|number| (at(self.node_address, number), service.external_local));
        inside.chain(outside).chain(on_node).collect()
    }

    /// The endpoints of one port: those that are ready; if there is none, those that still serve while they end.
    fn endpoints_of(&self, inner: &Inner, key: &str, port: &ServicePort, v4: bool, local: bool) -> Vec<SocketAddr> {
        let slices = inner.slices.get(key).into_iter().flat_map(HashMap::values);
        let candidates: Vec<(&Endpoint, u16)> = slices
            .filter_map(|slice| {
                let found =
                    slice.ports.iter().find(|(name, protocol, _)| *name == port.name && *protocol == port.protocol);
                found.map(|(_, _, number)| slice.endpoints.iter().map(move |endpoint| (endpoint, *number)))
            })
            .flatten()
            .filter(|(endpoint, _)| endpoint.address.is_ipv4() == v4)
            .filter(|(endpoint, _)| !local || endpoint.node.as_deref() == Some(&*self.node))
            .collect();
        let select = |wanted: fn(&Endpoint) -> bool| {
            let chosen = candidates.iter().filter(|(endpoint, _)| wanted(endpoint));
            let mut addresses: Vec<SocketAddr> =
                chosen.map(|(e, number)| SocketAddr::new(e.address, *number)).collect();
            addresses.sort_unstable();
            addresses.dedup();
            addresses
        };
        let ready = select(|endpoint| endpoint.ready);
        if ready.is_empty() { select(|endpoint| endpoint.serving_while_terminating) } else { ready }
    }
}

fn backend(endpoints: Vec<SocketAddr>, affinity: Option<Duration>, old: Option<&Arc<Backend>>) -> Backend {
    let kept = old.and_then(|old| old.affinity.clone()).filter(|kept| Some(kept.timeout()) == affinity);
    // A start of its own for every backend: many Services with one endpoint order don't all hit the same endpoint.
    let turn = old.map_or_else(|| rand::random::<u16>() as usize, |old| old.next.load(Ordering::Relaxed));
    let affinity = affinity.map(|timeout| kept.unwrap_or_else(|| Arc::new(Affinity::new(timeout))));
    Backend { endpoints, next: AtomicUsize::new(turn), affinity }
}

/// The key of a namespaced object: `namespace/name`.
pub fn key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
