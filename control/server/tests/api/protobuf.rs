//! The second wire format: what Go clients send, and answers to clients that take nothing else.

use coracle_api::protobuf::{self, MEDIA_TYPE, WATCH_MEDIA_TYPE};
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

use super::crontabs::{DEFINITIONS, V1, definition, version};
use super::support::*;

/// A request with a body in protobuf, whose answer may be in any format.
async fn send(cluster: &Cluster, method: Method, path: &str, object: &Value) -> Answer {
    let mut sent = request(method, path, json!({}));
    *sent.body_mut() = protobuf::encode(object).unwrap().into();
    sent.headers_mut().insert(CONTENT_TYPE, MEDIA_TYPE.parse().unwrap());
    sent.headers_mut().insert(ACCEPT, "application/vnd.kubernetes.protobuf,application/json".parse().unwrap());
    cluster.send(sent).await
}

#[tokio::test]
async fn objects_of_every_kind_can_be_sent() {
    let cluster = Cluster::new().await;
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "q" },
        "spec": { "hard": { "cpu": "1", "pods": "3" }, "scopes": ["NotTerminating"] },
    });
    let created = send(&cluster, Method::POST, "/api/v1/namespaces/default/resourcequotas", &quota).await.ok();
    assert_eq!(created["spec"], quota["spec"]);
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": { "verb": "get", "resource": "pods" } },
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    assert_eq!(send(&cluster, Method::POST, path, &review).await.ok()["status"]["allowed"], true);
    let options =
        json!({ "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan", "gracePeriodSeconds": 0 });
    send(&cluster, Method::DELETE, "/api/v1/namespaces/default/resourcequotas/q", &options).await.ok();
}

#[tokio::test]
async fn clients_that_take_nothing_else_get_protobuf() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let one = cluster.get_as(&format!("{MAPS}/a"), MEDIA_TYPE).await;
    assert_eq!(one.headers[CONTENT_TYPE], MEDIA_TYPE);
    assert_eq!(protobuf::decode(&one.bytes).unwrap()["data"], json!({ "k": "v" }));
    let all = protobuf::decode(&cluster.get_as(MAPS, MEDIA_TYPE).await.bytes).unwrap();
    assert_eq!((&all["kind"], &all["items"][0]["metadata"]["name"]), (&json!("ConfigMapList"), &json!("a")));
    let partial = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let partial = protobuf::decode(&cluster.get_as(MAPS, partial).await.bytes).unwrap();
    assert_eq!(partial["kind"], "PartialObjectMetadataList");
}

#[tokio::test]
async fn whoever_takes_json_too_gets_what_is_stored() {
    let cluster = Cluster::new().await;
    let answer = cluster.get_as(MAPS, "application/vnd.kubernetes.protobuf,application/json").await;
    assert_eq!(answer.headers[CONTENT_TYPE], "application/json");
}

#[tokio::test]
async fn a_watch_comes_in_frames() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let answer = cluster.get_as(&format!("{MAPS}?watch=1&timeoutSeconds=1"), MEDIA_TYPE).await;
    assert_eq!(answer.headers[CONTENT_TYPE], WATCH_MEDIA_TYPE);
    let object = cluster.get(&format!("{MAPS}/a")).await.ok();
    let frame = protobuf::encode_event("ADDED", &object).unwrap();
    assert!(answer.bytes.windows(frame.len()).any(|window| window == frame));
}

#[tokio::test]
async fn custom_resources_have_no_protobuf_form() {
    let cluster = Cluster::new().await;
    cluster.post(DEFINITIONS, definition(vec![version("v1", true)])).await.ok();
    let path = V1;
    assert_eq!(cluster.get_as(path, MEDIA_TYPE).await.code, 406);
    let sent = send(&cluster, Method::POST, path, &map("a", json!({}))).await;
    assert_eq!(sent.code, 415, "{}", sent.body);
}
