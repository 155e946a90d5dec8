//! From pods to endpoints: which pods of a Service are listed, and in what condition.

use super::ports;
use coracle_api::pod;
use k8s_openapi::api::core::v1::{ObjectReference, Pod, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Endpoints that share ports and address family, by pod name.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// `IPv4` or `IPv6`.
    pub family: &'static str,
    /// The ports all of them have.
    pub ports: Vec<EndpointPort>,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// The endpoints of `service`, grouped by what a slice can hold. A Service without pods has one empty group.
pub fn groups(service: &Service, pods: &[Arc<Pod>]) -> Vec<Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let families = families(service);
    let mut pods: Vec<&Arc<Pod>> = pods.iter().filter(|pod| is_listed(pod)).collect();
    pods.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    for pod in pods {
        let ports = ports::of_pod(service, pod);
        for family in &families {
            let Some(address) = address(pod, family) else { continue };
            let id = format!("{family} {}", serde_json::json!(ports));
            let group = groups.entry(id).or_insert_with(|| Group { family, ports: ports.clone(), endpoints: vec![] });
            group.endpoints.push(endpoint(service, pod, address));
        }
    }
    if groups.is_empty() {
        return families.into_iter().map(|family| Group { family, ports: vec![], endpoints: vec![] }).collect();
    }
    groups.into_values().collect()
}

/// A pod is listed from when it has an address until it has ended; one being deleted serves its last requests.
fn is_listed(pod: &Pod) -> bool {
    !pod::is_terminal(pod) && pod.status.as_ref().and_then(|s| s.pod_ip.as_deref()).is_some_and(|ip| !ip.is_empty())
}

fn families(service: &Service) -> Vec<&'static str> {
    let wanted = service.spec.as_ref().and_then(|s| s.ip_families.clone()).unwrap_or_default();
    let mut families: Vec<&'static str> =
        wanted.iter().map(|family| if family == "IPv6" { "IPv6" } else { "IPv4" }).collect();
    if families.is_empty() {
        families.push("IPv4");
    }
    families
}

fn address(pod: &Pod, family: &str) -> Option<String> {
    let status = pod.status.as_ref()?;
    let mut all = status.pod_ips.iter().flatten().map(|ip| &ip.ip).chain(&status.pod_ip);
    all.find(|ip| ip.contains(':') == (family == "IPv6")).cloned()
}

fn endpoint(service: &Service, pod: &Pod, address: String) -> Endpoint {
    let spec = service.spec.as_ref();
    let publish_all = spec.and_then(|s| s.publish_not_ready_addresses).unwrap_or(false);
    let (serving, terminating) = (pod::is_ready(pod), pod::is_deleting(pod));
    let meta = &pod.metadata;
    Endpoint {
        addresses: vec![address],
        conditions: Some(EndpointConditions {
            ready: Some(publish_all || (serving && !terminating)),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        hostname: hostname(service, pod),
        node_name: pod.spec.as_ref().and_then(|s| s.node_name.clone()),
        target_ref: Some(ObjectReference {
            kind: Some("Pod".to_owned()),
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            ..ObjectReference::default()
        }),
        ..Endpoint::default()
    }
}

/// Pods that ask for a name under a headless Service get it.
fn hostname(service: &Service, pod: &Pod) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let hostname = spec.hostname.clone().filter(|h| !h.is_empty())?;
    let same_namespace = pod.metadata.namespace == service.metadata.namespace;
    (same_namespace && spec.subdomain == service.metadata.name).then_some(hostname)
}

#[cfg(test)]
pub mod testing {
    //! Services and pods for the tests of this folder.

    use super::*;
    use serde_json::{Value, json};

    /// A service on port 80.
    pub fn service(spec: &Value) -> Service {
        let mut value = json!({
            "metadata": {"name": "web", "namespace": "d", "uid": "s", "labels": {"app": "web"}},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
        });
        for (key, field) in spec.as_object().into_iter().flatten() {
            value["spec"][key] = field.clone();
        }
        serde_json::from_value(value).expect("a service")
    }

    /// A pod with an address.
    pub fn pod(name: &str, ip: &str, ready: bool) -> Arc<Pod> {
        let status = if ready { "True" } else { "False" };
        let value = json!({
            "metadata": {"name": name, "namespace": "d", "uid": name, "labels": {"app": "web"}},
            "spec": {"nodeName": "n1", "containers": []},
            "status": {"phase": "Running", "podIP": ip, "conditions": [{"type": "Ready", "status": status}]},
        });
        Arc::new(serde_json::from_value(value).expect("a pod"))
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{pod, service};
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_of_endpoints() {
        let mut dying = (*pod("c", "10.0.0.3", true)).clone();
        dying.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
        let mut ended = (*pod("d", "10.0.0.4", false)).clone();
        ended.status.as_mut().unwrap().phase = Some("Succeeded".into());
        let pods = [
            pod("b", "10.0.0.2", false),
            pod("a", "10.0.0.1", true),
            Arc::new(dying),
            Arc::new(ended),
            pod("e", "", false),
        ];
        let all = groups(&service(&json!({})), &pods);
        assert_eq!(all.len(), 1);
        let seen: Vec<_> = all[0]
            .endpoints
            .iter()
            .map(|e| {
                let c = e.conditions.as_ref().unwrap();
                (e.addresses[0].as_str(), c.ready.unwrap(), c.serving.unwrap(), c.terminating.unwrap())
            })
            .collect();
        assert_eq!(
            seen,
            [("10.0.0.1", true, true, false), ("10.0.0.2", false, false, false), ("10.0.0.3", false, true, true)]
        );
        let all = groups(&service(&json!({"publishNotReadyAddresses": true})), &pods);
        assert!(all[0].endpoints.iter().all(|e| e.conditions.as_ref().unwrap().ready == Some(true)));
    }

    #[test]
    fn families_and_no_pods() {
        let empty = groups(&service(&json!({"ipFamilies": ["IPv4", "IPv6"]})), &[]);
        assert_eq!(empty.iter().map(|g| g.family).collect::<Vec<_>>(), ["IPv4", "IPv6"]);
        let v6 = groups(&service(&json!({"ipFamilies": ["IPv6"]})), &[pod("a", "10.0.0.1", true)]);
        assert!(v6[0].endpoints.is_empty());
    }
}
