//! Names inside the cluster domain, answered from the Service table (Kubernetes DNS specification 1.1.0).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::table::ServiceTable;

/// Search domains that are looked at: what resolvers take (`resolv.conf`, glibc 2.26 and kubelet's own limit).
pub const SEARCHES_LIMIT: usize = 32;

/// What a full name leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses of the cluster.
    Addresses(Vec<IpAddr>),
    /// Another name, outside or inside the cluster (`type: ExternalName`).
    Alias(String),
    /// In the cluster's domain, and nobody's name.
    NotFound,
    /// Not in the cluster's domain.
    Outside,
}

/// The answer for `name`, a full name in lower case without its last dot.
pub fn answer(table: &ServiceTable, domain: &str, name: &str) -> Answer {
    let Some(inside) = name.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.')) else {
        return if name == domain { Answer::NotFound } else { Answer::Outside };
    };
    let labels: Vec<&str> = inside.split('.').collect();
    match labels[..] {
        [service, namespace, "svc"] => service_answer(table, namespace, service, None),
        [hostname, service, namespace, "svc"] => service_answer(table, namespace, service, Some(hostname)),
        [dashed, _, "pod"] => dashed_address(dashed).map_or(Answer::NotFound, |ip| Answer::Addresses(vec![ip])),
        _ => Answer::NotFound,
    }
}

fn service_answer(table: &ServiceTable, namespace: &str, name: &str, hostname: Option<&str>) -> Answer {
    let Some(service) = table.service(namespace, name) else { return Answer::NotFound };
    if let (Some(external), None) = (&service.external_name, hostname) {
        return Answer::Alias(external.trim_end_matches('.').to_ascii_lowercase());
    }
    let addresses = match hostname {
        None if !service.cluster_ips.is_empty() => service.cluster_ips.clone(),
        _ => table.endpoint_addresses(&service, hostname),
    };
    if addresses.is_empty() { Answer::NotFound } else { Answer::Addresses(addresses) }
}

/// `10-1-2-3` is 10.1.2.3, `fd00--1` is fd00::1.
fn dashed_address(label: &str) -> Option<IpAddr> {
    let v4 = label.replace('-', ".").parse::<Ipv4Addr>().map(IpAddr::V4);
    v4.or_else(|_| label.replace('-', ":").parse::<Ipv6Addr>().map(IpAddr::V6)).ok()
}

/// The full names to try for `name`, in order, as a resolver does with this search list, which comes first for names with
/// fewer dots than `ndots`.
pub fn candidates(name: &str, searches: &[String], ndots: usize) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    if let Some(absolute) = name.strip_suffix('.') {
        return vec![absolute.to_owned()];
    }
    let searched = searches.iter().take(SEARCHES_LIMIT).map(|domain| format!("{name}.{domain}"));
    let dots = name.matches('.').count();
    if dots >= ndots {
        std::iter::once(name.clone()).chain(searched).collect()
    } else {
        searched.chain(std::iter::once(name.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
    use serde_json::json;

    use super::*;
    use crate::network::endpoints::{ServiceEntry, SliceEntry};

    fn table() -> ServiceTable {
        let cidr = |text: &str| text.parse().unwrap();
        let table = ServiceTable::new("n1", "127.0.0.1".parse().unwrap(), cidr("127.64.0.0/16"), cidr("127.96.0.0/16"));
        for (name, spec) in [
            ("web", json!({"clusterIP": "127.96.0.9", "ports": [{"port": 80}]})),
            ("db", json!({"clusterIP": "None", "ports": [{"port": 5432}]})),
            ("out", json!({"type": "ExternalName", "externalName": "API.example.com."})),
        ] {
            let object = json!({"metadata": {"name": name, "namespace": "shop"}, "spec": spec});
            table.apply_service(ServiceEntry::read(&serde_json::from_value::<Service>(object).unwrap()));
        }
        let slice = json!({"metadata": {}, "addressType": "IPv4", "ports": [{"port": 5432}],
            "endpoints": [{"addresses": ["127.64.0.2"], "hostname": "db-0"}, {"addresses": ["127.64.0.3"]}]});
        let slice = SliceEntry::read(&serde_json::from_value::<EndpointSlice>(slice).unwrap());
        table.apply_slice("shop/db-x", Some("shop/db".into()), slice);
        table
    }

    fn ask(name: &str) -> Answer {
        answer(&table(), "cluster.local", name)
    }

    fn addresses(texts: &[&str]) -> Answer {
        Answer::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn services_pods_and_hostnames_have_names() {
        assert_eq!(ask("web.shop.svc.cluster.local"), addresses(&["127.96.0.9"]));
        assert_eq!(ask("db.shop.svc.cluster.local"), addresses(&["127.64.0.2", "127.64.0.3"]));
        assert_eq!(ask("db-0.db.shop.svc.cluster.local"), addresses(&["127.64.0.2"]));
        assert_eq!(ask("out.shop.svc.cluster.local"), Answer::Alias("api.example.com".into()));
        assert_eq!(ask("10-1-2-3.shop.pod.cluster.local"), addresses(&["10.1.2.3"]));
        assert_eq!(ask("fd00--1.shop.pod.cluster.local"), addresses(&["fd00::1"]));
    }

    #[test]
    fn other_names_are_nobodys_or_not_ours() {
        for name in
            ["web.other.svc.cluster.local", "svc.cluster.local", "cluster.local", "db-9.db.shop.svc.cluster.local"]
        {
            assert_eq!(ask(name), Answer::NotFound, "{name}");
        }
        for name in ["example.com", "web", "notcluster.local", "web.shop.svc"] {
            assert_eq!(ask(name), Answer::Outside, "{name}");
        }
    }

    #[test]
    fn short_names_are_searched_first_and_long_ones_last() {
        let searches = ["shop.svc.cluster.local".to_owned(), "svc.cluster.local".to_owned()];
        assert_eq!(candidates("Web", &searches, 5), ["web.shop.svc.cluster.local", "web.svc.cluster.local", "web"]);
        assert_eq!(candidates("a.b.c.d.e.f", &searches, 5)[0], "a.b.c.d.e.f");
        assert_eq!(candidates("a.b", &searches, 1)[0], "a.b");
        assert_eq!(candidates("example.com.", &searches, 5), ["example.com"]);
    }
}
