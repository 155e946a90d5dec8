//! Server-side apply through the API.

use http::Method;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::{Answer, Cluster, DEPLOYMENTS, MAPS, deployment, map, request};

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

#[tokio::test]
async fn field_managers_have_names_that_can_be_shown() {
    let cluster = Cluster::new().await;
    let long = "x".repeat(129);
    cluster.post(&format!("{MAPS}?fieldManager={long}"), map("a", json!({}))).await.fails(
        422,
        "CreateOptions.meta.k8s.io \"\" is invalid: fieldManager: Too long: may not be more than 128 bytes",
    );
    cluster.put(&format!("{MAPS}/a?fieldManager=a%09b"), map("a", json!({}))).await.fails(
        422,
        "UpdateOptions.meta.k8s.io \"\" is invalid: fieldManager: Invalid value: \"a\\tb\": invalid character U+0009 (at \
         position 1)",
    );
    cluster.merge(&format!("{MAPS}/a?force=true"), json!({})).await.fails(
        422,
        "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
    );
}

#[tokio::test]
async fn an_apply_that_names_a_version_or_uid_means_it() {
    let cluster = Cluster::new().await;
    let path = format!("{MAPS}/a?fieldManager=one");
    let mut config = map("a", json!({}));
    config["metadata"]["uid"] = json!("u");
    cluster.patch(&path, APPLY, config.clone()).await.fails(
        409,
        "Operation cannot be fulfilled on configmaps \"a\": uid mismatch: the provided object specified uid u, and no \
         existing object was found",
    );
    config["metadata"] = json!({ "name": "a", "resourceVersion": "1" });
    let created = cluster.patch(&path, APPLY, config.clone()).await;
    assert_eq!(created.code, 201);
    let stale = cluster.patch(&path, APPLY, config.clone()).await;
    assert_eq!((stale.code, &stale.body["reason"]), (409, &json!("Conflict")));
    config["metadata"] = json!({ "name": "a", "uid": "u" });
    let other = cluster.patch(&path, APPLY, config).await;
    assert_eq!(other.code, 422);
    assert!(other.message().contains("metadata.uid: Invalid value: \"u\": field is immutable"), "{}", other.message());
}

#[tokio::test]
async fn a_dry_run_of_an_apply_shows_and_writes_nothing() {
    let cluster = Cluster::new().await;
    let shown = apply(&cluster, "fieldManager=one&dryRun=All", json!(2)).await;
    assert_eq!((shown.code, &shown.body["metadata"]["managedFields"][0]["manager"]), (201, &json!("one")));
    assert_eq!(cluster.get(&format!("{DEPLOYMENTS}/web")).await.code, 404);
    let live = apply(&cluster, "fieldManager=one", json!(2)).await.ok();
    let shown = apply(&cluster, "fieldManager=one&dryRun=All", json!(3)).await.ok();
    assert_eq!(shown["spec"]["replicas"], 3);
    assert_eq!(cluster.get(&format!("{DEPLOYMENTS}/web")).await.ok(), live);
}

#[tokio::test]
async fn a_probe_that_is_no_longer_applied_goes_with_its_defaults() {
    let cluster = Cluster::new().await;
    let path = format!("{DEPLOYMENTS}/web?fieldManager=one");
    let mut config = deployment("web");
    let plain = config.clone();
    config["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = json!({ "httpGet": { "port": 80 } });
    let probed = cluster.patch(&path, APPLY, config).await.ok();
    assert_eq!(probed["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["timeoutSeconds"], 1);
    let bare = cluster.patch(&path, APPLY, plain).await.ok();
    assert_eq!(bare["spec"]["template"]["spec"]["containers"][0].get("livenessProbe"), None);
}

#[tokio::test]
async fn what_is_scaled_belongs_to_the_scaler_without_a_time() {
    let cluster = Cluster::new().await;
    apply(&cluster, "fieldManager=one", json!(2)).await.ok();
    let path = format!("{DEPLOYMENTS}/web");
    cluster.merge(&format!("{path}/scale?fieldManager=hpa"), json!({ "spec": { "replicas": 4 } })).await.ok();
    let object = cluster.get(&path).await.ok();
    let entries = object["metadata"]["managedFields"].as_array().unwrap().clone();
    let scaled = json!({
        "manager": "hpa", "operation": "Update", "apiVersion": "apps/v1", "subresource": "scale",
        "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": { "f:replicas": {} } },
    });
    assert!(entries.contains(&scaled), "{entries:?}");
    let refused = apply(&cluster, "fieldManager=one", json!(2)).await;
    assert_eq!(
        refused.message(),
        "Apply failed with 1 conflict: conflict with \"hpa\" with subresource \"scale\" using apps/v1: .spec.replicas"
    );
}
