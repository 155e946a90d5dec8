//! `Accept`: tables, partial metadata, compression, and what can't be had.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Cluster, MAPS, PODS, map, pod, request};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const PARTIAL: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
const PARTIAL_LIST: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

async fn send(cluster: &Cluster, method: Method, path: &str, body: Value, headers: &[(&'static str, &str)]) -> Answer {
    let mut request = request(method, path, body);
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    cluster.send(request).await
}

#[tokio::test]
async fn partial_metadata_of_an_object_and_of_a_list_are_two_things() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let one = cluster.get_as(&format!("{MAPS}/a"), PARTIAL).await.ok();
    assert_eq!((&one["kind"], one.get("data")), (&json!("PartialObjectMetadata"), None));
    cluster
        .get_as(MAPS, PARTIAL)
        .await
        .fails(406, "you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)");
    cluster.get_as(&format!("{MAPS}/a"), PARTIAL_LIST).await.fails(
        406,
        "you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)",
    );
    let old = cluster.get_as(MAPS, &PARTIAL_LIST.replace("v=v1", "v=v1beta1")).await.ok();
    assert_eq!(
        (&old["apiVersion"], &old["items"][0]["apiVersion"]),
        (&json!("meta.k8s.io/v1beta1"), &json!("meta.k8s.io/v1beta1"))
    );
}

#[tokio::test]
async fn errors_are_written_as_answers_are() {
    let cluster = Cluster::new().await;
    let error = cluster.get_as(&format!("{MAPS}/a"), "application/yaml").await;
    assert_eq!((error.code, error.headers["content-type"].to_str().unwrap()), (404, "application/yaml"));
    assert!(error.text().contains("reason: NotFound\n"), "{}", error.text());
    let error = cluster.get_as(&format!("{MAPS}/a"), "text/html").await;
    assert_eq!((error.code, &error.body["kind"]), (406, &json!("Status")));
}

#[tokio::test]
async fn a_scale_has_a_table_of_its_own() {
    let cluster = Cluster::new().await;
    cluster.post(crate::support::DEPLOYMENTS, crate::support::deployment("web")).await.ok();
    let path = format!("{}/web/scale", crate::support::DEPLOYMENTS);
    let table = cluster.get_as(&path, TABLE).await.ok();
    let columns: Vec<&str> =
        table["columnDefinitions"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(columns, ["Name", "Desired", "Available", "Age"]);
    let row = &table["rows"][0];
    assert_eq!((&row["cells"][0], &row["cells"][1], &row["cells"][2]), (&json!("web"), &json!(1), &json!(0)));
    let metadata = cluster.get_as(&path, PARTIAL).await.ok();
    assert_eq!((&metadata["metadata"]["name"], metadata.get("spec")), (&json!("web"), None));
}

#[tokio::test]
async fn rows_of_pods_that_are_over_say_so() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    let row = async || cluster.get_as(&format!("{PODS}/p"), TABLE).await.ok()["rows"][0].clone();
    assert!(row().await.get("conditions").is_none());
    let over = json!({ "status": { "phase": "Failed" } });
    cluster.merge(&format!("{PODS}/p/status"), over).await.ok();
    let failed = json!([{ "type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed." }]);
    assert_eq!(row().await["conditions"], failed);
}

#[tokio::test]
async fn writes_are_answered_in_the_shape_that_was_asked_for() {
    let cluster = Cluster::new().await;
    let accept = [("accept", TABLE)];
    let created = send(&cluster, Method::POST, PODS, pod("p"), &accept).await.ok();
    assert_eq!((&created["kind"], &created["rows"][0]["cells"][0]), (&json!("Table"), &json!("p")));
    let deleted = send(&cluster, Method::DELETE, PODS, Value::Null, &[("accept", PARTIAL_LIST)]).await.ok();
    assert_eq!((&deleted["kind"], deleted["items"][0].get("spec")), (&json!("PartialObjectMetadataList"), None));
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let status = send(&cluster, Method::DELETE, &format!("{MAPS}/a"), Value::Null, &accept).await.ok();
    assert_eq!(status["kind"], "Status");
}

/// `Servers with support for Table transformation should return a 406 for a backend which does not implement metadata`
#[tokio::test]
async fn what_has_no_table_falls_back_or_is_not_acceptable() {
    let cluster = Cluster::new().await;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "nonResourceAttributes": { "path": "/x", "verb": "get" } },
    });
    let refused = send(&cluster, Method::POST, path, review.clone(), &[("accept", TABLE)]).await;
    let offered = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    refused.fails(406, &format!("only the following media types are accepted: {offered}"));
    let either = format!("{TABLE},application/json");
    let whole = send(&cluster, Method::POST, path, review, &[("accept", &either)]).await.ok();
    assert_eq!(whole["kind"], "SelfSubjectAccessReview");
    cluster.post(PODS, pod("p")).await.ok();
    let binding = json!({ "apiVersion": "v1", "kind": "Binding", "target": { "kind": "Node", "name": "n" } });
    let refused = send(&cluster, Method::POST, &format!("{PODS}/p/binding"), binding, &[("accept", TABLE)]).await;
    assert_eq!(refused.code, 406);
    let status = cluster.get_as(&format!("{PODS}/p/status"), TABLE).await.ok();
    assert_eq!(status["kind"], "Table");
    cluster.get_as(&format!("{PODS}?includeObject=All"), TABLE).await.fails(
        400,
        "Unable to convert to Table as requested: includeObject: Invalid value: \"All\": must be 'Metadata', 'Object', \
         'None', or empty",
    );
}

#[tokio::test]
async fn answers_above_128_kib_are_compressed_for_those_who_take_it() {
    let cluster = Cluster::new().await;
    let mut large = map("large", json!({}));
    large["data"] = json!({ "k": "x".repeat(140_000) });
    cluster.post(MAPS, large).await.ok();
    cluster.post(MAPS, map("small", json!({}))).await.ok();
    let get = async |path: &str, encoding: &str| {
        send(&cluster, Method::GET, path, Value::Null, &[("accept-encoding", encoding)]).await
    };
    for path in [format!("{MAPS}/large"), MAPS.to_string()] {
        let answer = get(&path, "gzip").await;
        assert_eq!(answer.headers["content-encoding"], "gzip", "{path}");
        assert!(answer.headers["vary"].to_str().unwrap().eq_ignore_ascii_case("accept-encoding"));
        assert!(answer.bytes.len() < 20_000);
        assert!(!get(&path, "identity").await.headers.contains_key("content-encoding"));
    }
    assert!(!get(&format!("{MAPS}/small"), "gzip").await.headers.contains_key("content-encoding"));
}
