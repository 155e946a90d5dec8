//! The network as one pod sees it: its search list, its aliases, its own name.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use coracle_wasi_host::{Network, NetworkError};
use k8s_openapi::api::core::v1::PodSpec;

use super::{
    names::{Answer, SEARCHES_LIMIT, answer, candidates},
    table::ServiceTable,
};

/// How long the host's resolver has for one name: two tries of a resolver with the usual five seconds each.
const HOST_LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
/// Aliases followed from one name (`ExternalName` pointing at another one).
const ALIASES_LIMIT: usize = 8;
/// The longest name in DNS.
const NAME_LIMIT_BYTES: usize = 255;

/// `ndots` that Kubernetes gives to pods that see the cluster's names, and the one that resolvers have by themselves.
const NDOTS: (usize, usize) = (5, 1);
/// Resolvers take no more (resolv.conf(5)).
const NDOTS_LIMIT: usize = 15;

/// How the names a pod asks for are completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// Domains tried behind a short name.
    pub searches: Vec<String>,
    /// Names with fewer dots are looked for there first.
    pub ndots: usize,
    /// Whether the names of the cluster are seen at all.
    pub cluster: bool,
}

impl Dns {
    /// What `dnsPolicy` and `dnsConfig` say. Nameservers of `dnsConfig` aren't asked: names are answered by the node.
    pub fn of(spec: &PodSpec, namespace: &str, domain: &str) -> Dns {
        let host_network = spec.host_network.unwrap_or(false);
        let cluster = match spec.dns_policy.as_deref() {
            Some("Default" | "None") => false,
            Some("ClusterFirstWithHostNet") => true,
            _ => !host_network,
        };
        let mut searches = Vec::new();
        if cluster {
            searches.extend([format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.to_owned()]);
        }
        let own = spec.dns_config.as_ref().and_then(|config| config.searches.as_ref()).into_iter().flatten();
        searches.extend(own.map(|search| search.trim_end_matches('.').to_ascii_lowercase()));
        searches.truncate(SEARCHES_LIMIT);
        let ndots = ndots(spec).unwrap_or(if cluster { NDOTS.0 } else { NDOTS.1 });
        // A pod that brings its own resolver settings still names its Services when those settings search for them.
        let cluster = cluster || searches.iter().any(|search| search.ends_with(domain));
        Dns { searches, ndots, cluster }
    }
}

/// `ndots` of `dnsConfig`.
fn ndots(spec: &PodSpec) -> Option<usize> {
    let options = spec.dns_config.iter().flat_map(|config| config.options.iter().flatten());
    let value = options.filter(|option| option.name.as_deref() == Some("ndots")).find_map(|it| it.value.as_deref());
    value?.parse().ok().map(|dots: usize| dots.min(NDOTS_LIMIT))
}

/// One pod's network.
pub struct PodNetwork {
    table: Arc<ServiceTable>,
    domain: Arc<str>,
    dns: Dns,
    /// Names the pod has from itself: its hostname, `hostAliases`. In lower case.
    own_names: Vec<(String, IpAddr)>,
}

impl PodNetwork {
    /// The network of a pod with these settings.
    pub fn new(table: Arc<ServiceTable>, domain: Arc<str>, dns: Dns, own_names: Vec<(String, IpAddr)>) -> PodNetwork {
        PodNetwork { table, domain, dns, own_names }
    }

    fn own(&self, name: &str) -> Vec<IpAddr> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.own_names.iter().filter(|(own, _)| *own == name).map(|(_, address)| *address).collect()
    }

    async fn resolve_full(&self, name: &str) -> Result<Vec<IpAddr>, NetworkError> {
        let mut name = name.to_owned();
        for _ in 0..ALIASES_LIMIT {
            let found = if self.dns.cluster { answer(&self.table, &self.domain, &name) } else { Answer::Outside };
            match found {
                Answer::Addresses(addresses) => return Ok(addresses),
                Answer::NotFound => return Err(NetworkError::NotFound),
                Answer::Outside => return host_lookup(&name).await,
                Answer::Alias(target) => name = target,
            }
        }
        Err(NetworkError::TemporaryFailure)
    }
}

#[async_trait]
impl Network for PodNetwork {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NetworkError> {
        if name.is_empty() || name.len() > NAME_LIMIT_BYTES {
            return Err(NetworkError::NotFound);
        }
        let own = self.own(name);
        if !own.is_empty() {
            return Ok(own);
        }
        let names = candidates(name, &self.dns.searches, self.dns.ndots);
        // Candidates in the cluster's domain are answered from the table; only the name as it was written, or
        // with a search domain from outside, is worth a question to the host's resolver.
        let mut failure = NetworkError::NotFound;
        for candidate in &names {
            match self.resolve_full(candidate).await {
                Ok(addresses) => return Ok(addresses),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn route(&self, from: IpAddr, to: SocketAddr) -> Result<SocketAddr, NetworkError> {
        self.table.route(from, to)
    }
}

async fn host_lookup(name: &str) -> Result<Vec<IpAddr>, NetworkError> {
    let asked = tokio::time::timeout(HOST_LOOKUP_TIMEOUT, tokio::net::lookup_host((name, 0))).await;
    let found = asked.map_err(|_| NetworkError::TemporaryFailure)?;
    // The host's resolver doesn't say which of its failures are final.
    let addresses: Vec<IpAddr> = found.map_err(|_| NetworkError::NotFound)?.map(|address| address.ip()).collect();
    if addresses.is_empty() { Err(NetworkError::NotFound) } else { Ok(addresses) }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    use super::*;
    use crate::network::endpoints::ServiceEntry;

    fn network(spec: serde_json::Value) -> PodNetwork {
        let cidr = |text: &str| text.parse().unwrap();
        let table = ServiceTable::new("n1", "127.0.0.1".parse().unwrap(), cidr("127.64.0.0/16"), cidr("127.96.0.0/16"));
        for (name, spec) in [
            ("web", json!({"clusterIP": "127.96.0.9", "ports": [{"port": 80}]})),
            ("near", json!({"type": "ExternalName", "externalName": "web.shop.svc.cluster.local"})),
            ("loop", json!({"type": "ExternalName", "externalName": "loop.shop.svc.cluster.local"})),
        ] {
            let object = json!({"metadata": {"name": name, "namespace": "shop"}, "spec": spec});
            table.apply_service(ServiceEntry::read(&serde_json::from_value::<Service>(object).unwrap()));
        }
        let dns = Dns::of(&serde_json::from_value(spec).unwrap(), "shop", "cluster.local");
        let own = vec![("me".to_owned(), "127.64.0.7".parse().unwrap())];
        PodNetwork::new(Arc::new(table), "cluster.local".into(), dns, own)
    }

    #[tokio::test]
    async fn services_answer_to_every_form_of_their_name() {
        let network = network(json!({"containers": []}));
        let service: Vec<IpAddr> = vec!["127.96.0.9".parse().unwrap()];
        for name in
            ["web", "web.shop", "web.shop.svc", "WEB.shop.svc.cluster.local", "web.shop.svc.cluster.local.", "near"]
        {
            assert_eq!(network.lookup(name).await, Ok(service.clone()), "{name}");
        }
        assert_eq!(network.lookup("me").await, Ok(vec!["127.64.0.7".parse().unwrap()]));
    }

    #[tokio::test]
    async fn names_of_nobody_and_circles_fail() {
        let network = network(json!({"containers": []}));
        assert_eq!(network.lookup("gone.shop.svc.cluster.local.").await, Err(NetworkError::NotFound));
        assert_eq!(network.lookup("loop.shop.svc.cluster.local.").await, Err(NetworkError::TemporaryFailure));
        assert_eq!(network.lookup(&"x".repeat(256)).await, Err(NetworkError::NotFound));
    }

    #[test]
    fn the_dns_policy_decides_what_is_searched() {
        let dns = |spec| network(spec).dns;
        assert_eq!(
            dns(json!({"containers": []})).searches,
            ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"]
        );
        assert!(!dns(json!({"containers": [], "dnsPolicy": "Default"})).cluster);
        assert!(!dns(json!({"containers": [], "hostNetwork": true, "dnsPolicy": "ClusterFirst"})).cluster);
        assert!(dns(json!({"containers": [], "hostNetwork": true, "dnsPolicy": "ClusterFirstWithHostNet"})).cluster);
        let none =
            dns(json!({"containers": [], "dnsPolicy": "None", "dnsConfig": {"searches": ["shop.svc.cluster.local"]}}));
        assert_eq!((none.searches.len(), none.cluster, none.ndots), (1, true, 1));
        let options = |options| dns(json!({"containers": [], "dnsConfig": {"options": options}})).ndots;
        assert_eq!(
            [
                options(json!([])),
                options(json!([{"name": "ndots", "value": "2"}])),
                options(json!([{"name": "ndots"}]))
            ],
            [5, 2, 5]
        );
    }
}
