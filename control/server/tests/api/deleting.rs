//! DELETE: grace, finalizers, dependents, preconditions, collections, namespaces.

use serde_json::{Value, json};

use crate::support::{Cluster, MAPS, PODS, map, pod};

#[tokio::test]
async fn an_ordinary_object_is_gone_and_a_status_says_so() {
    let cluster = Cluster::new().await;
    let uid = cluster.post(MAPS, map("a", json!({}))).await.ok()["metadata"]["uid"].clone();
    let status = cluster.delete(&format!("{MAPS}/a")).await.ok();
    assert_eq!((&status["status"], &status["details"]["uid"]), (&json!("Success"), &uid));
    cluster.delete(&format!("{MAPS}/a")).await.fails(404, "configmaps \"a\" not found");
}

async fn bound(cluster: &Cluster) {
    cluster.post(PODS, pod("p")).await.ok();
    let binding = json!({ "apiVersion": "v1", "kind": "Binding", "target": { "kind": "Node", "name": "n" } });
    cluster.post(&format!("{PODS}/p/binding"), binding).await.ok();
}

#[tokio::test]
async fn a_pod_on_a_node_stays_until_the_node_lets_it_go() {
    let cluster = Cluster::new().await;
    bound(&cluster).await;
    let path = format!("{PODS}/p");
    let going = cluster.delete(&path).await.ok();
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 30);
    assert!(going["metadata"]["deletionTimestamp"].is_string());
    let sooner = cluster.delete(&format!("{path}?gracePeriodSeconds=5")).await.ok();
    assert_eq!(sooner["metadata"]["deletionGracePeriodSeconds"], 5);
    let unchanged = cluster.delete(&format!("{path}?gracePeriodSeconds=20")).await.ok();
    assert_eq!(unchanged["metadata"]["resourceVersion"], sooner["metadata"]["resourceVersion"]);
    let uid = sooner["metadata"]["uid"].clone();
    let wrong = json!({ "kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "preconditions": { "uid": "other" } });
    assert_eq!(cluster.delete_with(&path, wrong).await.code, 409);
    let right = json!({ "gracePeriodSeconds": 0, "preconditions": { "uid": uid } });
    assert_eq!(cluster.delete_with(&path, right).await.ok()["kind"], "Pod");
    assert_eq!(cluster.get(&path).await.code, 404);
}

#[tokio::test]
async fn a_pod_without_a_node_goes_at_once() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    cluster.delete(&format!("{PODS}/p")).await.ok();
    assert_eq!(cluster.get(&format!("{PODS}/p")).await.code, 404);
}

#[tokio::test]
async fn finalizers_hold_an_object_until_the_last_is_removed() {
    let cluster = Cluster::new().await;
    let mut object = map("a", json!({}));
    object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    cluster.post(MAPS, object).await.ok();
    let path = format!("{MAPS}/a");
    assert!(cluster.delete(&path).await.ok()["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(cluster.get(&path).await.code, 200);
    cluster.merge(&path, json!({ "metadata": { "finalizers": null } })).await.ok();
    assert_eq!(cluster.get(&path).await.code, 404);
}

#[tokio::test]
async fn propagation_policies_become_finalizers() {
    let cluster = Cluster::new().await;
    for (policy, finalizer) in [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")] {
        cluster.post(MAPS, map(&policy.to_lowercase(), json!({}))).await.ok();
        let path = format!("{MAPS}/{}", policy.to_lowercase());
        let held = cluster.delete_with(&path, json!({ "propagationPolicy": policy })).await.ok();
        assert_eq!(held["metadata"]["finalizers"], json!([finalizer]));
    }
    cluster.delete_with(&format!("{MAPS}/x"), json!({ "propagationPolicy": "Foreground", "orphanDependents": true })).await.fails(
        422,
        "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Invalid value: \"Foreground\": orphanDependents and deletionPropagation cannot be both set",
    );
}

#[tokio::test]
async fn a_collection_is_deleted_by_selector() {
    let cluster = Cluster::new().await;
    for (name, app) in [("a", "x"), ("b", "x"), ("c", "y")] {
        cluster.post(MAPS, map(name, json!({ "app": app }))).await.ok();
    }
    let deleted = cluster.delete(&format!("{MAPS}?labelSelector=app%3Dx")).await.ok();
    assert_eq!((&deleted["kind"], deleted["items"].as_array().unwrap().len()), (&json!("ConfigMapList"), 2));
    let left: Vec<Value> = cluster.get(MAPS).await.ok()["items"].as_array().unwrap().clone();
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn a_dry_run_deletes_nothing() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let told = cluster.delete(&format!("{MAPS}/a?dryRun=All")).await.ok();
    assert_eq!(told["details"]["uid"], cluster.get(&format!("{MAPS}/a")).await.ok()["metadata"]["uid"]);
    cluster.delete_with(&format!("{MAPS}/a"), json!({ "dryRun": ["All"] })).await.ok();
    assert_eq!(cluster.get(&format!("{MAPS}/a")).await.code, 200);
}

#[tokio::test]
async fn a_namespace_terminates_refuses_new_content_and_goes_when_finalized() {
    let cluster = Cluster::new().await;
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "team" } });
    cluster.post("/api/v1/namespaces", namespace).await.ok();
    let going = cluster.delete("/api/v1/namespaces/team").await.ok();
    assert_eq!(going["status"]["phase"], "Terminating");
    cluster.post("/api/v1/namespaces/team/configmaps", map("a", json!({}))).await.fails(
        403,
        "configmaps \"a\" is forbidden: unable to create new content in namespace team because it is being terminated",
    );
    let mut finalized = going;
    finalized["spec"]["finalizers"] = json!([]);
    cluster.put("/api/v1/namespaces/team/finalize", finalized).await.ok();
    assert_eq!(cluster.get("/api/v1/namespaces/team").await.code, 404);
    cluster
        .delete("/api/v1/namespaces/default")
        .await
        .fails(403, "namespaces \"default\" is forbidden: this namespace may not be deleted");
}
