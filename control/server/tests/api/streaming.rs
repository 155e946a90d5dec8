//! Watches that begin with what exists (streaming lists), and their bookmarks.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Cluster, Lines, MAPS, config, map};

/// Whether the event is the bookmark behind the initial events.
fn ends_initial_events(event: &Value) -> bool {
    event["type"] == "BOOKMARK" && event["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
}

async fn with_map() -> Cluster {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    cluster
}

async fn watch_as(cluster: &Cluster, path: &str, accept: &str) -> Lines {
    let mut request = crate::support::request(http::Method::GET, path, json!(null));
    request.headers_mut().insert("accept", accept.parse().unwrap());
    Lines::new(cluster.open(request).await)
}

#[tokio::test]
async fn a_watch_without_a_version_is_a_streaming_list_too() {
    let cluster = with_map().await;
    for query in
        ["", "&resourceVersion=0", "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=1"]
    {
        let mut watch = cluster.watch(&format!("{MAPS}?watch=1&allowWatchBookmarks=true{query}")).await;
        assert_eq!(watch.brief().await, "ADDED a", "{query}");
        let bookmark = watch.next().await.unwrap();
        assert!(ends_initial_events(&bookmark), "{query}: {bookmark}");
        assert_eq!(bookmark["object"]["kind"], "ConfigMap");
    }
}

#[tokio::test]
async fn without_bookmarks_nothing_marks_the_end_of_the_initial_events() {
    let cluster = with_map().await;
    let path = format!("{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    let mut watch = cluster.watch(&path).await;
    assert_eq!(watch.brief().await, "ADDED a");
    cluster.post(MAPS, map("b", json!({}))).await.ok();
    assert_eq!(watch.brief().await, "ADDED b");
}

#[tokio::test]
async fn who_wants_no_initial_events_gets_none() {
    let cluster = with_map().await;
    for version in ["", "&resourceVersion=0"] {
        let query = "watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
        let mut watch = cluster.watch(&format!("{MAPS}?{query}{version}")).await;
        cluster.merge(&format!("{MAPS}/a"), json!({ "data": { "at": version } })).await.ok();
        assert_eq!(watch.brief().await, "MODIFIED a", "{version}");
    }
}

#[tokio::test]
async fn a_version_that_does_not_come_is_an_error_event_of_a_streaming_list() {
    let mut config = config();
    config.limits.revision_wait = Duration::from_millis(20);
    let cluster = Cluster::with(config, |_| {}).await;
    let query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=999999";
    let mut watch = cluster.watch(&format!("{MAPS}?{query}")).await;
    let error = watch.next().await.unwrap();
    assert_eq!(
        (watch.code, &error["type"], &error["object"]["code"], &error["object"]["reason"]),
        (200, &json!("ERROR"), &json!(504), &json!("Timeout"))
    );
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn error_events_are_plain_statuses_also_where_tables_were_asked_for() {
    let cluster = Cluster::with(config(), |store| store.history_events = 4).await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let old = cluster.store.revision();
    for n in 0..20 {
        cluster.merge(&format!("{MAPS}/a"), json!({ "data": { "k": n.to_string() } })).await.ok();
    }
    let path = format!("{MAPS}?watch=1&resourceVersion={old}");
    let mut watch = watch_as(&cluster, &path, "application/json;as=Table;v=v1;g=meta.k8s.io").await;
    let mut error = watch.next().await.unwrap()["object"].clone();
    let message = error.as_object_mut().unwrap().remove("message").unwrap();
    assert!(message.as_str().unwrap().starts_with(&format!("too old resource version: {old} (")), "{message}");
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Expired", "code": 410,
    });
    assert_eq!(error, status);
}

#[tokio::test]
async fn tables_have_columns_once_and_their_bookmarks_are_tables() {
    let cluster = with_map().await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut watch = watch_as(&cluster, &format!("{MAPS}?watch=1&allowWatchBookmarks=1"), accept).await;
    let first = watch.next().await.unwrap()["object"].clone();
    assert_eq!((&first["kind"], &first["columnDefinitions"][0]["name"]), (&json!("Table"), &json!("Name")));
    let bookmark = watch.next().await.unwrap();
    assert_eq!((&bookmark["type"], &bookmark["object"]["kind"]), (&json!("BOOKMARK"), &json!("Table")));
    assert!(bookmark["object"]["columnDefinitions"].is_null());
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let inside = &bookmark["object"]["rows"][0]["object"]["metadata"];
    assert_eq!(inside["annotations"]["k8s.io/initial-events-end"], "true");
    cluster.post(MAPS, map("b", json!({}))).await.ok();
    let second = watch.next().await.unwrap()["object"].clone();
    assert_eq!((&second["columnDefinitions"], &second["rows"][0]["cells"][0]), (&Value::Null, &json!("b")));
}

#[tokio::test]
async fn partial_metadata_has_partial_bookmarks() {
    let cluster = with_map().await;
    let path = format!("{MAPS}?watch=1&allowWatchBookmarks=1");
    for (version, accept) in [("v1", "v=v1"), ("v1beta1", "v=v1beta1")] {
        let accept = format!("application/json;as=PartialObjectMetadata;g=meta.k8s.io;{accept}");
        let mut watch = watch_as(&cluster, &path, &accept).await;
        let (added, bookmark) = (watch.next().await.unwrap(), watch.next().await.unwrap());
        assert!(added["object"].get("data").is_none() && ends_initial_events(&bookmark));
        for event in [added, bookmark] {
            let object = &event["object"];
            assert_eq!(object["kind"], "PartialObjectMetadata");
            assert_eq!(object["apiVersion"], format!("meta.k8s.io/{version}"));
        }
    }
}

#[tokio::test]
async fn a_negative_timeout_is_over_at_once_and_yaml_cannot_be_streamed() {
    let cluster = with_map().await;
    let mut watch = cluster.watch(&format!("{MAPS}?watch=1&timeoutSeconds=-1&resourceVersion=1")).await;
    while watch.next().await.is_some() {}
    let answer = cluster.get_as(&format!("{MAPS}?watch=1"), "application/yaml").await;
    assert_eq!(answer.code, 406);
    assert!(answer.text().contains("media types are accepted: application/json;stream=watch"), "{}", answer.text());
}
