//! `metrics.k8s.io`: made from pods and nodes, and from what a node says.

use axum::routing::get;
use axum::{Json, Router};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Cluster, PODS, pod, request};

const METRICS: &str = "/apis/metrics.k8s.io/v1beta1";

/// A pod that runs on node `n`.
async fn running(cluster: &Cluster, name: &str) {
    let mut object = pod(name);
    object["metadata"]["labels"] = json!({ "app": name });
    object["spec"]["nodeName"] = json!("n");
    cluster.post(PODS, object).await.ok();
    let status = json!({ "status": { "phase": "Running" } });
    cluster.patch(&format!("{PODS}/{name}/status"), "strategic-merge-patch+json", status).await.ok();
}

fn stats(name: &str, nano_cores: Option<u64>) -> Value {
    let time = "2026-01-01T00:00:00.5Z";
    let container = json!({
        "name": "main",
        "cpu": { "time": time, "usageNanoCores": nano_cores, "usageCoreNanoSeconds": 9 },
        "memory": { "time": time, "workingSetBytes": 3 << 20 },
    });
    json!({ "podRef": { "name": name, "namespace": "default", "uid": "u" }, "containers": [container] })
}

async fn measured() -> Cluster {
    let cluster = Cluster::new().await;
    let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n", "labels": { "zone": "a" } } });
    cluster.post("/api/v1/nodes", node).await.ok();
    for name in ["a", "b", "new"] {
        running(&cluster, name).await;
    }
    let node = json!({
        "nodeName": "n",
        "cpu": { "time": "2026-01-01T00:00:00Z", "usageNanoCores": 1_500_000_000 },
        "memory": { "workingSetBytes": 1 << 30 },
    });
    let summary =
        json!({ "node": node, "pods": [stats("a", Some(250_000_000)), stats("b", Some(1)), stats("new", None)] });
    let answer = move || std::future::ready(Json(summary.clone()));
    cluster.nodes.register("n", Router::new().route("/stats/summary", get(answer)));
    cluster
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pods_and_nodes_are_measured() {
    let cluster = measured().await;
    let one = cluster.get(&format!("{METRICS}/namespaces/default/pods/a")).await.ok();
    assert_eq!(one["containers"], json!([{ "name": "main", "usage": { "cpu": "250m", "memory": "3Mi" } }]));
    assert_eq!((&one["kind"], &one["timestamp"]), (&json!("PodMetrics"), &json!("2026-01-01T00:00:00Z")));
    assert_eq!(one["metadata"]["labels"], json!({ "app": "a" }));
    let list = |path: &str| {
        let path = format!("{METRICS}/{path}");
        let cluster = &cluster;
        async move { cluster.get(&path).await.ok() }
    };
    let all = list("pods").await;
    assert_eq!((&all["kind"], names(&all)), (&json!("PodMetricsList"), vec!["a", "b"]), "{all}");
    assert_eq!(names(&list("namespaces/default/pods?labelSelector=app%3Db").await), ["b"]);
    assert_eq!(names(&list("pods?fieldSelector=metadata.name%3Da").await), ["a"]);
    assert!(names(&list("namespaces/other/pods").await).is_empty());
    let nodes = list("nodes?labelSelector=zone%3Da").await;
    assert_eq!(nodes["items"][0]["usage"], json!({ "cpu": "1500m", "memory": "1Gi" }));
    assert!(names(&list("nodes?labelSelector=zone%3Db").await).is_empty());
    let table = cluster.get_as(&format!("{METRICS}/pods"), "application/json;as=Table;v=v1;g=meta.k8s.io").await.ok();
    assert_eq!(table["rows"][0]["cells"], json!(["a", "250000000n", "3072Ki", "5s"]));
}

#[tokio::test]
async fn what_is_not_measured_is_not_there() {
    let cluster = measured().await;
    let get = |name: &str| {
        let path = format!("{METRICS}/namespaces/default/pods/{name}");
        let cluster = &cluster;
        async move { cluster.get(&path).await }
    };
    for name in ["new", "absent"] {
        get(name).await.fails(404, &format!("podmetrics.metrics.k8s.io \"default/{name}\" not found"));
    }
    cluster.get(&format!("{METRICS}/nodes/x")).await.fails(404, "nodemetrics.metrics.k8s.io \"x\" not found");
    cluster.nodes.unregister("n");
    get("a").await.fails(404, "podmetrics.metrics.k8s.io \"default/a\" not found");
    assert_eq!(cluster.post(&format!("{METRICS}/nodes"), json!({})).await.code, 405);
}

#[tokio::test]
async fn it_is_discovered_and_guarded_like_everything_else() {
    let cluster = measured().await;
    let list = cluster.get(METRICS).await.ok();
    let resources: Vec<_> = list["resources"].as_array().unwrap().iter().map(|it| (&it["name"], &it["kind"])).collect();
    let (nodes, pods) = ((json!("nodes"), json!("NodeMetrics")), (json!("pods"), json!("PodMetrics")));
    assert_eq!(resources, [(&nodes.0, &nodes.1), (&pods.0, &pods.1)]);
    let service = cluster.get("/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io").await.ok();
    assert_eq!(service["spec"]["groupPriorityMinimum"], 100);
    assert_eq!(service["status"]["conditions"][0]["reason"], "Local");
    let mut as_jane = request(Method::GET, &format!("{METRICS}/namespaces/default/pods"), Value::Null);
    as_jane.extensions_mut().insert(coracle_server::User::new("jane", []));
    cluster.send(as_jane).await.fails(
        403,
        "pods.metrics.k8s.io is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"metrics.k8s.io\" in the namespace \"default\"",
    );
}
