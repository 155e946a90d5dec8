//! The `v1` Endpoints object of a Service: one object with everything in it, for clients that still read it.

use super::source::Group;
use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Service};
use k8s_openapi::api::discovery::v1::Endpoint;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// Addresses in one object at most; the annotation says when there were more.
const MAX_ADDRESSES: usize = 1000;
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
/// Written by us, to be mirrored by nobody.
const MANAGED_BY_LABEL: &str = "endpoints.kubernetes.io/managed-by";
const MANAGED_BY: &str = "endpoint-controller";
const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// The Endpoints of `service`: addresses of its first family, terminating ones left out.
pub fn endpoints(service: &Service, groups: &[Group], old: Option<&Endpoints>) -> Endpoints {
    let family = groups.first().map_or("IPv4", |group| group.family);
    let mut room = MAX_ADDRESSES;
    let mut over_capacity = false;
    let mut subsets = Vec::new();
    for group in groups.iter().filter(|group| group.family == family && !group.endpoints.is_empty()) {
        let listed: Vec<&Endpoint> = group.endpoints.iter().filter(|e| !is(e, |c| c.terminating)).collect();
        over_capacity |= listed.len() > room;
        let (ready, not_ready): (Vec<&Endpoint>, Vec<&Endpoint>) =
            listed.into_iter().take(room).partition(|e| is(e, |c| c.ready));
        room -= ready.len() + not_ready.len();
        if !ready.is_empty() || !not_ready.is_empty() {
            subsets.push(subset(group, &ready, &not_ready));
        }
    }
    Endpoints {
        metadata: ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels(service)),
            annotations: annotations(old, over_capacity),
            resource_version: old.and_then(|old| old.metadata.resource_version.clone()),
            ..ObjectMeta::default()
        },
        subsets: Some(subsets).filter(|subsets| !subsets.is_empty()),
    }
}

/// Whether `new` is what `old` says already.
pub fn is_same(old: &Endpoints, new: &Endpoints) -> bool {
    old.subsets.as_deref().unwrap_or_default() == new.subsets.as_deref().unwrap_or_default()
        && old.metadata.labels == new.metadata.labels
        && old.metadata.annotations.clone().unwrap_or_default() == new.metadata.annotations.clone().unwrap_or_default()
}

fn is(
    endpoint: &Endpoint,
    condition: fn(&k8s_openapi::api::discovery::v1::EndpointConditions) -> Option<bool>,
) -> bool {
    endpoint.conditions.as_ref().and_then(condition).unwrap_or(false)
}

fn subset(group: &Group, ready: &[&Endpoint], not_ready: &[&Endpoint]) -> EndpointSubset {
    let addresses = |endpoints: &[&Endpoint]| {
        let all: Vec<EndpointAddress> = endpoints.iter().map(|e| address(e)).collect();
        Some(all).filter(|all| !all.is_empty())
    };
    let ports = group.ports.iter().map(|port| EndpointPort {
        name: port.name.clone().filter(|name| !name.is_empty()),
        port: port.port.unwrap_or(0),
        protocol: port.protocol.clone(),
        app_protocol: port.app_protocol.clone(),
    });
    EndpointSubset {
        addresses: addresses(ready),
        not_ready_addresses: addresses(not_ready),
        ports: Some(ports.collect::<Vec<_>>()).filter(|ports| !ports.is_empty()),
    }
}

fn address(endpoint: &Endpoint) -> EndpointAddress {
    EndpointAddress {
        ip: endpoint.addresses.first().cloned().unwrap_or_default(),
        hostname: endpoint.hostname.clone(),
        node_name: endpoint.node_name.clone(),
        target_ref: endpoint.target_ref.clone(),
    }
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.insert(MANAGED_BY_LABEL.to_owned(), MANAGED_BY.to_owned());
    if service.spec.as_ref().and_then(|s| s.cluster_ip.as_deref()) == Some("None") {
        labels.insert(HEADLESS_LABEL.to_owned(), String::new());
    }
    labels
}

fn annotations(old: Option<&Endpoints>, over_capacity: bool) -> Option<BTreeMap<String, String>> {
    let mut annotations = old.and_then(|old| old.metadata.annotations.clone()).unwrap_or_default();
    if over_capacity {
        annotations.insert(OVER_CAPACITY.to_owned(), "truncated".to_owned());
    } else {
        annotations.remove(OVER_CAPACITY);
    }
    Some(annotations).filter(|annotations| !annotations.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::source::groups;
    use crate::endpoints::source::testing::{pod, service};
    use serde_json::json;

    #[test]
    fn ready_and_not_ready_addresses() {
        let service = service(&json!({}));
        let pods = [pod("a", "10.0.0.1", true), pod("b", "10.0.0.2", false)];
        let all = endpoints(&service, &groups(&service, &pods), None);
        let subset = &all.subsets.as_ref().unwrap()[0];
        assert_eq!(subset.addresses.as_ref().unwrap()[0].ip, "10.0.0.1");
        assert_eq!(subset.not_ready_addresses.as_ref().unwrap()[0].ip, "10.0.0.2");
        assert_eq!(subset.ports.as_ref().unwrap()[0].port, 8080);
        assert!(is_same(&all, &endpoints(&service, &groups(&service, &pods), Some(&all))));
        assert_eq!(endpoints(&service, &groups(&service, &[]), None).subsets, None);
    }

    #[test]
    fn too_many_addresses_are_cut_and_said_to_be() {
        let service = service(&json!({}));
        let pods: Vec<_> =
            (0..1001).map(|i| pod(&format!("p{i}"), &format!("10.0.{}.{}", i / 250, i % 250), true)).collect();
        let all = endpoints(&service, &groups(&service, &pods), None);
        assert_eq!(all.subsets.as_ref().unwrap()[0].addresses.as_ref().unwrap().len(), MAX_ADDRESSES);
        assert_eq!(all.metadata.annotations.as_ref().unwrap()[OVER_CAPACITY], "truncated");
    }
}
