//! Field selectors: which fields, by which names, and what is said of others.

use serde_json::{Value, json};

use crate::crontabs;
use crate::support::{Cluster, MAPS, PODS, map, pod};

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|i| i["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn fields_of_built_in_kinds_have_their_names_and_their_refusals() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    let list = async |path: &str, selector: &str| cluster.get(&format!("{path}?fieldSelector={selector}")).await;
    assert_eq!(names(&list(PODS, "spec.host%3D,spec.hostNetwork==false").await.ok()), ["p"]);
    assert_eq!(names(&list(PODS, "spec.restartPolicy!%3DNever,status.phase%3DPending").await.ok()), ["p"]);
    assert_eq!(names(&list("/api/v1/services", "spec.type%3DClusterIP").await.ok()), ["kubernetes"]);
    assert_eq!(
        names(&list("/api/v1/namespaces", "status.phase%3DActive,metadata.name%3Ddefault").await.ok()),
        ["default"]
    );
    list("/api/v1/nodes", "metadata.namespace%3D").await.fails(400, "field label not supported: metadata.namespace");
    list("/apis/batch/v1/jobs", "spec.suspend%3Dtrue")
        .await
        .fails(400, "field label \"spec.suspend\" not supported for batchv1.Job");
    list(PODS, "spec.nodeName").await.fails(400, "invalid selector: 'spec.nodeName'; can't understand 'spec.nodeName'");
}

#[tokio::test]
async fn events_are_selected_by_each_group_s_own_names() {
    let cluster = Cluster::new().await;
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "name": "e", "namespace": "default" }, "reason": "Because",
        "type": "Normal", "source": { "component": "tester" }, "reportingComponent": "example.com/c",
        "involvedObject": { "kind": "Pod", "name": "p", "namespace": "default" },
    });
    cluster.post("/api/v1/namespaces/default/events", event).await.ok();
    let core = "/api/v1/events?fieldSelector=";
    let group = "/apis/events.k8s.io/v1/events?fieldSelector=";
    assert_eq!(names(&cluster.get(&format!("{core}involvedObject.name%3Dp,source%3Dtester")).await.ok()), ["e"]);
    assert_eq!(names(&cluster.get(&format!("{group}regarding.name%3Dp,reason%3DBecause")).await.ok()), ["e"]);
    assert_eq!(names(&cluster.get(&format!("{group}reportingController%3Dexample.com/c")).await.ok()), ["e"]);
    assert!(names(&cluster.get(&format!("{group}regarding.name%3Dq")).await.ok()).is_empty());
    let refused = cluster.get(&format!("{group}involvedObject.name%3Dp")).await;
    refused.fails(400, "field label not supported: involvedObject.name");
    let mut watch = cluster.watch(&format!("{group}regarding.kind%3DPod&watch=1")).await;
    assert_eq!(watch.brief().await, "ADDED e");
}

#[tokio::test]
async fn custom_kinds_are_selected_by_what_their_definition_lists() {
    let cluster = Cluster::new().await;
    cluster.post(crontabs::DEFINITIONS, crontabs::definition(vec![crontabs::version("v1", true)])).await.ok();
    for (name, image) in [("a", "one"), ("b", "two")] {
        let tab = json!({
            "apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": { "name": name },
            "spec": { "cronSpec": "* * * * */5", "image": image },
        });
        cluster.post(crontabs::V1, tab).await.ok();
    }
    let list = async |selector: &str| cluster.get(&format!("{}?fieldSelector={selector}", crontabs::V1)).await;
    assert_eq!(names(&list("spec.image%3Dtwo,metadata.namespace%3Ddefault").await.ok()), ["b"]);
    assert_eq!(names(&list("spec.image!%3Dtwo").await.ok()), ["a"]);
    list("spec.replicas%3D1").await.fails(400, "field label not supported: spec.replicas");
    let mut watch = cluster.watch(&format!("{}?watch=1&fieldSelector=spec.image%3Dtwo", crontabs::V1)).await;
    assert_eq!(watch.brief().await, "ADDED b");
    cluster.merge(&format!("{}/b", crontabs::V1), json!({ "spec": { "image": "three" } })).await.ok();
    assert_eq!(watch.brief().await, "DELETED b");
}

#[tokio::test]
async fn custom_objects_are_selected_by_what_is_seen_of_them() {
    let cluster = Cluster::new().await;
    let mut version = crontabs::version("v1", true);
    let properties = &mut version["schema"]["openAPIV3Schema"]["properties"];
    properties["spec"]["properties"]["image"] = json!({ "type": "string" });
    cluster.post(crontabs::DEFINITIONS, crontabs::definition(vec![version])).await.ok();
    let tab = json!({
        "apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": { "name": "a" },
        "spec": { "cronSpec": "* * * * */5" },
    });
    cluster.post(crontabs::V1, tab).await.ok();
    // A default that comes later is seen in what was stored before.
    let later = json!({ "spec": { "versions": [crontabs::version("v1", true)] } });
    cluster.merge(crontabs::DEFINITION, later).await.ok();
    let busy = format!("{}?fieldSelector=spec.image%3Dbusybox", crontabs::V1);
    assert_eq!(names(&cluster.get(&busy).await.ok()), ["a"]);
    let mut watch = cluster.watch(&format!("{busy}&watch=1")).await;
    assert_eq!(watch.brief().await, "ADDED a");
    cluster.merge(&format!("{}/a", crontabs::V1), json!({ "spec": { "image": "other" } })).await.ok();
    let gone = watch.next().await.unwrap();
    assert_eq!((&gone["type"], &gone["object"]["spec"]["image"]), (&json!("DELETED"), &json!("busybox")));
}

#[tokio::test]
async fn the_old_watch_paths_still_lead_to_watches_of_collections_and_of_one_object() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    cluster.post(MAPS, map("b", json!({}))).await.ok();
    let mut all = cluster.watch("/api/v1/watch/namespaces/default/configmaps").await;
    assert_eq!((all.brief().await, all.brief().await), ("ADDED a".into(), "ADDED b".into()));
    let one = "/api/v1/watch/namespaces/default/configmaps/b";
    let mut watch = cluster.watch(&format!("{one}?fieldSelector=metadata.name%3Db")).await;
    assert_eq!(watch.brief().await, "ADDED b");
    cluster.delete(&format!("{MAPS}/a")).await.ok();
    cluster.delete(&format!("{MAPS}/b")).await.ok();
    assert_eq!(watch.brief().await, "DELETED b");
    let conflict = "fieldSelector metadata.name doesn't match requested name";
    for selector in ["metadata.name%3Da", "metadata.namespace%3Ddefault"] {
        cluster.get(&format!("{one}?fieldSelector={selector}")).await.fails(400, conflict);
    }
}
