//! What the controllers can be told, and how they can fail.

use std::time::Duration;

use crate::account_tokens::TokenSigner;
use crate::certificates::Signer;

/// How the controllers work; [`Default`] is what `coracle up` runs with.
#[derive(Debug, Clone)]
pub struct ControllersConfig {
    /// A node whose lease is older than this is no longer known to be ready.
    pub node_monitor_grace: Duration,
    /// How often node leases are looked at.
    pub node_monitor_period: Duration,
    /// Seconds a pod stays on a failed node when it has no toleration for the node's NoExecute taints at all;
    /// admission gives pods 300 s tolerations, so that zero is right behind a server that does.
    pub default_toleration_seconds: i64,
    /// Every object is looked at again this often, should a change have been missed.
    pub resync: Duration,
    /// Objects one controller works on at the same time.
    pub workers: usize,
    /// PEM of the cluster's CA, published as ConfigMap `kube-root-ca.crt` in every namespace.
    pub root_ca_pem: Option<String>,
    /// Signs certificates for those who ask with a CertificateSigningRequest; without one nobody does.
    pub signer: Option<Signer>,
    /// Signs the tokens of service accounts in Secrets; without one they stay empty.
    pub token_signer: Option<TokenSigner>,
    /// The longest that certificates are valid which the controllers have signed (`--cluster-signing-duration`).
    pub signing_duration: Duration,
    /// Terminated pods kept before the oldest are collected; 0 keeps all.
    pub terminated_pod_threshold: usize,
    /// Events older than this are deleted; None where the server expires them itself.
    pub event_ttl: Option<Duration>,
    /// Changes of endpoints within this long are written together.
    pub endpoint_batch: Duration,
    /// How often the garbage collector looks for new resources.
    pub discovery_period: Duration,
}

impl Default for ControllersConfig {
    fn default() -> Self {
        ControllersConfig {
            node_monitor_grace: Duration::from_secs(40),
            node_monitor_period: Duration::from_secs(5),
            default_toleration_seconds: 0,
            resync: Duration::from_secs(10 * 60),
            workers: 16,
            root_ca_pem: None,
            signer: None,
            token_signer: None,
            signing_duration: Duration::from_secs(365 * 24 * 60 * 60),
            terminated_pod_threshold: 12_500,
            event_ttl: Some(Duration::from_secs(60 * 60)),
            endpoint_batch: Duration::from_millis(5),
            discovery_period: Duration::from_secs(30),
        }
    }
}

/// Why the controllers stopped before they were asked to.
#[derive(Debug, thiserror::Error)]
pub enum ControllersError {
    /// The configuration can't work.
    #[error("controllers configuration: {0}")]
    Config(String),
}
