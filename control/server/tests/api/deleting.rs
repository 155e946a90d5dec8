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

#[tokio::test]
async fn options_come_from_the_body_or_from_the_query_and_never_from_both() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let held = cluster.delete(&format!("{MAPS}/a?propagationPolicy=Foreground")).await.ok();
    assert_eq!(held["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    let orphaned =
        cluster.delete_with(&format!("{MAPS}/a?dryRun=All"), json!({ "propagationPolicy": "Orphan" })).await.ok();
    assert_eq!(orphaned["metadata"]["finalizers"], json!(["orphan"]));
    assert_eq!(cluster.get(&format!("{MAPS}/a")).await.ok()["metadata"]["finalizers"], json!(["orphan"]));
    let invalid = "DeleteOptions.meta.k8s.io \"\" is invalid: ";
    cluster
        .delete(&format!("{MAPS}/nobody?dryRun=Some"))
        .await
        .fails(422, &format!("{invalid}dryRun: Unsupported value: []string{{\"Some\"}}: supported values: \"All\""));
    cluster.delete(&format!("{MAPS}/nobody?propagationPolicy=Foo")).await.fails(
        422,
        &format!(
            "{invalid}propagationPolicy: Unsupported value: \"Foo\": supported values: \"Foreground\", \"Background\", \
             \"Orphan\", \"nil\""
        ),
    );
    let mut odd = crate::support::request(http::Method::DELETE, &format!("{MAPS}/nobody"), Value::Null);
    odd.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(cluster.send(odd).await.code, 404, "without a body its type does not matter");
    let seconds = "strconv.ParseInt: parsing \"soon\": invalid syntax";
    cluster.delete(&format!("{MAPS}/a?gracePeriodSeconds=soon")).await.fails(400, seconds);
}

#[tokio::test]
async fn a_deletion_that_goes_on_is_accepted_only_where_dependents_were_asked_for_the_old_way() {
    let cluster = Cluster::new().await;
    let mut object = map("a", json!({}));
    object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    cluster.post(MAPS, object).await.ok();
    let path = format!("{MAPS}/a");
    assert_eq!(cluster.delete(&path).await.code, 200);
    assert_eq!(cluster.delete_with(&path, json!({ "orphanDependents": true })).await.code, 200);
    assert_eq!(cluster.delete_with(&path, json!({ "orphanDependents": false })).await.code, 202);
    let again = cluster.delete(&path).await.ok();
    assert_eq!(again["metadata"]["resourceVersion"], cluster.get(&path).await.ok()["metadata"]["resourceVersion"]);
    cluster.post(MAPS, map("b", json!({}))).await.ok();
    assert_eq!(cluster.delete_with(&format!("{MAPS}/b"), json!({ "orphanDependents": false })).await.code, 200);
}

#[tokio::test]
async fn some_kinds_show_what_was_deleted_and_others_only_name_it() {
    let cluster = Cluster::new().await;
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "robot" } });
    cluster.post(accounts, account).await.ok();
    assert_eq!(cluster.delete(&format!("{accounts}/robot")).await.ok()["kind"], "ServiceAccount");
    let deployment = crate::support::deployment("web");
    let uid = cluster.post(crate::support::DEPLOYMENTS, deployment).await.ok()["metadata"]["uid"].clone();
    let status = cluster.delete(&format!("{}/web", crate::support::DEPLOYMENTS)).await.ok();
    let named = json!({ "name": "web", "group": "apps", "kind": "deployments", "uid": uid });
    let whole = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": named });
    assert_eq!(status, whole);
}

#[tokio::test]
async fn preconditions_that_do_not_hold_say_what_is_there() {
    let cluster = Cluster::new().await;
    let object = cluster.post(MAPS, map("a", json!({}))).await.ok();
    let (uid, version) = (&object["metadata"]["uid"], &object["metadata"]["resourceVersion"]);
    let delete =
        async |wanted: Value| cluster.delete_with(&format!("{MAPS}/a"), json!({ "preconditions": wanted })).await;
    let refused = delete(json!({ "uid": "other" })).await;
    assert_eq!(refused.body["reason"], "Conflict");
    refused.fails(
        409,
        &format!(
            "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (other) does not match the UID in \
             record ({}). The object might have been deleted and then recreated",
            uid.as_str().unwrap()
        ),
    );
    delete(json!({ "uid": uid, "resourceVersion": "1" })).await.fails(
        409,
        &format!(
            "Operation cannot be fulfilled on ConfigMap \"a\": the ResourceVersion in the precondition (1) does not match the \
             ResourceVersion in record ({}). The object might have been modified",
            version.as_str().unwrap()
        ),
    );
    delete(json!({ "uid": uid, "resourceVersion": version })).await.ok();
}

#[tokio::test]
async fn a_negative_grace_period_is_a_second() {
    let cluster = Cluster::new().await;
    bound(&cluster).await;
    let going = cluster.delete(&format!("{PODS}/p?gracePeriodSeconds=-1")).await.ok();
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 1);
}

#[tokio::test]
async fn collections_are_deleted_page_by_page_and_show_what_was_there() {
    let cluster = Cluster::new().await;
    for name in ["a", "b", "c"] {
        cluster.post(MAPS, map(name, json!({ "app": "x" }))).await.ok();
    }
    let selected = format!("{MAPS}?labelSelector=app");
    let tried = cluster.delete(&format!("{selected}&dryRun=All")).await.ok();
    assert_eq!(tried["items"].as_array().unwrap().len(), 3);
    let page = cluster.delete(&format!("{selected}&limit=2")).await.ok();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert!(page["items"][0]["metadata"].get("deletionTimestamp").is_none());
    assert!(page["metadata"]["continue"].is_string());
    let left = cluster.get(&selected).await.ok();
    assert_eq!((left["items"].as_array().unwrap().len(), &left["items"][0]["metadata"]["name"]), (1, &json!("c")));
    let rest = format!("{MAPS}?fieldSelector=metadata.name%3Dc");
    cluster.delete_with(&rest, json!({ "propagationPolicy": "Orphan" })).await.ok();
    assert_eq!(cluster.get(&format!("{MAPS}/c")).await.ok()["metadata"]["finalizers"], json!(["orphan"]));
    cluster
        .delete(&format!("{MAPS}?fieldSelector=data.k%3Dv"))
        .await
        .fails(400, "\"data.k\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
    cluster.delete_with(MAPS, json!({ "ignoreStoreReadErrorWithClusterBreakingPotential": true })).await.fails(
        422,
        "DeleteOptions.meta.k8s.io \"\" is invalid: ignoreStoreReadErrorWithClusterBreakingPotential: Invalid value: true: is \
         not allowed with DELETECOLLECTION, try again after removing the option",
    );
}
