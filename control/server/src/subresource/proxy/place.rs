//! Where a proxied request goes. What leads there is written by tenants: endpoints, addresses in statuses. Addresses are
//! judged as kube-apiserver does (`pkg/proxy/util`, `IsProxyableIP`), and a little harder: clouds' metadata servers besides
//! link-local ones, and IPv4 addresses written as IPv6.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use coracle_api::{ApiError, ApiResult, Reason};
use coracle_store::{Key, Scope};
use http::uri::Scheme;
use serde_json::Value;

use crate::http::Target;
use crate::hub::Hub;
use crate::nodes;
use crate::outbound::{reach, ready};
use crate::read::{key, parse};

/// Bits of the network that a cluster of one machine takes its loopback addresses from.
const BLOCK_BITS: u32 = 16;

/// Where a request goes.
pub(super) enum Destination {
    /// To a node, by its transport.
    Node(Router),
    /// To an address, with TLS or without.
    Address(SocketAddr, Scheme),
}

/// Where requests for the target go.
pub(super) async fn of(hub: &Hub, target: &Target) -> ApiResult<Destination> {
    match target.resource.plural.as_ref() {
        "pods" => pod(hub, target),
        "services" => service(hub, target),
        _ => node(hub, target).await,
    }
}

/// `name`, `name:port`, `scheme:name:port`
fn parts<'n>(what: &str, name: &'n str) -> ApiResult<(Scheme, &'n str, &'n str)> {
    let pieces: Vec<&str> = name.split(':').collect();
    match pieces.as_slice() {
        [name] => Ok((Scheme::HTTP, name, "")),
        [name, port] => Ok((Scheme::HTTP, name, port)),
        ["" | "http", name, port] => Ok((Scheme::HTTP, name, port)),
        ["https", name, port] => Ok((Scheme::HTTPS, name, port)),
        _ => Err(ApiError::bad_request(format!("invalid {what} request {name:?}"))),
    }
}

fn pod(hub: &Hub, target: &Target) -> ApiResult<Destination> {
    let (scheme, name, port) = parts("pod", &target.name)?;
    let record = hub.store.get(&Key::new("pods", target.namespace.as_str(), name));
    let record = record.ok_or_else(|| ApiError::not_found(&target.resource, name))?;
    let pod = parse(&record.json)?;
    let declared = || {
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        containers.into_iter().find_map(|c| c["ports"][0]["containerPort"].as_u64())
    };
    let default = if scheme == Scheme::HTTPS { 443 } else { 80 };
    let port = match port {
        "" => declared().and_then(|p| u16::try_from(p).ok()).unwrap_or(default),
        text => text.parse().map_err(|_| ApiError::bad_request(format!("invalid pod request {:?}", target.name)))?,
    };
    let ip: IpAddr = pod["status"]["podIP"].as_str().unwrap_or_default().parse().map_err(|_| refused())?;
    Ok(Destination::Address(SocketAddr::new(allowed(hub, &target.namespace, ip)?, port), scheme))
}

fn service(hub: &Hub, target: &Target) -> ApiResult<Destination> {
    let (scheme, name, port) = parts("service", &target.name)?;
    let unavailable = |why: String| ApiError::new(Reason::ServiceUnavailable, why);
    let record = hub.store.get(&Key::new("services", target.namespace.as_str(), name));
    let record = record.ok_or_else(|| ApiError::not_found(&target.resource, name))?;
    let port = match port.parse::<u64>() {
        Err(_) => port.to_string(),
        Ok(number) => {
            let service = parse(&record.json)?;
            let ports = service["spec"]["ports"].as_array().into_iter().flatten();
            let found = ports.into_iter().find(|p| p["port"].as_u64() == Some(number));
            let found =
                found.ok_or_else(|| unavailable(format!("no service port {number} found for service {name:?}")))?;
            found["name"].as_str().unwrap_or_default().to_string()
        }
    };
    let endpoints = ready(&hub.store, &target.namespace, name, &port);
    if endpoints.is_empty() {
        return Err(unavailable(format!("no endpoints available for service {name:?}")));
    }
    let chosen = endpoints[rand::random_range(0..endpoints.len())];
    Ok(Destination::Address(SocketAddr::new(allowed(hub, &target.namespace, chosen.ip())?, chosen.port()), scheme))
}

/// A node is its own API; other ports of the machine are not ours to open.
async fn node(hub: &Hub, target: &Target) -> ApiResult<Destination> {
    let (_, name, port) = parts("node", &target.name)?;
    let record = hub.store.get(&Key { name: name.into(), ..key(target) });
    let record = record.ok_or_else(|| ApiError::not_found(&target.resource, name))?;
    let node = parse(&record.json)?;
    let own = &node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"];
    if !port.is_empty() && own.as_u64().map(|p| p.to_string()).as_deref() != Some(port) {
        return Err(refused());
    }
    if !hub.nodes.is_inside(name) {
        check_node(&node).await?;
    }
    let router = hub
        .nodes
        .router(name)
        .ok_or_else(|| ApiError::new(Reason::ServiceUnavailable, format!("node {name} is not connected")))?;
    Ok(Destination::Node(router))
}

fn refused() -> ApiError {
    ApiError::bad_request("address not allowed")
}

/// A node says itself where it is: it may not be the machine of this server, or a machine's neighbours. That the
/// addresses are still the same when they are connected to is not sure, here as in Kubernetes; reserved ones are looked
/// for again then.
async fn check_node(node: &Value) -> ApiResult<()> {
    // Without an address it can't be reached, which its transport says.
    let Some(host) = nodes::address(node) else { return Ok(()) };
    let found = tokio::net::lookup_host((host, 0)).await.map_err(|_| refused())?;
    for address in found {
        let ip = reach::meant(address.ip());
        if reach::is_reserved(ip) || (reach::is_own(ip) && block(ip).is_none()) {
            return Err(refused());
        }
    }
    Ok(())
}

/// The address, if requests may go there. Clusters of one machine have pods at loopback addresses: those are theirs.
fn allowed(hub: &Hub, namespace: &str, ip: IpAddr) -> ApiResult<IpAddr> {
    let ip = reach::meant(ip);
    if reach::is_reserved(ip) || (reach::is_own(ip) && !is_of_pod(hub, namespace, ip)) {
        return Err(refused());
    }
    Ok(ip)
}

/// Whether a loopback address is a pod's of the namespace: the pod says so, and it is out of what the node of the pod gives
/// to pods. Who may write the status of a pod may say anything.
fn is_of_pod(hub: &Hub, namespace: &str, ip: IpAddr) -> bool {
    let text = ip.to_string();
    let pods = hub.store.list(&Scope::namespaced("pods", namespace));
    let mut mine = pods.iter().filter(|pod| pod.lifted.field("status.podIP") == Some(text.as_str()));
    mine.any(|pod| {
        let node = parse(&pod.json).ok().and_then(|pod| {
            let record = hub.store.get(&Key::new("nodes", "", pod["spec"]["nodeName"].as_str()?))?;
            parse(&record.json).ok()
        });
        let own: Option<IpAddr> = node.as_ref().and_then(nodes::address).and_then(|own| own.parse().ok());
        let is_given = hub.config.pod_cidr.is_some_and(|pods| pods.contains(&ip));
        own != Some(ip) && (is_given || own.is_some_and(|own| block(ip).is_some() && block(ip) == block(own)))
    })
}

/// The network that a loopback address belongs to, if clusters take theirs from it: `127.0.0.0/16` is everybody's.
fn block(ip: IpAddr) -> Option<u32> {
    let IpAddr::V4(v4) = ip else { return None };
    (v4.is_loopback() && v4.octets()[1] != 0).then(|| v4.to_bits() >> BLOCK_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_scheme_and_port() {
        assert_eq!(parts("pod", "a").unwrap(), (Scheme::HTTP, "a", ""));
        assert_eq!(parts("pod", "a:80").unwrap(), (Scheme::HTTP, "a", "80"));
        assert_eq!(parts("pod", "https:a:web").unwrap(), (Scheme::HTTPS, "a", "web"));
        assert_eq!(parts("pod", "ftp:a:1").unwrap_err().message, "invalid pod request \"ftp:a:1\"");
    }

    #[test]
    fn loopback_networks_of_clusters_are_told_from_everybodys() {
        let of = |text: &str| block(text.parse().unwrap());
        assert_eq!(of("127.42.0.1"), of("127.42.9.9"));
        assert_ne!(of("127.42.0.1"), of("127.43.0.1"));
        assert!(of("127.42.0.1").is_some());
        for text in ["127.0.0.1", "127.0.0.53", "10.42.0.1", "::1"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
