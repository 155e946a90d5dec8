//! Services and EndpointSlices reduced to what routing and names need.

use std::{net::IpAddr, str::FromStr, time::Duration};

use k8s_openapi::{
    api::{core::v1::Service, discovery::v1::EndpointSlice},
    apimachinery::pkg::util::intstr::IntOrString,
};

/// The label by which an EndpointSlice names its Service.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";
/// `sessionAffinityConfig.clientIP.timeoutSeconds` by default: three hours.
const AFFINITY_TIMEOUT: Duration = Duration::from_secs(10_800);

/// A transport protocol that is routed. SCTP isn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Streams.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// The protocol of this name; TCP if there is none.
    pub(super) fn parse(text: Option<&str>) -> Option<Protocol> {
        match text {
            None | Some("TCP") => Some(Protocol::Tcp),
            Some("UDP") => Some(Protocol::Udp),
            Some(_) => None,
        }
    }
}

/// One Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEntry {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its virtual addresses; empty if it is headless or only a name.
    pub cluster_ips: Vec<IpAddr>,
    /// Addresses from outside that are to be answered too: `externalIPs`, those of a load balancer.
    pub external_ips: Vec<IpAddr>,
    /// The name it stands for (`type: ExternalName`).
    pub external_name: Option<String>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// How long a client keeps its endpoint, if it does.
    pub affinity: Option<Duration>,
    /// Whether names lead to endpoints that aren't ready.
    pub publish_not_ready: bool,
    /// Whether connections from inside stay on the node (`internalTrafficPolicy: Local`).
    pub internal_local: bool,
    /// Whether connections from outside stay on the node (`externalTrafficPolicy: Local`).
    pub external_local: bool,
}

/// One port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name; empty if it is the only one.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number at the Service's addresses.
    pub port: u16,
    /// Its number at the node's address.
    pub node_port: Option<u16>,
}

impl ServiceEntry {
    /// Reads a Service. Ports of protocols that aren't routed are left out.
    pub fn read(service: &Service) -> ServiceEntry {
        let spec = service.spec.clone().unwrap_or_default();
        let kind = spec.type_.as_deref().unwrap_or("ClusterIP");
        let external = kind == "ExternalName";
        let listed = spec.cluster_ips.clone().or_else(|| spec.cluster_ip.clone().map(|ip| vec![ip]));
        let balancer = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
        let ingress = balancer.and_then(|balancer| balancer.ingress.as_ref()).into_iter().flatten();
        let external_ips = spec.external_ips.iter().flatten().chain(ingress.filter_map(|ingress| ingress.ip.as_ref()));
        ServiceEntry {
            namespace: service.metadata.namespace.clone().unwrap_or_default(),
            name: service.metadata.name.clone().unwrap_or_default(),
            cluster_ips: if external { Vec::new() } else { addresses(listed.iter().flatten()) },
            external_ips: addresses(external_ips),
            external_name: spec.external_name.clone().filter(|_| external),
            ports: spec.ports.iter().flatten().filter_map(read_port).collect(),
            affinity: (spec.session_affinity.as_deref() == Some("ClientIP")).then(|| {
                let config = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
                let seconds = config.and_then(|config| config.timeout_seconds).and_then(|s| u64::try_from(s).ok());
                seconds.map_or(AFFINITY_TIMEOUT, Duration::from_secs)
            }),
            publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
            internal_local: spec.internal_traffic_policy.as_deref() == Some("Local"),
            external_local: spec.external_traffic_policy.as_deref() == Some("Local"),
        }
    }
}

fn read_port(port: &k8s_openapi::api::core::v1::ServicePort) -> Option<ServicePort> {
    Some(ServicePort {
        name: port.name.clone().unwrap_or_default(),
        protocol: Protocol::parse(port.protocol.as_deref())?,
        port: port_number(port.port)?,
        node_port: port.node_port.and_then(port_number),
    })
}

/// One EndpointSlice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceEntry {
    /// Its ports by name; a port without a number stands for every port and is left out.
    pub ports: Vec<(String, Protocol, u16)>,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it is.
    pub address: IpAddr,
    /// Whether it takes connections.
    pub ready: bool,
    /// Whether it would, were it not ending.
    pub serving_while_terminating: bool,
    /// The node it is on.
    pub node: Option<String>,
    /// Its own name below the Service's.
    pub hostname: Option<String>,
}

impl SliceEntry {
    /// Reads a slice. Endpoints that are names and not addresses are left out.
    pub fn read(slice: &EndpointSlice) -> SliceEntry {
        let ports = slice.ports.iter().flatten().filter_map(|port| {
            let protocol = Protocol::parse(port.protocol.as_deref())?;
            Some((port.name.clone().unwrap_or_default(), protocol, port.port.and_then(port_number)?))
        });
        let endpoints = slice.endpoints.iter().flatten().filter_map(|endpoint| {
            let conditions = endpoint.conditions.clone().unwrap_or_default();
            Some(Endpoint {
                // All addresses of an endpoint are the same endpoint; consumers use the first (API reference).
                address: IpAddr::from_str(endpoint.addresses.first()?).ok()?,
                ready: conditions.ready.unwrap_or(true),
                serving_while_terminating: conditions.serving.unwrap_or(false)
                    && conditions.terminating.unwrap_or(false),
                node: endpoint.node_name.clone(),
                hostname: endpoint.hostname.clone(),
            })
        });
        SliceEntry { ports: ports.collect(), endpoints: endpoints.collect() }
    }
}

fn addresses<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<IpAddr> {
    texts.filter_map(|text| text.parse().ok()).collect()
}

/// A port number, if it is one.
pub fn port_number(number: i32) -> Option<u16> {
    u16::try_from(number).ok().filter(|port| *port != 0)
}

/// The number of a port given by number or by name, where `named` finds names.
pub fn resolve_port(port: &IntOrString, named: impl Fn(&str) -> Option<u16>) -> Option<u16> {
    match port {
        IntOrString::Int(number) => port_number(*number),
        IntOrString::String(name) => named(name).or_else(|| name.parse().ok()).filter(|port| *port != 0),
    }
}
