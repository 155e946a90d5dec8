//! `kubectl get services`.

use serde_json::{Value, json};

use crate::catalog::{Column, RowCells};
use crate::kinds::json::{integer, list, text};
use crate::kinds::table::{AGE, NONE, age, column, map, or_none, wide};

pub(super) const COLUMNS: &[Column] = &[
    column(
        "Type",
        "type determines how the Service is exposed. Defaults to ClusterIP. Valid options are ExternalName, ClusterIP, \
         NodePort, and LoadBalancer. More info: \
         https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types",
    ),
    column(
        "Cluster-IP",
        "clusterIP is the IP address of the service and is usually assigned randomly. More info: \
         https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies",
    ),
    column(
        "External-IP",
        "externalIPs is a list of IP addresses for which nodes in the cluster will also accept traffic for this \
         service. These IPs are not managed by Kubernetes.",
    ),
    column(
        "Port(s)",
        "The list of ports that are exposed by this service. More info: \
         https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies",
    ),
    AGE,
    wide(
        "Selector",
        "Route service traffic to pods with label keys and values matching this selector. If empty or not present, the \
         service is assumed to have an external process managing its endpoints, which Kubernetes will not modify. Only \
         applies to types ClusterIP, NodePort, and LoadBalancer. Ignored if type is ExternalName. More info: \
         https://kubernetes.io/docs/concepts/services-networking/service/",
    ),
];

pub(super) fn cells(service: &Value, now_seconds: i64) -> RowCells {
    let cells = vec![
        json!(text(service, "spec.type")),
        or_none(text(service, "spec.clusterIP")),
        json!(external_address(service)),
        or_none(&ports(service)),
        age(service, now_seconds),
        json!(map(service.pointer("/spec/selector"))),
    ];
    RowCells { cells }
}

fn external_address(service: &Value) -> String {
    let mut addresses: Vec<&str> = list(service, "spec.externalIPs").iter().filter_map(Value::as_str).collect();
    match text(service, "spec.type") {
        "ClusterIP" | "NodePort" if addresses.is_empty() => NONE.to_string(),
        "ClusterIP" | "NodePort" => addresses.join(","),
        "LoadBalancer" => {
            let mut balancers: Vec<&str> = list(service, "status.loadBalancer.ingress").iter().map(ingress).collect();
            balancers.sort_unstable();
            balancers.append(&mut addresses);
            balancers.retain(|address| !address.is_empty());
            if balancers.is_empty() { "<pending>".to_string() } else { balancers.join(",") }
        }
        "ExternalName" => text(service, "spec.externalName").to_string(),
        _ => "<unknown>".to_string(),
    }
}

fn ingress(entry: &Value) -> &str {
    match text(entry, "ip") {
        "" => text(entry, "hostname"),
        address => address,
    }
}

fn ports(service: &Value) -> String {
    let one = |port: &Value| match (integer(port, "port"), integer(port, "nodePort"), text(port, "protocol")) {
        (port, 0, protocol) => format!("{port}/{protocol}"),
        (port, node_port, protocol) => format!("{port}:{node_port}/{protocol}"),
    };
    list(service, "spec.ports").iter().map(one).collect::<Vec<_>>().join(",")
}
