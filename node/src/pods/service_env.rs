//! Variables that tell a container where Services are (`enableServiceLinks`), as kubelet and Docker links name them.

use crate::network::{Protocol, ServiceEntry, ServiceTable};

/// The Services a pod of `namespace` is told of: those of its namespace, and the API server's.
pub fn service_variables(table: &ServiceTable, namespace: &str, links: bool) -> Vec<(String, String)> {
    let mut services = if links { table.services_in(namespace) } else { Vec::new() };
    let api_server = table.service("default", "kubernetes");
    if let Some(api_server) = api_server.filter(|_| !(links && namespace == "default")) {
        services.retain(|service| service.name != api_server.name);
        services.push(api_server);
    }
    services.iter().flat_map(|service| variables(service)).collect()
}

fn variables(service: &ServiceEntry) -> Vec<(String, String)> {
    let (Some(address), Some(first)) = (service.cluster_ips.first(), service.ports.first()) else { return Vec::new() };
    let prefix = variable_name(&service.name);
    let host = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
    let mut list = vec![
        (format!("{prefix}_SERVICE_HOST"), address.to_string()),
        (format!("{prefix}_SERVICE_PORT"), first.port.to_string()),
    ];
    for port in service.ports.iter().filter(|port| !port.name.is_empty()) {
        list.push((format!("{prefix}_SERVICE_PORT_{}", variable_name(&port.name)), port.port.to_string()));
    }
    for (index, port) in service.ports.iter().enumerate() {
        let (upper, lower) = match port.protocol {
            Protocol::Tcp => ("TCP", "tcp"),
            Protocol::Udp => ("UDP", "udp"),
        };
        let url = format!("{lower}://{host}:{}", port.port);
        if index == 0 {
            list.push((format!("{prefix}_PORT"), url.clone()));
        }
        let prefix = format!("{prefix}_PORT_{}_{upper}", port.port);
        list.push((prefix.clone(), url));
        list.push((format!("{prefix}_PROTO"), lower.to_owned()));
        list.push((format!("{prefix}_PORT"), port.port.to_string()));
        list.push((format!("{prefix}_ADDR"), address.to_string()));
    }
    list
}

fn variable_name(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> ServiceTable {
        let cidr = |text: &str| text.parse().unwrap();
        let table = ServiceTable::new("n1", "127.0.0.1".parse().unwrap(), cidr("127.64.0.0/16"), cidr("127.96.0.0/16"));
        for (namespace, name, spec) in [
            ("default", "kubernetes", json!({"clusterIP": "127.96.0.1", "ports": [{"name": "https", "port": 443}]})),
            ("shop", "my-web", json!({"clusterIP": "127.96.0.9", "ports": [{"port": 80}]})),
            ("shop", "headless", json!({"clusterIP": "None", "ports": [{"port": 80}]})),
            ("other", "far", json!({"clusterIP": "127.96.0.8", "ports": [{"port": 80}]})),
        ] {
            let object = json!({"metadata": {"name": name, "namespace": namespace}, "spec": spec});
            table.apply_service(ServiceEntry::read(&serde_json::from_value(object).unwrap()));
        }
        table
    }

    #[test]
    fn names_and_values_are_kubelets() {
        let list = service_variables(&table(), "shop", true);
        let has = |name: &str, value: &str| {
            assert!(list.contains(&(name.to_owned(), value.to_owned())), "{name} in {list:?}")
        };
        has("MY_WEB_SERVICE_HOST", "127.96.0.9");
        has("MY_WEB_SERVICE_PORT", "80");
        has("MY_WEB_PORT", "tcp://127.96.0.9:80");
        has("MY_WEB_PORT_80_TCP_ADDR", "127.96.0.9");
        has("KUBERNETES_SERVICE_HOST", "127.96.0.1");
        has("KUBERNETES_SERVICE_PORT_HTTPS", "443");
        assert!(!list.iter().any(|(name, _)| name.starts_with("FAR") || name.starts_with("HEADLESS")));
    }

    #[test]
    fn without_links_only_the_api_server_is_named() {
        let list = service_variables(&table(), "shop", false);
        assert!(list.iter().all(|(name, _)| name.starts_with("KUBERNETES_")) && !list.is_empty());
    }
}
