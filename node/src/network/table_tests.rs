//! Routing over a table filled by hand.

use std::collections::BTreeSet;

use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use serde_json::{Value, json};

use super::*;

fn table() -> ServiceTable {
    let cidr = |text: &str| text.parse().unwrap();
    ServiceTable::new("n1", "127.0.0.1".parse().unwrap(), cidr("127.64.0.0/16"), cidr("127.96.0.0/16"))
}

fn service(table: &ServiceTable, spec: Value) {
    let object = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec});
    table.apply_service(ServiceEntry::read(&serde_json::from_value::<Service>(object).unwrap()));
}

fn slice(table: &ServiceTable, name: &str, endpoints: Value) {
    let object = json!({
        "metadata": {"name": name, "namespace": "shop"}, "addressType": "IPv4",
        "endpoints": endpoints, "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
    });
    let read = SliceEntry::read(&serde_json::from_value::<EndpointSlice>(object).unwrap());
    table.apply_slice(&key("shop", name), Some(key("shop", "web")), read);
}

fn cluster_ip() -> Value {
    json!({"clusterIP": "127.96.0.9", "clusterIPs": ["127.96.0.9"], "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]})
}

fn endpoint(address: &str, ready: bool, node: &str) -> Value {
    json!({"addresses": [address], "conditions": {"ready": ready}, "nodeName": node})
}

fn reached(table: &ServiceTable, to: &str) -> BTreeSet<String> {
    let client = "127.64.0.200".parse().unwrap();
    let to = to.parse().unwrap();
    (0..20).filter_map(|_| table.route(client, to).ok()).map(|address| address.to_string()).collect()
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

#[test]
fn connections_go_round_the_ready_endpoints_of_all_slices() {
    let table = table();
    service(&table, cluster_ip());
    slice(&table, "web-a", json!([endpoint("127.64.0.2", true, "n1"), endpoint("127.64.0.3", false, "n1")]));
    slice(&table, "web-b", json!([endpoint("127.64.0.4", true, "n2")]));
    assert_eq!(reached(&table, "127.96.0.9:80"), set(&["127.64.0.2:8080", "127.64.0.4:8080"]));
    assert_eq!(reached(&table, "127.0.0.1:30080"), set(&["127.64.0.2:8080", "127.64.0.4:8080"]));
    table.remove_slice("shop/web-b");
    assert_eq!(reached(&table, "127.96.0.9:80"), set(&["127.64.0.2:8080"]));
}

#[test]
fn nobody_ready_or_no_such_port_is_refused() {
    let table = table();
    let client = "127.64.0.200".parse().unwrap();
    service(&table, cluster_ip());
    for to in ["127.96.0.9:80", "127.96.0.9:81", "127.96.7.7:80"] {
        assert_eq!(table.route(client, to.parse().unwrap()), Err(NetworkError::Refused), "{to}");
    }
    slice(&table, "web-a", json!([endpoint("127.64.0.2", true, "n1")]));
    assert!(table.route(client, "127.96.0.9:80".parse().unwrap()).is_ok());
    table.remove_service("shop/web");
    assert_eq!(table.route(client, "127.96.0.9:80".parse().unwrap()), Err(NetworkError::Refused));
    assert!(table.answered_frontends().is_empty());
}

#[test]
fn endpoints_that_still_serve_while_ending_are_the_last_resort() {
    let table = table();
    service(&table, cluster_ip());
    let ending =
        json!({"addresses": ["127.64.0.5"], "conditions": {"ready": false, "serving": true, "terminating": true}});
    slice(&table, "web-a", json!([ending.clone()]));
    assert_eq!(reached(&table, "127.96.0.9:80"), set(&["127.64.0.5:8080"]));
    slice(&table, "web-a", json!([ending, endpoint("127.64.0.2", true, "n1")]));
    assert_eq!(reached(&table, "127.96.0.9:80"), set(&["127.64.0.2:8080"]));
}

#[test]
fn a_local_traffic_policy_stays_on_the_node() {
    let table = table();
    let mut spec = cluster_ip();
    spec["internalTrafficPolicy"] = "Local".into();
    service(&table, spec);
    slice(&table, "web-a", json!([endpoint("127.64.0.2", true, "n1"), endpoint("127.64.0.4", true, "n2")]));
    assert_eq!(reached(&table, "127.96.0.9:80"), set(&["127.64.0.2:8080"]));
    assert_eq!(reached(&table, "127.0.0.1:30080").len(), 2);
}

#[test]
fn client_affinity_keeps_one_endpoint_over_changes_elsewhere() {
    let table = table();
    let mut spec = cluster_ip();
    spec["sessionAffinity"] = "ClientIP".into();
    service(&table, spec);
    slice(&table, "web-a", json!([endpoint("127.64.0.2", true, "n1"), endpoint("127.64.0.4", true, "n2")]));
    let first = reached(&table, "127.96.0.9:80");
    assert_eq!(first.len(), 1);
    slice(&table, "web-b", json!([endpoint("127.64.0.6", true, "n2")]));
    assert_eq!(reached(&table, "127.96.0.9:80"), first);
}

#[test]
fn guests_do_not_reach_the_hosts_loopback() {
    let table = table();
    let client = "127.64.0.200".parse().unwrap();
    assert_eq!(table.route(client, "127.0.0.53:53".parse().unwrap()), Err(NetworkError::Unreachable));
    for open in ["127.64.0.9:80", "127.0.0.1:6443", "192.0.2.1:443"] {
        assert_eq!(table.route(client, open.parse().unwrap()), Ok(open.parse().unwrap()));
    }
}

#[test]
fn a_headless_service_has_names_but_no_frontend() {
    let table = table();
    service(&table, json!({"clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 80}]}));
    let mut named = endpoint("127.64.0.2", true, "n1");
    named["hostname"] = "web-0".into();
    slice(&table, "web-a", json!([named, endpoint("127.64.0.3", false, "n1"), endpoint("127.64.0.4", true, "n1")]));
    assert!(table.answered_frontends().is_empty());
    let entry = table.service("shop", "web").unwrap();
    let addresses =
        |hostname| table.endpoint_addresses(&entry, hostname).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(addresses(None), ["127.64.0.2", "127.64.0.4"]);
    assert_eq!(addresses(Some("web-0")), ["127.64.0.2"]);
    assert!(addresses(Some("web-1")).is_empty());
}
