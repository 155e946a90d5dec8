//! From a Service to the address of one of its endpoints, by what the store has of EndpointSlices and Endpoints.

use std::net::{IpAddr, SocketAddr};

use coracle_store::{Key, Scope, Store};
use serde_json::Value;

/// The label that says whose slice it is.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// A port of a Service, as webhooks and APIServices name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ServiceRef {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl ServiceRef {
    /// From `{namespace, name, port}`; the port is 443 when it is not given.
    pub(crate) fn of(value: &Value) -> Self {
        let text = |field: &str| value[field].as_str().unwrap_or_default().to_string();
        let port = value["port"].as_u64().and_then(|p| u16::try_from(p).ok()).unwrap_or(443);
        Self { namespace: text("namespace"), name: text("name"), port }
    }

    /// The name in its certificate, and the host in its URL.
    pub(crate) fn host(&self) -> String {
        format!("{}.{}.svc", self.name, self.namespace)
    }

    /// From the host and port of a URL, if they name a Service.
    pub(crate) fn of_host(host: &str, port: u16) -> Option<Self> {
        let (name, namespace) = host.strip_suffix(".svc")?.split_once('.')?;
        Some(Self { namespace: namespace.into(), name: name.into(), port })
    }
}

/// Why a Service leads nowhere. The texts are those of an APIService's `Available` condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    /// There is no such Service.
    #[error("service/{name} in \"{namespace}\" is not present")]
    ServiceNotFound {
        /// Of the Service.
        namespace: String,
        /// Of the Service.
        name: String,
    },
    /// The Service has no such port.
    #[error("service/{name} in \"{namespace}\" is not listening on port {port}")]
    NoSuchPort {
        /// Of the Service.
        namespace: String,
        /// Of the Service.
        name: String,
        /// The port asked for.
        port: u16,
    },
    /// Nobody has written down where it leads.
    #[error("cannot find endpointslices for service/{name} in \"{namespace}\"")]
    NoSlices {
        /// Of the Service.
        namespace: String,
        /// Of the Service.
        name: String,
    },
    /// Nobody is ready to answer.
    #[error("endpoints for service/{name} in \"{namespace}\" have no addresses with port name \"{port}\"")]
    NoAddresses {
        /// Of the Service.
        namespace: String,
        /// Of the Service.
        name: String,
        /// The name of the port.
        port: String,
    },
}

impl ResolveError {
    /// The reason in a condition.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::ServiceNotFound { .. } => "ServiceNotFound",
            Self::NoSuchPort { .. } => "ServicePortError",
            Self::NoSlices { .. } => "EndpointsNotFound",
            Self::NoAddresses { .. } => "MissingEndpoints",
        }
    }
}

/// One of the ready endpoints of the Service, chosen at random; the host's name for an `ExternalName` Service.
pub(crate) fn resolve(store: &Store, wanted: &ServiceRef) -> Result<Destination, ResolveError> {
    let (namespace, name) = (wanted.namespace.clone(), wanted.name.clone());
    let key = Key::new("services", namespace.as_str(), name.as_str());
    let service = store.get(&key).and_then(|record| serde_json::from_slice::<Value>(&record.json).ok());
    let missing = ResolveError::ServiceNotFound { namespace: namespace.clone(), name: name.clone() };
    let service = service.ok_or(missing)?;
    if service["spec"]["type"] == "ExternalName" {
        let host = service["spec"]["externalName"].as_str().unwrap_or_default().to_string();
        return Ok(Destination::Host(host, wanted.port));
    }
    let port = port_name(&service, wanted.port);
    let Some(port) = port else {
        return Err(ResolveError::NoSuchPort { namespace, name, port: wanted.port });
    };
    let (slices, mut addresses) = of_slices(store, wanted, &port);
    if slices == 0 {
        let endpoints = store.get(&Key::new("endpoints", namespace.as_str(), name.as_str()));
        let Some(endpoints) = endpoints.and_then(|r| serde_json::from_slice::<Value>(&r.json).ok()) else {
            return Err(ResolveError::NoSlices { namespace, name });
        };
        addresses = of_endpoints(&endpoints, &port);
    }
    if addresses.is_empty() {
        return Err(ResolveError::NoAddresses { namespace, name, port });
    }
    Ok(Destination::Address(addresses[rand::random_range(0..addresses.len())]))
}

/// The ready endpoints of a Service's port, by the name of the port ("" for the only one).
pub(crate) fn ready(store: &Store, namespace: &str, name: &str, port: &str) -> Vec<SocketAddr> {
    let wanted = ServiceRef { namespace: namespace.into(), name: name.into(), port: 0 };
    let (slices, addresses) = of_slices(store, &wanted, port);
    if slices > 0 {
        return addresses;
    }
    let endpoints = store.get(&Key::new("endpoints", namespace, name));
    let endpoints = endpoints.and_then(|r| serde_json::from_slice::<Value>(&r.json).ok());
    endpoints.map(|endpoints| of_endpoints(&endpoints, port)).unwrap_or_default()
}

/// Where to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// An endpoint.
    Address(SocketAddr),
    /// A name that DNS knows.
    Host(String, u16),
}

/// The name of the Service's port with that number; a lone unnamed port is called "".
fn port_name(service: &Value, number: u16) -> Option<String> {
    let ports = service["spec"]["ports"].as_array()?;
    let port = ports.iter().find(|port| port["port"].as_u64() == Some(u64::from(number)))?;
    Some(port["name"].as_str().unwrap_or_default().to_string())
}

/// How many slices the Service has, and the ready addresses in them.
fn of_slices(store: &Store, wanted: &ServiceRef, port: &str) -> (usize, Vec<SocketAddr>) {
    let scope = Scope::namespaced("endpointslices.discovery.k8s.io", wanted.namespace.as_str());
    let snapshot = store.list(&scope);
    let mine = snapshot.iter().filter(|record| record.lifted.label(SERVICE_LABEL) == Some(wanted.name.as_str()));
    let mut addresses = Vec::new();
    let mut slices = 0;
    for record in mine {
        let Ok(slice) = serde_json::from_slice::<Value>(&record.json) else { continue };
        slices += 1;
        let Some(number) = number_of(&slice["ports"], port) else { continue };
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            // Unknown counts as ready.
            if endpoint["conditions"]["ready"] != Value::Bool(false) {
                addresses.extend(addresses_of(&endpoint["addresses"]).map(|ip| SocketAddr::new(ip, number)));
            }
        }
    }
    (slices, addresses)
}

fn of_endpoints(endpoints: &Value, port: &str) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for subset in endpoints["subsets"].as_array().into_iter().flatten() {
        let Some(number) = number_of(&subset["ports"], port) else { continue };
        let ips = subset["addresses"].as_array().into_iter().flatten().filter_map(|a| a["ip"].as_str()?.parse().ok());
        addresses.extend(ips.map(|ip: IpAddr| SocketAddr::new(ip, number)));
    }
    addresses
}

fn number_of(ports: &Value, name: &str) -> Option<u16> {
    let port = ports.as_array()?.iter().find(|port| port["name"].as_str().unwrap_or_default() == name)?;
    port["port"].as_u64().and_then(|p| u16::try_from(p).ok())
}

fn addresses_of(addresses: &Value) -> impl Iterator<Item = IpAddr> + '_ {
    addresses.as_array().into_iter().flatten().filter_map(|a| a.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hosts_of_services_are_told_from_others() {
        let found = ServiceRef::of_host("hook.tools.svc", 443);
        assert_eq!(found, Some(ServiceRef { namespace: "tools".into(), name: "hook".into(), port: 443 }));
        assert_eq!(ServiceRef::of_host("example.com", 443), None);
        let given = ServiceRef::of(&json!({ "namespace": "a", "name": "b" }));
        assert_eq!((given.host().as_str(), given.port), ("b.a.svc", 443));
    }

    #[test]
    fn ports_are_found_by_name_and_addresses_by_readiness() {
        let service = json!({ "spec": { "ports": [{ "port": 443, "name": "https" }, { "port": 80 }] } });
        assert_eq!(port_name(&service, 443).as_deref(), Some("https"));
        assert_eq!(port_name(&service, 80).as_deref(), Some(""));
        assert_eq!(port_name(&service, 81), None);
        let endpoints = json!({ "subsets": [{
            "addresses": [{ "ip": "10.0.0.1" }], "notReadyAddresses": [{ "ip": "10.0.0.2" }],
            "ports": [{ "name": "https", "port": 8443 }],
        }] });
        assert_eq!(of_endpoints(&endpoints, "https"), ["10.0.0.1:8443".parse().unwrap()]);
        assert!(of_endpoints(&endpoints, "http").is_empty());
    }
}
