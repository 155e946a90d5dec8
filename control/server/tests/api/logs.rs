//! Logs: what the server checks itself, and what it passes on to the node.

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::routing::get;
use serde_json::{Value, json};

use crate::support::{Cluster, PODS, pod};

pub async fn running(cluster: &Cluster, state: Value) {
    cluster.post(PODS, pod("p")).await.ok();
    let binding = json!({ "apiVersion": "v1", "kind": "Binding", "target": { "kind": "Node", "name": "n" } });
    cluster.post(&format!("{PODS}/p/binding"), binding).await.ok();
    let container =
        json!({ "name": "main", "image": "x", "imageID": "", "ready": true, "restartCount": 0, "state": state });
    let status = json!({ "status": { "phase": "Running", "containerStatuses": [container] } });
    cluster.patch(&format!("{PODS}/p/status"), "strategic-merge-patch+json", status).await.ok();
}

#[tokio::test]
async fn the_node_is_asked_and_its_answer_passed_on() {
    let cluster = Cluster::new().await;
    running(&cluster, json!({ "running": { "startedAt": "2026-01-01T00:00:00Z" } })).await;
    assert_eq!(cluster.get(&format!("{PODS}/p/log")).await.code, 500);
    let answer = async |Path((ns, pod, container)): Path<(String, String, String)>, RawQuery(query): RawQuery| {
        format!("{ns}/{pod}/{container}?{}", query.unwrap_or_default())
    };
    cluster.nodes.register("n", Router::new().route("/containerLogs/{ns}/{pod}/{container}", get(answer)));
    let log = cluster.get(&format!("{PODS}/p/log?tailLines=5&other=1&sinceTime=2026-01-01T00:00:00Z")).await;
    assert_eq!(log.text(), "default/p/main?previous=false&tailLines=5&sinceTime=2026-01-01T00%3A00%3A00Z");
    cluster.get(&format!("{PODS}/p/log?container=x")).await.fails(400, "container x is not valid for pod p");
    cluster
        .get(&format!("{PODS}/p/log?previous=true"))
        .await
        .fails(400, "previous terminated container \"main\" in pod \"p\" not found");
    assert_eq!(cluster.get(&format!("{PODS}/p/log?tailLines=-1")).await.code, 422);
}

#[tokio::test]
async fn a_container_that_has_not_started_says_why() {
    let cluster = Cluster::new().await;
    running(&cluster, json!({ "waiting": { "reason": "ContainerCreating" } })).await;
    cluster
        .get(&format!("{PODS}/p/log"))
        .await
        .fails(400, "container \"main\" in pod \"p\" is waiting to start: ContainerCreating");
}

#[tokio::test]
async fn a_pod_without_a_node_has_said_nothing() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    let log = cluster.get(&format!("{PODS}/p/log")).await;
    assert_eq!((log.code, log.text()), (200, String::new()));
}
