//! Watches: where they begin, what they say, how they end.

use std::time::Duration;

use serde_json::json;

use crate::support::{Cluster, MAPS, PODS, config, map, pod};

#[tokio::test]
async fn what_exists_comes_first_then_what_happens() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let mut watch = cluster.watch(&format!("{MAPS}?watch=1")).await;
    assert_eq!(watch.code, 200);
    assert_eq!(watch.brief().await, "ADDED a");
    cluster.post(MAPS, map("b", json!({}))).await.ok();
    cluster.merge(&format!("{MAPS}/a"), json!({ "data": { "k": "2" } })).await.ok();
    cluster.delete(&format!("{MAPS}/b")).await.ok();
    assert_eq!(watch.brief().await, "ADDED b");
    assert_eq!(watch.brief().await, "MODIFIED a");
    assert_eq!(watch.brief().await, "DELETED b");
}

#[tokio::test]
async fn a_revision_is_where_it_goes_on() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let revision = cluster.store.revision();
    cluster.post(MAPS, map("b", json!({}))).await.ok();
    let mut watch = cluster.watch(&format!("{MAPS}?watch=1&resourceVersion={revision}")).await;
    let event = watch.next().await.unwrap();
    assert_eq!(event["object"], cluster.get(&format!("{MAPS}/b")).await.ok());
}

#[tokio::test]
async fn what_stops_matching_is_deleted_and_what_begins_to_is_added() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({ "on": "yes" }))).await.ok();
    let mut watch = cluster.watch(&format!("{MAPS}?watch=1&labelSelector=on%3Dyes")).await;
    assert_eq!(watch.brief().await, "ADDED a");
    let relabel = async |value: &str| {
        cluster.merge(&format!("{MAPS}/a"), json!({ "metadata": { "labels": { "on": value } } })).await.ok()
    };
    let off = relabel("no").await;
    let gone = watch.next().await.unwrap();
    assert_eq!((&gone["type"], &gone["object"]["metadata"]["labels"]["on"]), (&json!("DELETED"), &json!("yes")));
    assert_eq!(gone["object"]["metadata"]["resourceVersion"], off["metadata"]["resourceVersion"]);
    relabel("yes").await;
    assert_eq!(watch.brief().await, "ADDED a");
    relabel("no").await;
    cluster.delete(&format!("{MAPS}/a")).await.ok();
    cluster.post(MAPS, map("z", json!({ "on": "yes" }))).await.ok();
    assert_eq!(watch.brief().await, "DELETED a");
    assert_eq!(watch.brief().await, "ADDED z");
}

#[tokio::test]
async fn a_node_sees_its_pods_when_they_are_bound() {
    let cluster = Cluster::new().await;
    let mut watch = cluster.watch("/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn1").await;
    cluster.post(PODS, pod("p")).await.ok();
    cluster.post(PODS, pod("q")).await.ok();
    for (name, node) in [("q", "n2"), ("p", "n1")] {
        let binding = json!({ "apiVersion": "v1", "kind": "Binding", "target": { "kind": "Node", "name": node } });
        cluster.post(&format!("{PODS}/{name}/binding"), binding).await.ok();
    }
    assert_eq!(watch.brief().await, "ADDED p");
    cluster.delete(&format!("{PODS}/p?gracePeriodSeconds=0")).await.ok();
    assert_eq!(watch.brief().await, "DELETED p");
}

#[tokio::test]
async fn initial_events_end_with_a_bookmark() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let path =
        format!("{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
    let mut watch = cluster.watch(&path).await;
    assert_eq!(watch.brief().await, "ADDED a");
    let bookmark = watch.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], cluster.store.revision().to_string());
    assert_eq!(cluster.get(&format!("{MAPS}?watch=1&sendInitialEvents=true")).await.code, 422);
}

#[tokio::test]
async fn bookmarks_move_a_quiet_watch_forward_and_a_timeout_ends_it() {
    let mut config = config();
    config.limits.bookmark_interval = Duration::from_millis(20);
    let cluster = Cluster::with(config, |_| {}).await;
    let mut watch = cluster.watch("/api/v1/secrets?watch=1&allowWatchBookmarks=true&timeoutSeconds=1").await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let revision = cluster.store.revision().to_string();
    let mut last = String::new();
    while let Some(event) = watch.next().await {
        assert_eq!((&event["type"], &event["object"]["kind"]), (&json!("BOOKMARK"), &json!("Secret")));
        last = event["object"]["metadata"]["resourceVersion"].as_str().unwrap().into();
    }
    assert_eq!(last, revision);
}

#[tokio::test]
async fn a_forgotten_revision_is_an_error_event() {
    let cluster = Cluster::with(config(), |store| store.history_events = 4).await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let old = cluster.store.revision();
    for n in 0..20 {
        cluster.merge(&format!("{MAPS}/a"), json!({ "data": { "k": n.to_string() } })).await.ok();
    }
    let mut watch = cluster.watch(&format!("{MAPS}?watch=1&resourceVersion={old}")).await;
    let error = watch.next().await.unwrap();
    assert_eq!(
        (&error["type"], &error["object"]["code"], &error["object"]["reason"]),
        (&json!("ERROR"), &json!(410), &json!("Expired"))
    );
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn tables_and_single_objects_can_be_watched() {
    let cluster = Cluster::new().await;
    let mut request = crate::support::request(http::Method::GET, &format!("{MAPS}?watch=1"), json!(null));
    request.headers_mut().insert("accept", "application/json;as=Table;v=v1;g=meta.k8s.io".parse().unwrap());
    let response = cluster.open(request).await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let mut body = response.into_body();
    let frame = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap().into_data().unwrap();
    let event: serde_json::Value = serde_json::from_slice(&frame).unwrap();
    assert_eq!((&event["object"]["kind"], &event["object"]["rows"][0]["cells"][0]), (&json!("Table"), &json!("a")));
    let mut one = cluster.watch(&format!("{MAPS}?watch=1&fieldSelector=metadata.name%3Db")).await;
    cluster.post(MAPS, map("b", json!({}))).await.ok();
    assert_eq!(one.brief().await, "ADDED b");
}

#[tokio::test]
async fn watches_end_when_the_server_closes() {
    let cluster = Cluster::new().await;
    let mut watch = cluster.watch(&format!("{MAPS}?watch=1")).await;
    cluster.server.close();
    assert!(watch.next().await.is_none());
}
