//! CustomResourceDefinitions: names, conditions, discovery, the end; and that a restart changes nothing.

use serde_json::{Value, json};

use crate::crontabs::{DEFINITION, DEFINITIONS, V1, V2, cluster, condition, crontab, definition, eventually, version};
use crate::support::Cluster;

#[tokio::test]
async fn a_definition_is_served_by_the_time_it_is_answered() {
    let cluster = cluster().await;
    let stored = cluster.get(DEFINITION).await.ok();
    assert_eq!(condition(&stored, "NamesAccepted"), "True NoConflicts");
    assert_eq!(condition(&stored, "Established"), "True InitialNamesAccepted");
    assert_eq!(stored["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(stored["status"]["acceptedNames"]["shortNames"], json!(["ct"]));
    let created = cluster.post(V1, crontab("v1", "a", json!({ "cronSpec": "* * * * *" }))).await.ok();
    assert_eq!(created["metadata"]["generation"], 1);
    assert_eq!(cluster.get(&format!("{V1}/a")).await.ok(), created);
    assert_eq!(cluster.get(V1).await.ok()["kind"], "CronTabList");
}

#[tokio::test]
async fn discovery_shows_custom_kinds_with_their_names_and_the_best_version_first() {
    let cluster = Cluster::new().await;
    let versions = vec![version("v1beta1", false), version("v1", true), version("v10", false)];
    cluster.post(DEFINITIONS, definition(versions)).await.ok();
    let group = cluster.get("/apis/stable.example.com").await.ok();
    let order: Vec<&Value> = group["versions"].as_array().unwrap().iter().map(|v| &v["version"]).collect();
    assert_eq!(order, ["v10", "v1", "v1beta1"]);
    assert_eq!(group["preferredVersion"]["version"], "v10");
    let list = cluster.get("/apis/stable.example.com/v1").await.ok();
    let entry = &list["resources"][0];
    assert_eq!((&entry["name"], &entry["shortNames"]), (&json!("crontabs"), &json!(["ct"])));
    assert_eq!(list["resources"].as_array().unwrap().len(), 3, "with status and scale");
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let aggregated = cluster.get_as("/apis", accept).await.ok();
    let groups = aggregated["items"].as_array().unwrap();
    assert!(groups.iter().any(|group| group["metadata"]["name"] == "stable.example.com"));
}

#[tokio::test]
async fn openapi_follows_a_definition_at_once_and_old_hashes_lead_to_the_present_document() {
    let cluster = cluster().await;
    let url = async |version: &str| {
        let index = cluster.get("/openapi/v3").await.ok();
        let path = format!("apis/stable.example.com/{version}");
        index["paths"][path]["serverRelativeURL"].as_str().map(str::to_string)
    };
    let first = url("v1").await.unwrap();
    let pinned = cluster.get(&first).await;
    assert_eq!(pinned.headers["cache-control"], "public, immutable");
    assert!(pinned.headers.contains_key("expires"));
    let schema = &pinned.ok()["components"]["schemas"]["com.example.stable.v1.CronTab"];
    assert_eq!(schema["properties"]["spec"]["properties"]["image"]["default"], "busybox");
    let mut changed = cluster.get(DEFINITION).await.ok();
    changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = json!("what it is for");
    changed["spec"]["versions"].as_array_mut().unwrap().push(version("v2", false));
    cluster.put(DEFINITION, changed.clone()).await.ok();
    let second = url("v1").await.unwrap();
    assert_ne!(first, second);
    let moved = cluster.get(&first).await;
    assert_eq!((moved.code, moved.headers["location"].to_str().unwrap()), (301, second.as_str()));
    let document = cluster.get(&second).await.ok();
    let name = "com.example.stable.v1.CronTab";
    assert_eq!(document["components"]["schemas"][name]["description"], "what it is for");
    let definitions = cluster.get("/openapi/v2").await.ok()["definitions"].clone();
    assert_eq!(definitions[name]["description"], "what it is for");
    assert!(definitions["com.example.stable.v2.CronTab"].is_object());
    let mut changed = cluster.get(DEFINITION).await.ok();
    changed["spec"]["versions"][1]["name"] = json!("v3");
    cluster.put(DEFINITION, changed).await.ok();
    assert!(url("v2").await.is_none() && url("v3").await.is_some());
    let definitions = cluster.get("/openapi/v2").await.ok()["definitions"].clone();
    assert!(definitions.get("com.example.stable.v2.CronTab").is_none());
    assert!(definitions["com.example.stable.v3.CronTab"].is_object());
}

#[tokio::test]
async fn versions_come_and_go_with_the_definition() {
    let cluster = cluster().await;
    cluster.get(V2).await.leads_nowhere();
    let mut changed = cluster.get(DEFINITION).await.ok();
    changed["spec"]["versions"] = json!([version("v1", true), version("v2", false)]);
    cluster.put(DEFINITION, changed.clone()).await.ok();
    cluster.post(V1, crontab("v1", "a", json!({ "cronSpec": "1" }))).await.ok();
    assert_eq!(cluster.get(&format!("{V2}/a")).await.ok()["apiVersion"], "stable.example.com/v2");
    assert_eq!(cluster.get(V2).await.ok()["items"][0]["apiVersion"], "stable.example.com/v2");
    let mut changed = cluster.get(DEFINITION).await.ok();
    changed["spec"]["versions"][1]["served"] = json!(false);
    cluster.put(DEFINITION, changed).await.ok();
    assert_eq!(cluster.get(V2).await.code, 404);
}

#[tokio::test]
async fn a_watch_of_another_version_sees_that_version() {
    let cluster = Cluster::new().await;
    cluster.post(DEFINITIONS, definition(vec![version("v1", true), version("v2", false)])).await.ok();
    let mut watch = cluster.watch(&format!("{V2}?watch=1")).await;
    cluster.post(V1, crontab("v1", "a", json!({ "cronSpec": "1" }))).await.ok();
    let event = watch.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["apiVersion"]), (&json!("ADDED"), &json!("stable.example.com/v2")));
    let path = format!("{V2}/a");
    let patched = cluster.merge(&path, json!({ "spec": { "replicas": 2 } })).await.ok();
    assert_eq!(patched["apiVersion"], "stable.example.com/v2");
    assert_eq!(watch.next().await.unwrap()["object"], patched);
    let stored = cluster.get(&format!("{V1}/a")).await.ok();
    assert_eq!((&stored["apiVersion"], &stored["spec"]["replicas"]), (&json!("stable.example.com/v1"), &json!(2)));
}

#[tokio::test]
async fn a_second_definition_does_not_get_taken_names_until_they_are_free() {
    let cluster = cluster().await;
    let mut other = definition(vec![version("v1", true)]);
    other["metadata"]["name"] = json!("others.stable.example.com");
    other["spec"]["names"] =
        json!({ "plural": "others", "singular": "other", "kind": "CronTab", "listKind": "OtherList" });
    cluster.post(DEFINITIONS, other).await.ok();
    let path = format!("{DEFINITIONS}/others.stable.example.com");
    let refused = cluster.get(&path).await.ok();
    assert_eq!(condition(&refused, "NamesAccepted"), "False KindConflict");
    assert_eq!(condition(&refused, "Established"), "False NotAccepted");
    assert_eq!(cluster.get("/apis/stable.example.com/v1/others").await.code, 404);
    cluster.delete(DEFINITION).await.ok();
    eventually("the names are accepted", async || {
        condition(&cluster.get(&path).await.ok(), "Established") == "True InitialNamesAccepted"
    })
    .await;
    eventually("it is served", async || cluster.get("/apis/stable.example.com/v1/others").await.code == 200).await;
}

#[tokio::test]
async fn a_deleted_definition_takes_its_objects_along_and_waits_for_their_finalizers() {
    let cluster = cluster().await;
    let mut held = crontab("v1", "held", json!({ "cronSpec": "1" }));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    cluster.post(V1, held).await.ok();
    cluster.post(V1, crontab("v1", "free", json!({ "cronSpec": "1" }))).await.ok();
    let marked = cluster.delete(DEFINITION).await.ok();
    assert_eq!(marked["metadata"]["finalizers"], json!(["customresourcecleanup.apiextensions.k8s.io"]));
    eventually("only what is held is left", async || {
        cluster.get(V1).await.ok()["items"].as_array().unwrap().len() == 1
    })
    .await;
    let terminating = cluster.get(DEFINITION).await.ok();
    assert_eq!(condition(&terminating, "Terminating"), "True InstanceDeletionInProgress");
    let resources = cluster.get("/apis/stable.example.com/v1").await.ok()["resources"].clone();
    assert_eq!(resources[0]["verbs"], json!(["delete", "deletecollection", "get", "list", "watch"]));
    let refused = cluster.post(V1, crontab("v1", "late", json!({ "cronSpec": "1" }))).await;
    refused.fails(405, "create not allowed while custom resource definition is terminating");
    cluster.merge(&format!("{V1}/held"), json!({ "metadata": { "finalizers": null } })).await.ok();
    eventually("the definition is gone", async || cluster.get(DEFINITION).await.code == 404).await;
    eventually("nothing is served", async || cluster.get(V1).await.code == 404).await;
}

#[tokio::test]
async fn a_group_of_kubernetes_says_who_approved() {
    let cluster = Cluster::new().await;
    let mut protected = definition(vec![version("v1", true)]);
    protected["metadata"] = json!({
        "name": "crontabs.x.k8s.io", "annotations": { "api-approved.kubernetes.io": "unapproved, a test" },
    });
    protected["spec"]["group"] = json!("x.k8s.io");
    cluster.post(DEFINITIONS, protected).await.ok();
    let stored = cluster.get(&format!("{DEFINITIONS}/crontabs.x.k8s.io")).await.ok();
    assert_eq!(condition(&stored, "KubernetesAPIApprovalPolicyConformant"), "False UnapprovedAnnotation");
}

#[tokio::test]
async fn what_was_served_before_a_restart_is_served_after_it() {
    let cluster = cluster().await;
    cluster.post(V1, crontab("v1", "a", json!({ "cronSpec": "1" }))).await.ok();
    let again = cluster.restarted().await;
    assert_eq!(again.get(&format!("{V1}/a")).await.ok()["spec"]["cronSpec"], "1");
    again.post(V1, crontab("v1", "b", json!({ "cronSpec": "1" }))).await.ok();
}

#[tokio::test]
async fn cluster_scoped_kinds_have_no_namespaces() {
    let cluster = Cluster::new().await;
    let mut wide = definition(vec![version("v1", true)]);
    wide["spec"]["scope"] = json!("Cluster");
    cluster.post(DEFINITIONS, wide).await.ok();
    assert_eq!(cluster.get(V1).await.code, 404);
    let path = "/apis/stable.example.com/v1/crontabs";
    cluster.post(path, crontab("v1", "a", json!({ "cronSpec": "1" }))).await.ok();
    assert_eq!(cluster.get(&format!("{path}/a")).await.ok()["metadata"]["name"], "a");
}

#[tokio::test]
async fn generations_count_changes_of_the_spec_and_stored_versions_stay_until_nothing_is_left_in_them() {
    let cluster = Cluster::new().await;
    let mut wanted = definition(vec![version("v1", true), version("v2", false)]);
    wanted["spec"]["preserveUnknownFields"] = json!(false);
    cluster.post(DEFINITIONS, wanted).await.ok();
    let stored = cluster.get(DEFINITION).await.ok();
    assert_eq!((&stored["metadata"]["generation"], stored["spec"].get("preserveUnknownFields")), (&json!(1), None));
    let mut moved = stored.clone();
    moved["spec"]["versions"] = json!([version("v1", false), version("v2", true)]);
    let moved = cluster.put(DEFINITION, moved).await.ok();
    assert_eq!(
        (&moved["metadata"]["generation"], &moved["status"]["storedVersions"]),
        (&json!(2), &json!(["v1", "v2"]))
    );
    let mut without = moved.clone();
    without["spec"]["versions"] = json!([version("v2", true)]);
    let refused = cluster.put(DEFINITION, without.clone()).await;
    assert_eq!(refused.code, 422);
    assert!(refused.message().contains("v1 was previously a storage version"), "{}", refused.message());
    cluster.merge(&format!("{DEFINITION}/status"), json!({ "status": { "storedVersions": ["v2"] } })).await.ok();
    without["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let version = cluster.get(DEFINITION).await.ok()["metadata"]["resourceVersion"].clone();
    without["metadata"]["resourceVersion"] = version;
    assert_eq!(cluster.put(DEFINITION, without).await.ok()["status"]["storedVersions"], json!(["v2"]));
}
