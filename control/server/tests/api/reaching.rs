//! `proxy`: what tenants write leads to pods, and never to this machine, its neighbours, or a cloud's metadata.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::response::IntoResponse;
use axum::routing::any;
use coracle_store::{Expect, Key, Object, Txn};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Cluster, PODS, SERVICES, pod, request, service};
use crate::wire::tuned;

const NODES: &str = "/api/v1/nodes";
const REFUSED: &str = "address not allowed";

/// Nobody is to be sent there, however it is written.
const FORBIDDEN: [&str; 24] = [
    "127.0.0.1",
    "127.0.0.53",
    "127.9.9.8",
    "127.255.255.254",
    "0.0.0.0",
    "0.0.0.1",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:0.0.0.0",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "169.254.169.254",
    "169.254.170.2",
    "::ffff:169.254.169.254",
    "fe80::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
];

/// A cluster of one machine, whose pods have loopback addresses, with a server at each of some of them.
async fn cluster() -> Cluster {
    Cluster::with(tuned(|config| config.pod_cidr = Some("127.9.0.0/17".parse().unwrap())), |_| {}).await
}

/// Something that listens and counts; its port.
async fn listener(address: &str) -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind((address, 0)).await.unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counting = count.clone();
    let router = axum::Router::new().fallback(any(move |request: axum::extract::Request| async move {
        counting.fetch_add(1, Ordering::Relaxed);
        match request.uri().path() {
            "/away" => (http::StatusCode::FOUND, [("location", "http://127.0.0.1:1/secret")]).into_response(),
            path => path.to_owned().into_response(),
        }
    }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (port, count)
}

async fn put(cluster: &Cluster, key: Key, object: Value) {
    let object = Object::from_json(object.to_string().into_bytes()).unwrap();
    cluster.store.commit(Txn::put(key, object, Expect::Any)).await.unwrap();
}

/// Written past validation, which has words of its own about most of these: there may be older objects, and other ways.
async fn slice(cluster: &Cluster, address: &str, port: u16) {
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": "s", "namespace": "default", "uid": "u", "labels": { "kubernetes.io/service-name": "s" },
        },
        "addressType": if address.contains(':') { "IPv6" } else { "IPv4" },
        "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }],
        "ports": [{ "name": "", "port": port, "protocol": "TCP" }],
    });
    put(cluster, Key::new("endpointslices.discovery.k8s.io", "default", "s"), slice).await;
}

async fn address(cluster: &Cluster, pod: &str, ip: &str) -> u16 {
    let status = json!({ "status": { "phase": "Running", "podIP": ip, "podIPs": [{ "ip": ip }] } });
    cluster.merge(&format!("{PODS}/{pod}/status"), status).await.code
}

#[tokio::test]
async fn a_pods_status_leads_to_pods() {
    let cluster = cluster().await;
    cluster.post(PODS, pod("p")).await.ok();
    let (port, _) = listener("127.9.9.9").await;
    assert_eq!(address(&cluster, "p", "127.9.9.9").await, 200);
    assert_eq!(cluster.get(&format!("{PODS}/p:{port}/proxy/here")).await.text(), "/here");
    let mut tried = 0;
    for ip in FORBIDDEN.into_iter().filter(|ip| *ip != "127.9.9.8") {
        if address(&cluster, "p", ip).await != 200 {
            continue;
        }
        tried += 1;
        for name in ["p", "p:80", "https:p:443"] {
            let answer = cluster.get(&format!("{PODS}/{name}/proxy/")).await;
            assert_eq!((answer.code, answer.message()), (400, REFUSED), "{ip}");
        }
    }
    assert!(tried > 10, "statuses may say so");
    // A pod without an address is nowhere.
    cluster.post(PODS, pod("q")).await.ok();
    cluster.get(&format!("{PODS}/q/proxy/")).await.fails(400, REFUSED);
}

#[tokio::test]
async fn endpoints_lead_to_pods() {
    let cluster = cluster().await;
    cluster.post(SERVICES, service("s", json!({ "ports": [{ "port": 80 }] }))).await.ok();
    let (port, seen) = listener("127.0.0.1").await;
    for ip in FORBIDDEN {
        slice(&cluster, ip, port).await;
        for name in ["s", "s:80", "https:s:80"] {
            let answer = cluster.get(&format!("{SERVICES}/{name}/proxy/")).await;
            assert_eq!((answer.code, answer.message()), (400, REFUSED), "{ip}");
        }
        // The same by an Endpoints of old, without slices.
        cluster
            .store
            .commit(Txn::delete(Key::new("endpointslices.discovery.k8s.io", "default", "s"), Expect::Any, None))
            .await
            .unwrap();
        let endpoints = json!({
            "apiVersion": "v1", "kind": "Endpoints", "metadata": { "name": "s", "namespace": "default", "uid": "u" },
            "subsets": [{ "addresses": [{ "ip": ip }], "ports": [{ "port": port }] }],
        });
        put(&cluster, Key::new("endpoints", "default", "s"), endpoints).await;
        cluster.get(&format!("{SERVICES}/s/proxy/")).await.fails(400, REFUSED);
    }
    assert_eq!(seen.load(Ordering::Relaxed), 0);
    // The address of a pod here is all right, and that of a pod elsewhere, or of none, is not.
    let (port, seen) = listener("127.9.9.9").await;
    slice(&cluster, "127.9.9.9", port).await;
    cluster.get(&format!("{SERVICES}/s/proxy/")).await.fails(400, REFUSED);
    cluster.post(PODS, pod("p")).await.ok();
    address(&cluster, "p", "127.9.9.9").await;
    assert_eq!(cluster.get(&format!("{SERVICES}/s/proxy/")).await.text(), "/");
    // In another spelling it is the same one.
    slice(&cluster, "::ffff:127.9.9.9", port).await;
    assert_eq!(cluster.get(&format!("{SERVICES}/s/proxy/")).await.text(), "/");
    assert_eq!(seen.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn the_node_of_a_pod_is_no_pod() {
    let cluster = Cluster::new().await;
    let node = json!({
        "metadata": { "name": "n" },
        "status": { "addresses": [{ "type": "InternalIP", "address": "127.44.0.1" }] },
    });
    cluster.post(NODES, node).await.ok();
    let mut bound = pod("p");
    bound["spec"]["nodeName"] = json!("n");
    cluster.post(PODS, bound).await.ok();
    // Out of the network of its node, though the server does not know which part of that is for pods.
    let (port, _) = listener("127.44.0.2").await;
    address(&cluster, "p", "127.44.0.2").await;
    assert_eq!(cluster.get(&format!("{PODS}/p:{port}/proxy/x")).await.text(), "/x");
    for ip in ["127.44.0.1", "127.45.0.2", "127.0.0.2"] {
        address(&cluster, "p", ip).await;
        cluster.get(&format!("{PODS}/p:{port}/proxy/x")).await.fails(400, REFUSED);
    }
}

#[tokio::test]
async fn names_of_other_hosts_lead_nowhere() {
    let cluster = cluster().await;
    for host in ["localhost", "metadata.google.internal", "127.0.0.1.example.com"] {
        cluster.delete(&format!("{SERVICES}/out")).await;
        cluster.post(SERVICES, service("out", json!({ "type": "ExternalName", "externalName": host }))).await.ok();
        let answer = cluster.get(&format!("{SERVICES}/out:80/proxy/")).await;
        assert_eq!(answer.code, 503, "{host}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_node_is_where_nodes_may_be() {
    let cluster = cluster().await;
    let (port, seen) = listener("127.0.0.1").await;
    let others = ["localhost", "127.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254", "0.0.0.0", "::ffff:127.0.0.1"];
    for (index, host) in others.into_iter().enumerate() {
        let name = format!("n{index}");
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "uid": "u" },
            "status": {
                "addresses": [{ "type": "InternalIP", "address": host }],
                "daemonEndpoints": { "kubeletEndpoint": { "Port": port } },
            },
        });
        put(&cluster, Key::new("nodes", "", name.as_str()), node).await;
        for asked in [name.clone(), format!("{name}:{port}"), format!("https:{name}:{port}")] {
            let answer = cluster.get(&format!("{NODES}/{asked}/proxy/pods")).await;
            assert_eq!((answer.code, answer.message()), (400, REFUSED), "{host}");
        }
        cluster.get(&format!("{NODES}/{name}:22/proxy/")).await.fails(400, REFUSED);
    }
    assert_eq!(seen.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn redirects_are_the_clients_to_follow() {
    let cluster = cluster().await;
    cluster.post(PODS, pod("p")).await.ok();
    let (port, seen) = listener("127.9.9.9").await;
    address(&cluster, "p", "127.9.9.9").await;
    for method in [Method::GET, Method::POST] {
        let answer = cluster.send(request(method, &format!("{PODS}/p:{port}/proxy/away"), Value::Null)).await;
        assert_eq!(answer.code, 302);
        assert_eq!(answer.headers["location"], "http://127.0.0.1:1/secret");
    }
    assert_eq!(seen.load(Ordering::Relaxed), 2);
    // A path that looks like another server's is a path.
    for path in
        ["//169.254.169.254/latest", "/@169.254.169.254/", "/..%2f..%2fx", "/%00", "/%2e%2e/x", "/http://127.0.0.1/"]
    {
        let answer = cluster.get(&format!("{PODS}/p:{port}/proxy{path}")).await;
        assert_eq!((answer.code, answer.text().as_str()), (200, path));
    }
    // Names with more in them than a name, a port and a scheme.
    for name in ["p:80:80:80", "p:x", "p:99999", "p:-1", "p@169.254.169.254", "p%2f..%2fq", "http:p:80%2f", ":p:80%00"]
    {
        let answer = cluster.get(&format!("{PODS}/{name}/proxy/")).await;
        assert!((400..500).contains(&answer.code), "{name}: {} {}", answer.code, answer.text());
    }
}
