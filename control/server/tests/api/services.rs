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

const ADDRESSES: &str = "/apis/networking.k8s.io/v1/ipaddresses";

async fn address_of(cluster: &Cluster, address: &str) -> Option<Value> {
    let answer = cluster.get(&format!("{ADDRESSES}/{address}")).await;
    (answer.code != 404).then(|| answer.ok())
}

#[tokio::test]
async fn an_address_is_an_object_as_long_as_its_service_has_it() {
    let cluster = Cluster::new().await;
    assert!(address_of(&cluster, "10.96.0.1").await.is_some(), "that of the API");
    let chosen = json!({ "clusterIP": "10.96.0.10", "ports": ports() });
    cluster.post(&format!("{SERVICES}?dryRun=All"), service("a", chosen.clone())).await.ok();
    assert_eq!(address_of(&cluster, "10.96.0.10").await, None);
    let created = cluster.post(SERVICES, service("a", chosen.clone())).await.ok();
    let address = address_of(&cluster, "10.96.0.10").await.unwrap();
    assert_eq!(
        (&address["spec"], &address["metadata"]["labels"]),
        (
            &json!({ "parentRef": { "resource": "services", "namespace": "default", "name": "a" } }),
            &json!({ "ipaddress.kubernetes.io/ip-family": "IPv4", "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io" })
        )
    );
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    assert_eq!(version(&address), version(&created), "one transaction");
    let external =
        json!({ "type": "ExternalName", "externalName": "example.com", "clusterIP": null, "clusterIPs": null });
    cluster.merge(&format!("{SERVICES}/a"), json!({ "spec": external })).await.ok();
    assert_eq!(address_of(&cluster, "10.96.0.10").await, None);
    cluster.post(SERVICES, service("b", chosen)).await.ok();
    assert!(address_of(&cluster, "10.96.0.10").await.is_some());
    cluster.delete(&format!("{SERVICES}/b")).await.ok();
    assert_eq!(address_of(&cluster, "10.96.0.10").await, None);
}

#[tokio::test]
async fn an_address_that_somebody_made_is_taken() {
    let cluster = Cluster::new().await;
    let address = |ip: &str| {
        json!({ "apiVersion": "networking.k8s.io/v1", "kind": "IPAddress", "metadata": { "name": ip },
            "spec": { "parentRef": { "group": "example.com", "resource": "machines", "name": "m" } } })
    };
    let on = |name: &str| service(name, json!({ "clusterIP": "10.96.0.33", "ports": ports() }));
    cluster.post(ADDRESSES, address("10.96.0.33")).await.ok();
    cluster.post(ADDRESSES, address("192.0.2.1")).await.ok();
    let refused = cluster.post(SERVICES, on("a")).await;
    assert!(refused.message().ends_with("failed to allocate IP 10.96.0.33: provided IP is already allocated"));
    cluster.delete(&format!("{ADDRESSES}/10.96.0.33")).await.ok();
    cluster.post(SERVICES, on("a")).await.ok();
    let exists = "ipaddresses.networking.k8s.io \"10.96.0.33\" already exists";
    cluster.post(ADDRESSES, address("10.96.0.33")).await.fails(409, exists);
    // Even without its object the address is the Service's, which gets another with its next version.
    cluster.delete(&format!("{ADDRESSES}/10.96.0.33")).await.ok();
    cluster.post(ADDRESSES, address("10.96.0.33")).await.fails(409, exists);
    assert_eq!(cluster.post(SERVICES, on("b")).await.code, 422);
    cluster.merge(&format!("{SERVICES}/a"), json!({ "metadata": { "labels": { "a": "b" } } })).await.ok();
    assert!(address_of(&cluster, "10.96.0.33").await.is_some());
}

#[tokio::test]
async fn services_of_older_servers_get_their_addresses_as_objects() {
    let cluster = Cluster::new().await;
    cluster.post(SERVICES, service("a", json!({ "clusterIP": "10.96.0.10", "ports": ports() }))).await.ok();
    for address in ["10.96.0.1", "10.96.0.10"] {
        cluster.delete(&format!("{ADDRESSES}/{address}")).await.ok();
    }
    coracle_server::Server::new(cluster.store.clone(), crate::support::config(), Default::default()).await.unwrap();
    for address in ["10.96.0.1", "10.96.0.10"] {
        assert!(address_of(&cluster, address).await.is_some(), "{address}");
    }
}

#[tokio::test]
async fn warnings_are_about_a_new_object_with_its_defaults() {
    let cluster = Cluster::new().await;
    let headless =
        |name: &str| service(name, json!({ "clusterIP": "None", "ports": ports(), "externalIPs": ["192.0.2.7"] }));
    let expected = ["299 - \"spec.externalIPs is ignored for headless services\""];
    assert_eq!(cluster.post(SERVICES, headless("a")).await.warnings(), expected);
    let applied = cluster.patch(&format!("{SERVICES}/b?fieldManager=m"), "apply-patch+yaml", headless("b")).await;
    assert_eq!((applied.code, applied.warnings()), (201, expected.map(String::from).to_vec()));
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
