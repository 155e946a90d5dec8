//! What EndpointSlices say of Endpoints that somebody wrote by hand.

use super::slices::Head;
use super::source::Group;
use crate::cluster::SERVICE_NAME_LABEL;
use crate::framework::owner_reference;
use k8s_openapi::api::core::v1::{EndpointAddress, EndpointSubset, Endpoints, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort};
use std::collections::BTreeMap;

/// Who manages a mirrored slice.
pub const MIRRORED_BY: &str = "endpointslicemirroring-controller.k8s.io";
/// With `true`, the Endpoints are not mirrored: their author writes slices too.
const SKIP_MIRROR_LABEL: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Endpoints that are really a lock.
const LEADER_ANNOTATION: &str = "control-plane.alpha.kubernetes.io/leader";
/// Addresses mirrored of one subset, and held by one slice, at most (`--mirroring-max-endpoints-per-subset`).
pub const MAX_ADDRESSES: usize = 1000;
/// Annotations that say something of the Endpoints object alone.
const NOT_MIRRORED: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "endpoints.kubernetes.io/last-change-trigger-time"];

/// Whether the Endpoints are mirrored: those of a Service with a selector are the other controller's.
pub fn is_wanted(service: &Service, endpoints: &Endpoints) -> bool {
    let selects = service.spec.as_ref().and_then(|spec| spec.selector.as_ref()).is_some_and(|s| !s.is_empty());
    let skipped = endpoints.metadata.labels.iter().flatten().any(|(k, v)| k == SKIP_MIRROR_LABEL && v == "true");
    let is_lock = endpoints.metadata.annotations.iter().flatten().any(|(key, _)| key == LEADER_ANNOTATION);
    !selects && !skipped && !is_lock
}

/// What the mirrored slices have in common.
pub fn head(endpoints: &Endpoints) -> Head {
    let name = endpoints.metadata.name.clone().unwrap_or_default();
    let mut labels = endpoints.metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME_LABEL.to_owned(), name.clone());
    let mut annotations = endpoints.metadata.annotations.clone().unwrap_or_default();
    annotations.retain(|key, _| !NOT_MIRRORED.contains(&key.as_str()));
    Head {
        namespace: endpoints.metadata.namespace.clone().unwrap_or_default(),
        name,
        labels,
        annotations: Some(annotations),
        max_endpoints: MAX_ADDRESSES,
        owner: owner_reference(endpoints),
    }
    .managed_by(MIRRORED_BY)
}

/// The addresses of all subsets, grouped by what a slice can hold, and how many were too many.
pub fn groups(endpoints: &Endpoints) -> (Vec<Group>, usize) {
    let mut subsets: BTreeMap<String, (Vec<EndpointPort>, Vec<Endpoint>)> = BTreeMap::new();
    for subset in endpoints.subsets.iter().flatten() {
        let ports = ports(subset);
        // Subsets with the same ports are one, as in Kubernetes.
        let id = serde_json::json!(ports).to_string();
        let (_, listed) = subsets.entry(id).or_insert_with(|| (ports, vec![]));
        listed.extend(subset.addresses.iter().flatten().map(|address| endpoint(address, true)));
        listed.extend(subset.not_ready_addresses.iter().flatten().map(|address| endpoint(address, false)));
    }
    let (mut groups, mut skipped) = (Vec::new(), 0);
    for (ports, mut listed) in subsets.into_values() {
        listed.sort_by_key(|endpoint| !endpoint.conditions.as_ref().and_then(|c| c.ready).unwrap_or(false));
        skipped += listed.len().saturating_sub(MAX_ADDRESSES);
        listed.truncate(MAX_ADDRESSES);
        let (v6, v4): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|endpoint| endpoint.addresses.iter().any(|ip| ip.contains(':')));
        for (family, endpoints) in [("IPv4", v4), ("IPv6", v6)] {
            if !endpoints.is_empty() {
                groups.push(Group { family, ports: ports.clone(), endpoints });
            }
        }
    }
    (groups, skipped)
}

fn ports(subset: &EndpointSubset) -> Vec<EndpointPort> {
    let port = |port: &k8s_openapi::api::core::v1::EndpointPort| EndpointPort {
        // A slice's port without a name has the empty name; defaulting would write it so.
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(port.port),
        protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
        app_protocol: port.app_protocol.clone(),
    };
    subset.ports.iter().flatten().map(port).collect()
}

fn endpoint(address: &EndpointAddress, ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![address.ip.clone()],
        conditions: Some(EndpointConditions { ready: Some(ready), ..EndpointConditions::default() }),
        hostname: address.hostname.clone().filter(|name| !name.is_empty()),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::slices::plan_for;
    use super::*;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn endpoints(metadata: &Value, subsets: &Value) -> Endpoints {
        serde_json::from_value(json!({"metadata": metadata, "subsets": subsets})).unwrap()
    }

    #[test]
    fn subsets_become_groups_of_one_family() {
        let subsets = json!([
            {"addresses": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], "notReadyAddresses": [{"ip": "10.0.0.2"}],
                "ports": [{"port": 80}]},
            {"addresses": [{"ip": "10.0.0.3"}], "ports": [{"port": 80}]},
            {"ports": [{"port": 81}]},
        ]);
        let (groups, skipped) = groups(&endpoints(&json!({"name": "e"}), &subsets));
        assert_eq!(skipped, 0);
        let found: Vec<_> = groups.iter().map(|group| (group.family, group.endpoints.len())).collect();
        assert_eq!(found, [("IPv4", 3), ("IPv6", 1)]);
        let ready: Vec<_> = groups[0].endpoints.iter().map(|e| e.conditions.as_ref().unwrap().ready.unwrap()).collect();
        assert_eq!(ready, [true, true, false]);
        let port = &groups[0].ports[0];
        assert_eq!((port.name.as_deref(), port.port, port.protocol.as_deref()), (Some(""), Some(80), Some("TCP")));
    }

    #[test]
    fn only_what_nobody_else_writes_is_mirrored() {
        let service = |spec: Value| -> Service { serde_json::from_value(json!({"spec": spec})).unwrap() };
        let plain = endpoints(&json!({"name": "e"}), &json!([]));
        assert!(is_wanted(&service(json!({})), &plain));
        assert!(!is_wanted(&service(json!({"selector": {"a": "b"}})), &plain));
        let skipped = endpoints(&json!({"labels": {SKIP_MIRROR_LABEL: "true"}}), &json!([]));
        assert!(!is_wanted(&service(json!({})), &skipped));
        let lock = endpoints(&json!({"annotations": {LEADER_ANNOTATION: "{}"}}), &json!([]));
        assert!(!is_wanted(&service(json!({})), &lock));
    }

    #[test]
    fn a_subset_has_a_thousand_addresses_at_most() {
        let address = |n: usize| json!({"ip": format!("10.0.{}.{}", n / 250, n % 250)});
        let many: Vec<Value> = (0..700).map(address).collect();
        let more: Vec<Value> = (700..1400).map(address).collect();
        let subsets = json!([
            {"notReadyAddresses": many, "ports": [{"port": 80}]}, {"addresses": more, "ports": [{"port": 80}]}]);
        let (groups, skipped) = groups(&endpoints(&json!({"name": "e"}), &subsets));
        assert_eq!((groups.len(), groups[0].endpoints.len(), skipped), (1, 1000, 400));
        let ready = groups[0].endpoints.iter().filter(|e| e.conditions.as_ref().unwrap().ready == Some(true)).count();
        assert_eq!(ready, 700, "those that are ready come first");
        let plan = plan_for(&head(&endpoints(&json!({"name": "e"}), &json!([]))), groups, vec![]);
        assert_eq!(plan.create.len(), 1, "one slice for one subset");
    }

    #[test]
    fn slices_are_marked_as_mirrored_and_follow_the_marks_of_the_endpoints() {
        let with = |metadata: Value| endpoints(&metadata, &json!([{"addresses": [{"ip": "10.0.0.1"}]}]));
        let first = with(json!({"name": "e", "uid": "u", "labels": {"a": "1"},
            "annotations": {(NOT_MIRRORED[0]): "x", "note": "n"}}));
        let made = plan_for(&head(&first), groups(&first).0, vec![]).create.remove(0);
        let labels = made.metadata.labels.as_ref().unwrap();
        assert_eq!((labels[SERVICE_NAME_LABEL].as_str(), labels["a"].as_str()), ("e", "1"));
        assert_eq!(labels["endpointslice.kubernetes.io/managed-by"], MIRRORED_BY);
        assert_eq!(made.metadata.owner_references.as_ref().unwrap()[0].kind, "Endpoints");
        assert_eq!(made.metadata.annotations, Some([("note".to_owned(), "n".to_owned())].into()));
        let same = plan_for(&head(&first), groups(&first).0, vec![Arc::new(made.clone())]);
        assert!(same.update.is_empty() && same.create.is_empty() && same.delete.is_empty());
        let later = with(json!({"name": "e", "uid": "u"}));
        let changed = plan_for(&head(&later), groups(&later).0, vec![Arc::new(made)]).update.remove(0);
        assert!(!changed.metadata.labels.unwrap().contains_key("a"));
        assert_eq!(changed.metadata.annotations, Some(BTreeMap::new()));
    }
}
