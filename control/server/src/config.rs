//! What can be set about an API server, with Kubernetes' defaults.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use coracle_api::Catalog;
use ipnet::{IpNet, Ipv4Net};

use crate::aggregate::FrontProxy;
use crate::audit::AuditConfig;
use crate::identity::AuthenticationConfig;
use crate::pki::Identity;
use crate::write::PodSecurityConfig;

/// How a server is started.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The resources that are always served; CustomResourceDefinitions add theirs.
    pub catalog: Arc<Catalog>,
    /// Where Services get their addresses from.
    pub service_cidr: IpNet,
    /// Where this server's own node gets addresses for pods from. Of loopback addresses, only pods' may be reached by `proxy`.
    pub pod_cidr: Option<IpNet>,
    /// Where Services get their node ports from.
    pub node_port_range: RangeInclusive<u16>,
    /// The address at which clients reach this server: what the `kubernetes` Service leads to.
    pub advertise: SocketAddr,
    /// What `/version` reports.
    pub version: Version,
    /// The authority of client certificates, PEM: published for the servers behind this one.
    pub client_ca_pem: Option<String>,
    /// What this server shows to the servers behind it; made for this run when not given.
    pub front_proxy: Option<FrontProxy>,
    /// What this server shows to nodes of other processes; without it they don't know who asks.
    pub kubelet_client: Option<Identity>,
    /// Who certifies the nodes of other processes, PEM; without it any certificate of theirs is believed.
    pub kubelet_authorities_pem: Option<String>,
    /// The key that signs tokens of service accounts (P-256, PKCS#8 PEM); made for this run when not given.
    pub token_key_pem: Option<String>,
    /// `iss` of those tokens, and their audience when nobody names one.
    pub token_issuer: String,
    /// The longest that a token may be good for; longer ones are cut.
    pub max_token_seconds: i64,
    /// Who is believed besides those whom the cluster itself certifies, and what is open to everybody.
    pub authentication: AuthenticationConfig,
    /// Which requests are written to an audit log; none by default.
    pub audit: Option<AuditConfig>,
    /// Which Pod Security Standards hold where namespaces' labels name none, and who is exempt.
    pub pod_security: PodSecurityConfig,
    /// The bounds of everything that a client could make grow.
    pub limits: Limits,
}

impl ServerConfig {
    /// The defaults, for a server that is reached at `advertise`.
    pub fn new(advertise: SocketAddr) -> Self {
        Self {
            catalog: Arc::new(Catalog::builtin().with(coracle_api::catalog::usage())),
            service_cidr: IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 96, 0, 0), 16)),
            pod_cidr: None,
            node_port_range: 30_000..=32_767,
            advertise,
            version: Version::default(),
            client_ca_pem: None,
            front_proxy: None,
            kubelet_client: None,
            kubelet_authorities_pem: None,
            token_key_pem: None,
            token_issuer: "https://kubernetes.default.svc.cluster.local".into(),
            max_token_seconds: 1 << 32,
            authentication: AuthenticationConfig::default(),
            audit: None,
            pod_security: PodSecurityConfig::default(),
            limits: Limits::default(),
        }
    }
}

/// What `/version` reports. The Kubernetes version is that of the API; what follows the `+` is ours.
#[derive(Debug, Clone)]
pub struct Version {
    /// `v1.36.0+coracle.0.1.0`
    pub git_version: String,
    /// Commit the binary was built from, empty when unknown.
    pub git_commit: String,
    /// When the binary was built (RFC 3339), empty when unknown.
    pub build_date: String,
}

impl Default for Version {
    fn default() -> Self {
        Self {
            git_version: concat!("v1.36.0+coracle.", env!("CARGO_PKG_VERSION")).into(),
            git_commit: String::new(),
            build_date: String::new(),
        }
    }
}

/// Bounds. Each protects the process from one kind of client.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Request bodies: Kubernetes takes 3 MiB.
    pub body_bytes: usize,
    /// A body must have arrived within this time (Kubernetes: 60 s for a whole request).
    pub body_timeout: Duration,
    /// Path and query together; Go's default for a whole header is 1 MiB, no sane selector comes near this.
    pub uri_bytes: usize,
    /// Whether requests queue by FlowSchemas and PriorityLevelConfigurations, which share the two numbers below, or are
    /// refused beyond them (`--enable-priority-and-fairness`).
    pub priority_and_fairness: bool,
    /// Requests of outside clients in progress that read, watches and logs not counted (`--max-requests-inflight`).
    pub read_only_in_flight: usize,
    /// Those that write (`--max-mutating-requests-inflight`).
    pub mutating_in_flight: usize,
    /// The time that a request has, unless it asks for less (`--request-timeout`): a quarter of it may pass in a queue.
    pub request_timeout: Duration,
    /// Watches and followed logs of outside clients at a time. Each costs a task and a cursor, a few KB.
    pub long_running: usize,
    /// TLS connections at a time. When there are as many, the oldest one that has not proved whose it is has to go, or of
    /// the user who has most, if that is more than a quarter.
    pub connections: usize,
    /// A TLS handshake that takes longer is dropped.
    pub handshake_timeout: Duration,
    /// A connection without a first request ends after this, whatever is sent meanwhile (kube-apiserver's
    /// `ReadHeaderTimeout`).
    pub first_request: Duration,
    /// A connection on which nothing is in progress is kept so long for another request (kube-apiserver's `IdleTimeout`).
    pub idle: Duration,
    /// The head of a request over HTTP/1 arrives within this time.
    pub head_timeout: Duration,
    /// An answer ends when its client does not take the next piece of it within this time (Kubernetes: 60 s for a
    /// whole request that does not last; none for watches).
    pub answer_stall: Duration,
    /// Requests at a time over one HTTP/2 connection (kube-apiserver since CVE-2023-44487); Go's client opens another
    /// connection beyond it.
    pub streams: u32,
    /// A watch without `timeoutSeconds` ends after between one and two times this, so that clients spread out.
    pub watch_timeout: Duration,
    /// How often a watch that asked for bookmarks gets one.
    pub bookmark_interval: Duration,
    /// How long a read waits for a resourceVersion that this server has not seen yet.
    pub revision_wait: Duration,
    /// How soon an issuer of ID tokens is asked again that did not say who it is.
    pub issuer_retry: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 3 << 20,
            body_timeout: Duration::from_secs(60),
            uri_bytes: 64 << 10,
            priority_and_fairness: true,
            read_only_in_flight: 400,
            mutating_in_flight: 200,
            request_timeout: Duration::from_secs(60),
            long_running: 20_000,
            connections: 10_000,
            handshake_timeout: Duration::from_secs(10),
            first_request: Duration::from_secs(32),
            idle: Duration::from_secs(90),
            head_timeout: Duration::from_secs(30),
            answer_stall: Duration::from_secs(60),
            streams: 100,
            watch_timeout: Duration::from_secs(1800),
            bookmark_interval: Duration::from_secs(60),
            revision_wait: Duration::from_secs(3),
            issuer_retry: Duration::from_secs(10),
        }
    }
}
