//! Server-side apply through the API.

use http::Method;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::{Answer, Cluster, DEPLOYMENTS, MAPS, deployment, request};

const APPLY: &str = "apply-patch+yaml";

async fn apply(cluster: &Cluster, manager: &str, replicas: Value) -> Answer {
    let mut config = deployment("web");
    config["spec"]["replicas"] = replicas;
    if config["spec"]["replicas"].is_null() {
        config["spec"].as_object_mut().unwrap().remove("replicas");
    }
    cluster.patch(&format!("{DEPLOYMENTS}/web?{manager}"), APPLY, config).await
}

#[tokio::test]
async fn an_apply_creates_then_changes_and_twice_the_same_writes_nothing() {
    let cluster = Cluster::new().await;
    let created = apply(&cluster, "fieldManager=one", json!(2)).await;
    assert_eq!(created.code, 201);
    assert_eq!(created.body["metadata"]["managedFields"][0]["manager"], "one");
    let again = apply(&cluster, "fieldManager=one", json!(2)).await;
    assert_eq!((again.code, &again.body), (200, &created.body));
    let changed = apply(&cluster, "fieldManager=one", json!(3)).await.ok();
    assert_eq!((&changed["spec"]["replicas"], &changed["metadata"]["generation"]), (&json!(3), &json!(2)));
}

#[tokio::test]
async fn a_yaml_document_may_begin_like_json() {
    let cluster = Cluster::new().await;
    let mut request = request(Method::PATCH, &format!("{MAPS}/a?fieldManager=one"), Value::Null);
    request.headers_mut().insert(CONTENT_TYPE, "application/apply-patch+yaml".parse().unwrap());
    *request.body_mut() = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: v}}".into();
    assert_eq!(cluster.send(request).await.ok()["data"]["k"], "v");
}

#[tokio::test]
async fn what_another_manager_owns_is_a_conflict_unless_forced() {
    let cluster = Cluster::new().await;
    apply(&cluster, "fieldManager=one", json!(2)).await.ok();
    let refused = apply(&cluster, "fieldManager=two", json!(5)).await;
    assert_eq!((refused.code, &refused.body["reason"]), (409, &json!("Conflict")));
    assert!(refused.message().contains("conflict with \"one\": .spec.replicas"), "{}", refused.message());
    assert_eq!(apply(&cluster, "fieldManager=two&force=true", json!(5)).await.ok()["spec"]["replicas"], 5);
}

#[tokio::test]
async fn other_writes_take_ownership_and_given_up_fields_stay_with_them() {
    let cluster = Cluster::new().await;
    apply(&cluster, "fieldManager=one", json!(2)).await.ok();
    let scale = json!({ "spec": { "replicas": 7 } });
    cluster.merge(&format!("{DEPLOYMENTS}/web/scale?fieldManager=scaler"), scale).await.ok();
    let kept = apply(&cluster, "fieldManager=one", Value::Null).await.ok();
    assert_eq!(kept["spec"]["replicas"], 7);
}

#[tokio::test]
async fn an_apply_says_who_it_is_and_what_it_is_about() {
    let cluster = Cluster::new().await;
    apply(&cluster, "x=y", json!(1)).await.fails(
        422,
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
    );
    cluster
        .patch(&format!("{DEPLOYMENTS}/other?fieldManager=one"), APPLY, deployment("web"))
        .await
        .fails(400, "the name of the object (web) does not match the name on the URL (other)");
    let nowhere = cluster
        .patch("/apis/apps/v1/namespaces/nowhere/deployments/web?fieldManager=one", APPLY, deployment("web"))
        .await;
    nowhere.fails(404, "namespaces \"nowhere\" not found");
}
