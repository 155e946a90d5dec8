//! Which EndpointSlices to write so that they list the endpoints wanted, touching as few as possible.

use super::source::Group;
use crate::cluster::SERVICE_NAME_LABEL;
use crate::framework::owner_reference;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Endpoints in one slice at most, as in Kubernetes.
const MAX_ENDPOINTS: usize = 100;
/// Who manages a slice.
pub const MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";
/// Us.
pub const MANAGED_BY: &str = "endpointslice-controller.k8s.io";
/// A headless Service's slices say so.
const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// What is to be written.
#[derive(Debug, Default)]
pub struct Plan {
    /// New slices.
    pub create: Vec<EndpointSlice>,
    /// Changed ones.
    pub update: Vec<EndpointSlice>,
    /// Superfluous ones.
    pub delete: Vec<Arc<EndpointSlice>>,
}

/// What the slices of one Service have in common.
#[derive(Debug)]
pub struct Head {
    /// Theirs, the Service's and the owner's.
    pub namespace: String,
    /// The Service's name, with which theirs begin.
    pub name: String,
    /// Who manages them for which Service among them.
    pub labels: Labels,
    /// The annotations they must have; None leaves those they have.
    pub annotations: Option<BTreeMap<String, String>>,
    /// Endpoints in one of them at most.
    pub max_endpoints: usize,
    /// With whom they go.
    pub owner: OwnerReference,
}

impl Head {
    fn of_service(service: &Service) -> Head {
        Head {
            namespace: service.metadata.namespace.clone().unwrap_or_default(),
            name: service.metadata.name.clone().unwrap_or_default(),
            labels: labels(service),
            annotations: None,
            max_endpoints: MAX_ENDPOINTS,
            owner: owner_reference(service),
        }
        .managed_by(MANAGED_BY)
    }

    /// Whether the slice says all this, and nothing else.
    fn is_on(&self, slice: &EndpointSlice) -> bool {
        let meta = &slice.metadata;
        meta.labels.as_ref() == Some(&self.labels)
            && self.annotations.as_ref().is_none_or(|wanted| meta.annotations.clone().unwrap_or_default() == *wanted)
    }

    /// With the label of their manager.
    pub fn managed_by(mut self, manager: &str) -> Head {
        self.labels.insert(MANAGED_BY_LABEL.to_owned(), manager.to_owned());
        self
    }
}

/// Compares the `existing` slices of `service` with the endpoints wanted.
pub fn plan(service: &Service, groups: Vec<Group>, existing: Vec<Arc<EndpointSlice>>) -> Plan {
    plan_for(&Head::of_service(service), groups, existing)
}

/// The same for slices with any head.
pub fn plan_for(head: &Head, groups: Vec<Group>, existing: Vec<Arc<EndpointSlice>>) -> Plan {
    let mut unused = existing;
    let mut plan = Plan::default();
    for group in groups {
        let (ours, rest) = unused.into_iter().partition(|slice| is_of(slice, &group));
        unused = rest;
        plan_group(head, group, ours, &mut plan);
    }
    plan.delete.extend(unused);
    plan
}

fn is_of(slice: &EndpointSlice, group: &Group) -> bool {
    slice.address_type == group.family && slice.ports.as_deref().unwrap_or_default() == group.ports
}

type Labels = BTreeMap<String, String>;

/// Endpoints stay in the slice they are in; new ones fill the slices there are, and then new slices.
fn plan_group(head: &Head, group: Group, slices: Vec<Arc<EndpointSlice>>, plan: &mut Plan) {
    let mut wanted: HashMap<String, Endpoint> = HashMap::with_capacity(group.endpoints.len());
    let mut order = Vec::with_capacity(group.endpoints.len());
    for endpoint in group.endpoints {
        order.push(id(&endpoint));
        wanted.insert(id(&endpoint), endpoint);
    }
    let mut contents: Vec<Vec<Endpoint>> = slices
        .iter()
        .map(|slice| slice.endpoints.iter().flatten().filter_map(|old| wanted.remove(&id(old))).collect())
        .collect();
    let mut added = order.into_iter().filter_map(|id| wanted.remove(&id)).peekable();
    for content in &mut contents {
        while content.len() < head.max_endpoints && added.peek().is_some() {
            content.extend(added.next());
        }
    }
    while added.peek().is_some() {
        let endpoints = added.by_ref().take(head.max_endpoints).collect();
        plan.create.push(slice(head, group.family, &group.ports, endpoints));
    }
    // One slice stays (or is made) even if it is empty: its absence would mean that nobody looked yet.
    let all_empty = contents.iter().all(Vec::is_empty) && plan.create.is_empty();
    if slices.is_empty() && all_empty {
        plan.create.push(slice(head, group.family, &group.ports, Vec::new()));
    }
    for (at, (old, content)) in slices.into_iter().zip(contents).enumerate() {
        if content.is_empty() && !(all_empty && at == 0) {
            plan.delete.push(old);
        } else if old.endpoints.as_deref().unwrap_or_default() != content || !head.is_on(&old) {
            let mut updated = (*old).clone();
            updated.endpoints = Some(content);
            updated.metadata.labels = Some(head.labels.clone());
            updated.metadata.annotations = head.annotations.clone().or(updated.metadata.annotations);
            plan.update.push(updated);
        }
    }
}

/// The pod an endpoint is of; without one, its address.
fn id(endpoint: &Endpoint) -> String {
    let pod = endpoint.target_ref.as_ref().and_then(|target| target.uid.clone());
    pod.unwrap_or_else(|| endpoint.addresses.join(","))
}

fn labels(service: &Service) -> Labels {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    let name = service.metadata.name.clone().unwrap_or_default();
    if service.spec.as_ref().and_then(|s| s.cluster_ip.as_deref()) == Some("None") {
        labels.insert(HEADLESS_LABEL.to_owned(), String::new());
    }
    labels.insert(SERVICE_NAME_LABEL.to_owned(), name);
    labels
}

fn slice(
    head: &Head,
    family: &str,
    ports: &[k8s_openapi::api::discovery::v1::EndpointPort],
    endpoints: Vec<Endpoint>,
) -> EndpointSlice {
    EndpointSlice {
        metadata: ObjectMeta {
            namespace: Some(head.namespace.clone()),
            generate_name: Some(format!("{}-", head.name)),
            labels: Some(head.labels.clone()),
            annotations: head.annotations.clone(),
            owner_references: Some(vec![head.owner.clone()]),
            ..ObjectMeta::default()
        },
        address_type: family.to_owned(),
        endpoints: Some(endpoints),
        ports: Some(ports.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::source::groups;
    use crate::endpoints::source::testing::{pod, service};
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    fn pods(count: usize) -> Vec<Arc<Pod>> {
        (0..count).map(|i| pod(&format!("p{i:04}"), &format!("10.0.{}.{}", i / 250, i % 250), true)).collect()
    }

    /// The slices after a plan was carried out.
    fn carry_out(mut existing: Vec<Arc<EndpointSlice>>, plan: Plan) -> Vec<Arc<EndpointSlice>> {
        existing.retain(|slice| !plan.delete.iter().any(|gone| gone.metadata.name == slice.metadata.name));
        for updated in plan.update {
            existing.retain(|slice| slice.metadata.name != updated.metadata.name);
            existing.push(Arc::new(updated));
        }
        for mut created in plan.create {
            created.metadata.name = Some(format!("web-{}", existing.len()));
            existing.push(Arc::new(created));
        }
        existing
    }

    fn sizes(slices: &[Arc<EndpointSlice>]) -> Vec<usize> {
        let mut sizes: Vec<_> = slices.iter().map(|s| s.endpoints.as_ref().unwrap().len()).collect();
        sizes.sort_unstable();
        sizes
    }

    #[test]
    fn slices_hold_a_hundred_and_change_one_by_one() {
        let service = service(&json!({}));
        let slices = carry_out(vec![], plan(&service, groups(&service, &pods(250)), vec![]));
        assert_eq!(sizes(&slices), [50, 100, 100]);
        let labels = slices[0].metadata.labels.as_ref().unwrap();
        assert_eq!((labels[SERVICE_NAME_LABEL].as_str(), labels[MANAGED_BY_LABEL].as_str()), ("web", MANAGED_BY));
        let same = plan(&service, groups(&service, &pods(250)), slices.clone());
        assert!(same.create.is_empty() && same.update.is_empty() && same.delete.is_empty(), "nothing changed");
        let one_more = plan(&service, groups(&service, &pods(251)), slices.clone());
        assert_eq!((one_more.create.len(), one_more.update.len(), one_more.delete.len()), (0, 1, 0));
        let mut unready = pods(250);
        unready[7] = pod("p0007", "10.0.0.7", false);
        assert_eq!(plan(&service, groups(&service, &unready), slices).update.len(), 1);
    }

    #[test]
    fn an_empty_service_has_one_empty_slice() {
        let service = service(&json!({}));
        let slices = carry_out(vec![], plan(&service, groups(&service, &[]), vec![]));
        assert_eq!(sizes(&slices), [0]);
        let filled = carry_out(slices.clone(), plan(&service, groups(&service, &pods(3)), slices));
        assert_eq!(sizes(&filled), [3], "the empty slice had no ports and went");
        let emptied = plan(&service, groups(&service, &[]), filled);
        assert_eq!((emptied.create.len(), emptied.delete.len()), (1, 1));
    }

    #[test]
    fn superfluous_slices_go() {
        let service = service(&json!({}));
        let slices = carry_out(vec![], plan(&service, groups(&service, &pods(150)), vec![]));
        let shrunk = carry_out(slices.clone(), plan(&service, groups(&service, &pods(60)), slices));
        assert_eq!(sizes(&shrunk), [60]);
    }
}
