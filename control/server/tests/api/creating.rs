//! Create: names, identity, what is refused and in which words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use futures::StreamExt;
use http::Method;
use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::support::{Cluster, DEPLOYMENTS, MAPS, PODS, deployment, map, pod, request};

#[tokio::test]
async fn a_created_object_is_what_get_shows() {
    let cluster = Cluster::new().await;
    let created = cluster.post(MAPS, map("a", json!({}))).await;
    assert_eq!(created.code, 201);
    let created = created.body;
    assert_eq!(created["metadata"]["namespace"], "default");
    assert_eq!(created["metadata"]["uid"].as_str().map(str::len), Some(36));
    assert!(created["metadata"]["creationTimestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(cluster.get(&format!("{MAPS}/a")).await.ok(), created);
    cluster.post(MAPS, map("a", json!({}))).await.fails(409, "configmaps \"a\" already exists");
}

#[tokio::test]
async fn generated_names_differ() {
    let cluster = Cluster::new().await;
    let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "generateName": "web-" } });
    let first = cluster.post(MAPS, body.clone()).await.ok()["metadata"]["name"].as_str().unwrap().to_string();
    let second = cluster.post(MAPS, body).await.ok()["metadata"]["name"].as_str().unwrap().to_string();
    assert!(first.starts_with("web-") && first.len() == 9 && first != second, "{first} {second}");
}

#[tokio::test]
async fn a_kind_that_makes_labels_of_its_name_sees_the_generated_one() {
    let cluster = Cluster::new().await;
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "generateName": "batch-" },
        "spec": { "template": { "spec": { "restartPolicy": "Never", "containers": [{ "name": "c", "image": "x:1" }] } } },
    });
    let created = cluster.post("/apis/batch/v1/namespaces/default/jobs", job).await.ok();
    assert_eq!(
        created["spec"]["template"]["metadata"]["labels"]["batch.kubernetes.io/job-name"],
        created["metadata"]["name"]
    );
}

#[tokio::test]
async fn status_is_not_the_authors_and_generation_starts_at_one() {
    let cluster = Cluster::new().await;
    let mut body = deployment("web");
    body["status"] = json!({ "replicas": 7 });
    let created = cluster.post(DEPLOYMENTS, body).await.ok();
    assert_ne!(created["status"]["replicas"], 7);
    assert_eq!(created["metadata"]["generation"], 1);
    assert_eq!(created["spec"]["replicas"], 1);
}

#[tokio::test]
async fn what_does_not_belong_there_is_refused() {
    let cluster = Cluster::new().await;
    let mut elsewhere = map("a", json!({}));
    elsewhere["metadata"]["namespace"] = json!("kube-system");
    cluster
        .post(MAPS, elsewhere)
        .await
        .fails(400, "the namespace of the provided object does not match the namespace sent on the request");
    let mut old = map("a", json!({}));
    old["metadata"]["resourceVersion"] = json!("5");
    cluster.post(MAPS, old).await.fails(400, "resourceVersion should not be set on objects to be created");
    cluster
        .post("/api/v1/namespaces/nowhere/configmaps", map("a", json!({})))
        .await
        .fails(404, "namespaces \"nowhere\" not found");
    assert_eq!(cluster.post(MAPS, pod("p")).await.code, 400);
    assert_eq!(cluster.post("/api/v1/configmaps", map("a", json!({}))).await.code, 405);
}

#[tokio::test]
async fn invalid_objects_are_422_with_causes() {
    let cluster = Cluster::new().await;
    let mut bad = pod("p");
    bad["spec"]["containers"] = json!([]);
    let answer = cluster.post(PODS, bad).await;
    assert_eq!(answer.code, 422);
    assert_eq!(answer.message(), "Pod \"p\" is invalid: spec.containers: Required value");
    assert_eq!(answer.body["details"]["causes"][0]["field"], "spec.containers");
    assert_eq!(cluster.post(MAPS, map("Bad_Name", json!({}))).await.code, 422);
    let nameless = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": {} });
    cluster
        .post(MAPS, nameless)
        .await
        .fails(422, "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required");
}

#[tokio::test]
async fn unknown_fields_warn_or_fail_as_asked() {
    let cluster = Cluster::new().await;
    let mut body = map("a", json!({}));
    body["dota"] = json!({});
    let strict = cluster.post(&format!("{MAPS}?fieldValidation=Strict"), body.clone()).await;
    assert_eq!(strict.code, 400);
    assert!(strict.message().contains("strict decoding error: unknown field \"dota\""), "{}", strict.message());
    let warned = cluster.post(MAPS, body.clone()).await;
    assert_eq!(warned.warnings(), ["299 - \"unknown field \\\"dota\\\"\""]);
    assert!(warned.ok().get("dota").is_none());
    body["metadata"]["name"] = json!("b");
    assert!(cluster.post(&format!("{MAPS}?fieldValidation=Ignore"), body.clone()).await.warnings().is_empty());
    assert_eq!(cluster.post(&format!("{MAPS}?fieldValidation=Maybe"), body).await.code, 422);
}

#[tokio::test]
async fn a_dry_run_shows_and_leaves_nothing() {
    let cluster = Cluster::new().await;
    let before = cluster.store.revision();
    let shown = cluster.post(&format!("{MAPS}?dryRun=All"), map("a", json!({}))).await.ok();
    assert!(shown["metadata"]["uid"].is_string() && shown["metadata"].get("resourceVersion").is_none());
    assert_eq!(cluster.store.revision(), before);
    cluster.get(&format!("{MAPS}/a")).await.fails(404, "configmaps \"a\" not found");
}

#[tokio::test]
async fn bodies_are_json_or_yaml_within_limits() {
    let cluster = Cluster::new().await;
    let send = async |kind: &'static str, body: String| {
        let mut request = request(Method::POST, MAPS, json!(null)).map(|_| Body::from(body));
        request.headers_mut().insert(CONTENT_TYPE, kind.parse().unwrap());
        cluster.send(request).await
    };
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y\ndata:\n  a: b\n";
    assert_eq!(send("application/yaml", yaml.into()).await.ok()["data"]["a"], "b");
    assert_eq!(send("application/xml", "<a/>".into()).await.code, 415);
    assert_eq!(send("application/json", "{".into()).await.code, 400);
    assert_eq!(send("application/json", String::new()).await.code, 400);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(send("application/json", deep).await.code, 400);
    let large = "x".repeat((3 << 20) + 1);
    let refused = send("application/json", large).await;
    refused.fails(413, "Request entity too large: limit is 3145728");
}

/// Dropping the rest of a body resets an HTTP/2 stream, and some clients lose the answer with it.
#[tokio::test]
async fn a_body_that_nobody_wants_is_read_before_the_answer() {
    let cluster = Cluster::new().await;
    let read = Arc::new(AtomicBool::new(false));
    let seen = read.clone();
    let pieces = futures::stream::iter([Ok::<_, std::io::Error>("{".to_string()), Ok("}".to_string())]);
    let pieces = pieces.chain(futures::stream::poll_fn(move |_| {
        seen.store(true, Ordering::Relaxed);
        std::task::Poll::Ready(None)
    }));
    let mut request = request(Method::POST, "/api/v1/namespaces/default/pods/p/nothing", json!(null));
    *request.body_mut() = Body::from_stream(pieces);
    assert_eq!(cluster.send(request).await.code, 404);
    assert!(read.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_pod_gets_its_account_priority_and_tolerations() {
    let cluster = Cluster::new().await;
    let created = cluster.post(PODS, pod("p")).await.ok();
    let spec = &created["spec"];
    assert_eq!(spec["serviceAccountName"], "default");
    assert_eq!((&spec["priority"], &spec["preemptionPolicy"]), (&json!(0), &json!("PreemptLowerPriority")));
    assert_eq!(spec["tolerations"].as_array().unwrap().len(), 2);
    assert_eq!(created["status"]["phase"], "Pending");
    let mut other = pod("q");
    other["spec"]["serviceAccountName"] = json!("nobody");
    cluster.post(PODS, other).await.fails(
        403,
        "pods \"q\" is forbidden: error looking up service account default/nobody: serviceaccount \"nobody\" not found",
    );
}
