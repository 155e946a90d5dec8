//! The pod context: what the containers of one pod share. It takes the place of a pause container.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    Container, ContainerConfig, Engine, Isolation, IsolationError, Network, NetworkError, StartError,
    container::{Held, Local},
    cpu::CpuLimit,
    isolated::IsolatedPod,
    limits,
    memory::MemoryBudget,
};

/// What the containers of a pod share.
pub struct PodConfig {
    /// The pod's name, for logs.
    pub name: String,
    /// The name the pod knows itself by.
    pub hostname: String,
    /// The pod's own address; it must be one this host can bind.
    pub address: IpAddr,
    /// Names and routes, as the host sees them.
    pub network: Arc<dyn Network>,
    /// What all containers may have together; a container's own limits apply besides.
    pub limits: PodLimits,
}

/// Limits of a pod as a whole; None: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodLimits {
    /// Linear memory.
    pub memory_bytes: Option<u64>,
    /// CPU time, in thousandths of a CPU.
    pub cpu_millis: Option<u32>,
}

/// The context containers are started in. It lives until its last clone and its last container are gone;
/// containers come and go inside it and find address and budget as they were.
#[derive(Clone)]
pub struct PodContext {
    place: Place,
}

/// Where a pod's sandboxes are.
#[derive(Clone)]
enum Place {
    /// In this process.
    Here(Arc<Pod>),
    /// In one of their own.
    Apart(Arc<IsolatedPod>),
}

impl PodContext {
    /// Makes the context. Nothing is bound or reserved yet.
    #[must_use]
    pub fn new(engine: &Engine, config: PodConfig) -> PodContext {
        PodContext { place: Place::Here(Arc::new(Pod::new(engine.clone(), config))) }
    }

    /// Makes the context in a process of its own, behind walls of the kernel's. If that process ends, all the containers
    /// in it do, and the next one that is started gets a new process.
    ///
    /// # Errors
    /// When the process can't be started, or one of its walls not be raised.
    pub async fn isolated(
        engine: &Engine,
        config: PodConfig,
        isolation: &Isolation,
    ) -> Result<PodContext, IsolationError> {
        let pod = IsolatedPod::new(engine, config, isolation).await?;
        Ok(PodContext { place: Place::Apart(Arc::new(pod)) })
    }

    /// Other limits for all containers together, from now on.
    pub fn set_limits(&self, limits: PodLimits) {
        match &self.place {
            Place::Here(pod) => pod.set_limits(limits),
            Place::Apart(pod) => pod.set_limits(limits),
        }
    }

    /// Starts a container: opens its directories, binds its port if it is an HTTP server, and lets it run.
    ///
    /// What goes wrong from the first instruction on (or in making the instance) is its [`Exit`](crate::Exit).
    pub async fn start(&self, config: ContainerConfig) -> Result<Container, StartError> {
        match &self.place {
            Place::Here(pod) => Local::start(pod.clone(), config, Held::default()).map(Container::from),
            Place::Apart(pod) => pod.start(config).await.map(Container::from),
        }
    }
}

/// The insides of a pod context, as sandboxes see them.
///
/// Invariant: a guest's `0.0.0.0`, `127.0.0.1` and `::1` mean this pod and never the host. Two pods never meet
/// there, two containers of a pod do.
pub(crate) struct Pod {
    pub(crate) engine: Engine,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) cpu: Arc<CpuLimit>,
    pub(crate) config: PodConfig,
}

impl Pod {
    /// The budgets are those of `config`.
    pub(crate) fn new(engine: Engine, config: PodConfig) -> Pod {
        let memory = MemoryBudget::new(config.limits.memory_bytes, None);
        let cpu = Arc::new(CpuLimit::new(config.limits.cpu_millis));
        Pod { engine, memory, cpu, config }
    }

    /// Other limits from now on.
    pub(crate) fn set_limits(&self, limits: PodLimits) {
        self.memory.set_limit(limits.memory_bytes);
        self.cpu.set(limits.cpu_millis);
    }

    fn address(&self) -> IpAddr {
        self.config.address
    }

    /// The real address for a guest that binds `wanted`, which may be of the other family. None: it is not the pod's to
    /// bind.
    pub(crate) fn bindable(&self, wanted: SocketAddr) -> Option<SocketAddr> {
        let own = self.address();
        let means_us = is_wildcard_or_localhost(wanted.ip()) || wanted.ip() == own;
        means_us.then(|| SocketAddr::new(own, wanted.port()))
    }

    /// Whether a real socket of this pod may have `address`: the pod's own, or none yet.
    pub(crate) fn may_bind(&self, address: SocketAddr) -> bool {
        address.ip() == self.address() || (address.ip().is_unspecified() && address.port() == 0)
    }

    /// The address an outgoing socket to `target` must be bound to. None: the kernel chooses, because the
    /// pod's address is a loopback address that leads nowhere outside, or is of the other family.
    pub(crate) fn source(&self, target: IpAddr) -> Option<SocketAddr> {
        let own = self.address();
        let fits = own.is_ipv4() == target.is_ipv4() && (!own.is_loopback() || target.is_loopback());
        fits.then(|| SocketAddr::new(own, 0))
    }

    /// Where a connection to `wanted` really goes.
    pub(crate) fn route(&self, wanted: SocketAddr) -> Result<SocketAddr, NetworkError> {
        let own = self.address();
        let wanted_ip = wanted.ip().to_canonical();
        if wanted_ip == own || is_localhost(wanted_ip) {
            return Ok(SocketAddr::new(own, wanted.port()));
        }
        self.config.network.route(own, wanted)
    }

    /// The addresses of `name`, as the pod sees them.
    pub(crate) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, NetworkError> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if let Some(address) = parse_address(name) {
            return Ok(vec![address]);
        }
        if name.is_empty() || name.len() > limits::NAME_LIMIT_BYTES {
            return Err(NetworkError::NotFound);
        }
        let lower = name.to_ascii_lowercase();
        if lower == "localhost" || lower.ends_with(".localhost") {
            // RFC 6761, 6.3: these names never leave the host, here the pod.
            let localhost = match self.address() {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            };
            return Ok(vec![localhost]);
        }
        if lower == self.config.hostname.to_ascii_lowercase() {
            return Ok(vec![self.address()]);
        }
        let mut addresses = self.config.network.lookup(&lower).await?;
        addresses.truncate(limits::ADDRESSES_PER_LOOKUP);
        if addresses.is_empty() { Err(NetworkError::NotFound) } else { Ok(addresses) }
    }
}

/// An address in text form, also an IPv6 address in the brackets of a URL.
fn parse_address(name: &str) -> Option<IpAddr> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.parse().ok()
}

pub(crate) fn is_localhost(address: IpAddr) -> bool {
    address == IpAddr::V4(Ipv4Addr::LOCALHOST) || address == IpAddr::V6(Ipv6Addr::LOCALHOST)
}

fn is_wildcard_or_localhost(address: IpAddr) -> bool {
    address.is_unspecified() || is_localhost(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{StaticNetwork, engine};

    fn pod(address: &str) -> Pod {
        let config = PodConfig {
            name: "test".into(),
            hostname: "Web-0".into(),
            address: address.parse().unwrap(),
            network: Arc::new(StaticNetwork::default().name("db", "10.0.0.9").route("10.0.0.9:5432", "10.1.0.3:5432")),
            limits: PodLimits::default(),
        };
        Pod::new(engine(), config)
    }

    fn socket(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn wildcard_and_localhost_mean_the_pod() {
        let pod = pod("10.1.0.2");
        for wanted in ["0.0.0.0:80", "127.0.0.1:80", "10.1.0.2:80", "[::]:80", "[::1]:80"] {
            assert_eq!(pod.bindable(socket(wanted)), Some(socket("10.1.0.2:80")), "{wanted}");
        }
        for wanted in ["127.0.0.2:80", "10.1.0.3:80", "192.0.2.1:80", "[::2]:80"] {
            assert_eq!(pod.bindable(socket(wanted)), None, "{wanted}");
        }
        assert_eq!(pod.route(socket("127.0.0.1:80")), Ok(socket("10.1.0.2:80")));
        assert_eq!(pod.route(socket("[::1]:80")), Ok(socket("10.1.0.2:80")));
        assert_eq!(pod.route(socket("[::ffff:127.0.0.1]:80")), Ok(socket("10.1.0.2:80")));
    }

    #[test]
    fn other_addresses_are_the_networks_to_route() {
        let pod = pod("10.1.0.2");
        assert_eq!(pod.route(socket("10.0.0.9:5432")), Ok(socket("10.1.0.3:5432")));
        assert_eq!(pod.route(socket("192.0.2.1:443")), Ok(socket("192.0.2.1:443")));
    }

    #[test]
    fn a_loopback_pod_reaches_the_outside_from_the_hosts_address() {
        assert_eq!(pod("127.3.0.2").source("127.3.0.9".parse().unwrap()), Some(socket("127.3.0.2:0")));
        assert_eq!(pod("127.3.0.2").source("192.0.2.1".parse().unwrap()), None);
        assert_eq!(pod("10.1.0.2").source("192.0.2.1".parse().unwrap()), Some(socket("10.1.0.2:0")));
        assert_eq!(pod("10.1.0.2").source("2001:db8::1".parse().unwrap()), None);
    }

    #[test]
    fn no_real_socket_may_have_an_address_of_others() {
        let pod = pod("10.1.0.2");
        assert!(pod.may_bind(socket("10.1.0.2:80")) && pod.may_bind(socket("0.0.0.0:0")));
        assert!(!pod.may_bind(socket("0.0.0.0:80")) && !pod.may_bind(socket("127.0.0.1:0")));
    }

    #[tokio::test]
    async fn names_are_resolved_from_the_inside_out() {
        let pod = pod("10.1.0.2");
        let ip = |text: &str| Ok(vec![text.parse::<IpAddr>().unwrap()]);
        assert_eq!(pod.resolve("LOCALHOST").await, ip("127.0.0.1"));
        assert_eq!(pod.resolve("a.localhost.").await, ip("127.0.0.1"));
        assert_eq!(pod.resolve("web-0").await, ip("10.1.0.2"));
        assert_eq!(pod.resolve("DB").await, ip("10.0.0.9"));
        assert_eq!(pod.resolve("192.0.2.7").await, ip("192.0.2.7"));
        assert_eq!(pod.resolve("[2001:db8::7]").await, ip("2001:db8::7"));
        assert_eq!(pod.resolve("nowhere").await, Err(NetworkError::NotFound));
        assert_eq!(pod.resolve("").await, Err(NetworkError::NotFound));
        assert_eq!(pod.resolve(&"a".repeat(300)).await, Err(NetworkError::NotFound));
    }
}
