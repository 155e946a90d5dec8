//! What a node asks its cluster before it starts: which addresses Services have, and which its pods may have.

use std::time::Duration;

use anyhow::{Context, bail};
use ipnet::{IpNet, Ipv4Net};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, NodeSpec, Taint};
use k8s_openapi::api::networking::v1::ServiceCIDR;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ListParams, ObjectMeta, PostParams};
use kube::core::Status;

/// The range of Services that every cluster begins with.
const FIRST_RANGE: &str = "kubernetes";
/// Where the Leases of nodes are.
const LEASES: &str = "kube-node-lease";
/// How long a cluster has to give addresses to a new Node. One that gives any does so as soon as it sees the Node.
const CIDR_PATIENCE: Duration = Duration::from_secs(2);
/// How often the Node is looked at meanwhile.
const CIDR_POLL: Duration = Duration::from_millis(100);

/// The addresses that Services have.
pub async fn service_cidr(client: &kube::Client) -> anyhow::Result<Ipv4Net> {
    const ADVICE: &str = "name the addresses of the cluster's Services with --service-cidr";
    let ranges: Api<ServiceCIDR> = Api::all(client.clone());
    let ranges = match ranges.list(&ListParams::default()).await {
        Ok(ranges) => ranges.items,
        Err(error) => match refusal(&error) {
            Some(refusal) => bail!("the cluster does not tell its ServiceCIDRs ({}): {ADVICE}", refusal.message),
            None => return Err(error).context("cannot ask the API server"),
        },
    };
    let first = ranges.into_iter().find(|range| range.metadata.name.as_deref() == Some(FIRST_RANGE));
    let cidrs = first.and_then(|range| range.spec?.cidrs).unwrap_or_default();
    first_v4(&cidrs)
        .with_context(|| format!("the cluster has no ServiceCIDR {FIRST_RANGE} of IPv4 addresses: {ADVICE}"))
}

/// The addresses that the cluster gives to the pods of this node, if it gives any. A Node that is not there is made:
/// addresses are given to Nodes, not to those that might become one.
pub async fn pod_cidr(client: &kube::Client, name: &str, taints: &[Taint]) -> anyhow::Result<Option<Ipv4Net>> {
    let nodes: Api<Node> = Api::all(client.clone());
    let found = nodes.get_opt(name).await.with_context(|| format!("cannot look for the Node {name}"))?;
    let mut node = match found {
        Some(node) => node,
        None => {
            let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
            let taints = Some(taints.to_vec()).filter(|taints| !taints.is_empty());
            let node = Node { metadata, spec: Some(NodeSpec { taints, ..NodeSpec::default() }), status: None };
            let made = nodes.create(&PostParams::default(), &node).await;
            made.with_context(|| format!("cannot make the Node {name}"))?
        }
    };
    let deadline = tokio::time::Instant::now() + CIDR_PATIENCE;
    loop {
        let given = node.spec.and_then(|spec| spec.pod_cidrs).unwrap_or_default();
        if !given.is_empty() {
            let v4 = first_v4(&given);
            return v4.map(Some).with_context(|| format!("the Node {name} has no IPv4 addresses for pods: {given:?}"));
        }
        if tokio::time::Instant::now() > deadline {
            return Ok(None);
        }
        tokio::time::sleep(CIDR_POLL).await;
        node = nodes.get(name).await.with_context(|| format!("cannot look at the Node {name}"))?;
    }
}

/// Whether a node of this name gives signs of life: its Lease has been renewed and holds.
pub async fn is_alive(client: &kube::Client, name: &str) -> anyhow::Result<bool> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), LEASES);
    let lease = leases.get_opt(name).await.with_context(|| format!("cannot look for the Lease of the Node {name}"))?;
    let Some(spec) = lease.and_then(|lease| lease.spec) else { return Ok(false) };
    let (renewed, seconds) = (spec.renew_time.map(|time| time.0), spec.lease_duration_seconds.unwrap_or_default());
    Ok(renewed.is_some_and(|renewed| Timestamp::now().as_second() < renewed.as_second() + i64::from(seconds)))
}

fn refusal(error: &kube::Error) -> Option<&Status> {
    match error {
        kube::Error::Api(status) => Some(status),
        _ => None,
    }
}

fn first_v4(cidrs: &[String]) -> Option<Ipv4Net> {
    cidrs.iter().find_map(|cidr| match cidr.parse() {
        Ok(IpNet::V4(cidr)) => Some(cidr),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_families_ipv4_is_taken() {
        let cidrs = ["fd00::/108".to_owned(), "10.96.0.0/12".to_owned()];
        assert_eq!(first_v4(&cidrs).unwrap().to_string(), "10.96.0.0/12");
        assert_eq!(first_v4(&cidrs[..1]), None);
    }
}
