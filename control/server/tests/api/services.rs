//! Service addresses and node ports.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{Cluster, SERVICES, service};

fn ports() -> Value {
    json!([{ "port": 80 }])
}

#[tokio::test]
async fn the_cluster_has_a_service_that_leads_to_the_server() {
    let cluster = Cluster::new().await;
    let kubernetes = cluster.get(&format!("{SERVICES}/kubernetes")).await.ok();
    assert_eq!(kubernetes["spec"]["clusterIP"], "10.96.0.1");
    let slice = cluster.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes").await.ok();
    assert_eq!(
        (&slice["endpoints"][0]["addresses"][0], &slice["ports"][0]["port"]),
        (&json!("192.0.2.1"), &json!(6443))
    );
    for namespace in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        assert_eq!(cluster.get(&format!("/api/v1/namespaces/{namespace}")).await.ok()["status"]["phase"], "Active");
    }
}

#[tokio::test]
async fn many_at_once_never_share_an_address_or_a_port() {
    let cluster = Arc::new(Cluster::new().await);
    let create = (0..10).map(|n| {
        let cluster = cluster.clone();
        tokio::spawn(async move {
            cluster
                .post(SERVICES, service(&format!("s{n}"), json!({ "type": "NodePort", "ports": ports() })))
                .await
                .ok()
        })
    });
    let created: Vec<Value> = futures::future::join_all(create).await.into_iter().map(Result::unwrap).collect();
    let addresses: HashSet<&str> = created.iter().map(|s| s["spec"]["clusterIP"].as_str().unwrap()).collect();
    let ports: HashSet<u64> = created.iter().map(|s| s["spec"]["ports"][0]["nodePort"].as_u64().unwrap()).collect();
    assert_eq!((addresses.len(), ports.len()), (10, 10));
    // All ten ports of the range are taken now.
    let full = cluster.post(SERVICES, service("full", json!({ "type": "NodePort", "ports": [{ "port": 80 }] }))).await;
    assert_eq!(full.code, 422);
    cluster.delete(&format!("{SERVICES}/s3")).await.ok();
    cluster.post(SERVICES, service("full", json!({ "type": "NodePort", "ports": [{ "port": 80 }] }))).await.ok();
}

#[tokio::test]
async fn chosen_addresses_and_ports_are_checked() {
    let cluster = Cluster::new().await;
    let chosen = |ip: &str| json!({ "clusterIP": ip, "ports": ports() });
    cluster.post(SERVICES, service("a", chosen("10.96.0.10"))).await.ok();
    cluster.post(SERVICES, service("b", chosen("10.96.0.10"))).await.fails(
        422,
        "Service \"b\" is invalid: spec.clusterIPs: Invalid value: [\"10.96.0.10\"]: failed to allocate IP 10.96.0.10: provided IP is already allocated",
    );
    cluster.post(SERVICES, service("b", chosen("10.97.0.10"))).await.fails(
        422,
        "Service \"b\" is invalid: spec.clusterIPs: Invalid value: [\"10.97.0.10\"]: failed to allocate IP 10.97.0.10: the provided IP (10.97.0.10) is not in the valid range. The range of valid IPs is 10.96.0.0/24",
    );
    let port = |n: u16| json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": n }] });
    cluster.post(SERVICES, service("c", port(30_001))).await.ok();
    cluster.post(SERVICES, service("d", port(30_001))).await.fails(
        422,
        "Service \"d\" is invalid: spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated",
    );
}

#[tokio::test]
async fn a_refused_or_tried_service_takes_nothing() {
    let cluster = Cluster::new().await;
    let body = || {
        service(
            "a",
            json!({ "clusterIP": "10.96.0.20", "type": "NodePort", "ports": [{ "port": 80, "nodePort": 30_005 }] }),
        )
    };
    cluster.post(&format!("{SERVICES}?dryRun=All"), body()).await.ok();
    let taken = service(
        "x",
        json!({ "clusterIP": "10.96.0.20", "type": "NodePort", "ports": [{ "port": 80, "nodePort": 1 }] }),
    );
    assert_eq!(cluster.post(SERVICES, taken).await.code, 422);
    cluster.post(SERVICES, body()).await.ok();
}

#[tokio::test]
async fn headless_and_external_services_have_no_address() {
    let cluster = Cluster::new().await;
    let headless = cluster.post(SERVICES, service("h", json!({ "clusterIP": "None", "ports": ports() }))).await.ok();
    assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
    let external = cluster
        .post(SERVICES, service("e", json!({ "type": "ExternalName", "externalName": "example.com" })))
        .await
        .ok();
    assert!(external["spec"].get("clusterIP").is_none());
}

#[tokio::test]
async fn an_update_keeps_what_it_does_not_mention() {
    let cluster = Cluster::new().await;
    let created = cluster.post(SERVICES, service("a", json!({ "ports": ports() }))).await.ok();
    let again = cluster.put(&format!("{SERVICES}/a"), service("a", json!({ "ports": [{ "port": 81 }] }))).await.ok();
    assert_eq!(again["spec"]["clusterIP"], created["spec"]["clusterIP"]);
    let opened = cluster.merge(&format!("{SERVICES}/a"), json!({ "spec": { "type": "NodePort" } })).await.ok();
    assert!(opened["spec"]["ports"][0]["nodePort"].is_u64());
}

#[tokio::test]
async fn a_restarted_server_knows_what_is_taken() {
    let cluster = Cluster::new().await;
    cluster.post(SERVICES, service("a", json!({ "clusterIP": "10.96.0.10", "ports": ports() }))).await.ok();
    let second =
        coracle_server::Server::new(cluster.store.clone(), crate::support::config(), Default::default()).await.unwrap();
    let client = second.client("admin", &["system:masters"]);
    let request = http::Request::post(SERVICES).header("content-type", "application/json");
    let body = service("b", json!({ "clusterIP": "10.96.0.10", "ports": ports() })).to_string();
    let refused = client.request::<Value>(request.body(body.into_bytes()).unwrap()).await.unwrap_err();
    assert!(refused.to_string().contains("provided IP is already allocated"), "{refused}");
}
