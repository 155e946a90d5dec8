//! PUT and PATCH, status, scale, binding.

use serde_json::json;

use crate::support::{Cluster, DEPLOYMENTS, MAPS, PODS, deployment, map, pod};

#[tokio::test]
async fn a_stale_version_is_refused_and_none_means_the_newest() {
    let cluster = Cluster::new().await;
    let first = cluster.post(MAPS, map("a", json!({}))).await.ok();
    let path = format!("{MAPS}/a");
    let mut change = first.clone();
    change["data"] = json!({ "k": "2" });
    let second = cluster.put(&path, change.clone()).await.ok();
    assert_ne!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    change["data"] = json!({ "k": "3" });
    cluster.put(&path, change.clone()).await.fails(
        409,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again",
    );
    change["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    assert_eq!(cluster.put(&path, change).await.ok()["data"]["k"], "3");
}

#[tokio::test]
async fn an_update_that_changes_nothing_writes_nothing() {
    let cluster = Cluster::new().await;
    let created = cluster.post(DEPLOYMENTS, deployment("web")).await.ok();
    let again = cluster.put(&format!("{DEPLOYMENTS}/web"), created.clone()).await.ok();
    assert_eq!(again, created);
    let patched = cluster.merge(&format!("{DEPLOYMENTS}/web"), json!({ "spec": { "replicas": 1 } })).await.ok();
    assert_eq!(patched["metadata"]["resourceVersion"], created["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn names_in_body_and_url_must_agree() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    cluster
        .put(&format!("{MAPS}/a"), map("b", json!({})))
        .await
        .fails(400, "the name of the object (b) does not match the name on the URL (a)");
    cluster.put(&format!("{MAPS}/c"), map("c", json!({}))).await.fails(404, "configmaps \"c\" not found");
}

#[tokio::test]
async fn patches_of_every_kind() {
    let cluster = Cluster::new().await;
    cluster.post(DEPLOYMENTS, deployment("web")).await.ok();
    let path = format!("{DEPLOYMENTS}/web");
    let container = |image: &str| json!({ "spec": { "template": { "spec": { "containers": [{ "name": "main", "image": image }] } } } });
    let strategic = cluster.patch(&path, "strategic-merge-patch+json", container("x:2")).await.ok();
    assert_eq!(strategic["spec"]["template"]["spec"]["containers"][0]["image"], "x:2");
    assert_eq!(strategic["metadata"]["generation"], 2);
    let merged = cluster.merge(&path, json!({ "metadata": { "labels": { "a": "b" } } })).await.ok();
    assert_eq!((&merged["metadata"]["labels"]["a"], &merged["metadata"]["generation"]), (&json!("b"), &json!(2)));
    let operation = json!([{ "op": "replace", "path": "/spec/replicas", "value": 3 }]);
    assert_eq!(cluster.patch(&path, "json-patch+json", operation).await.ok()["spec"]["replicas"], 3);
    assert_eq!(cluster.patch(&path, "xml", json!({})).await.code, 415);
    let stale = json!({ "metadata": { "resourceVersion": "1" }, "spec": { "replicas": 4 } });
    assert_eq!(cluster.merge(&path, stale).await.code, 409);
}

#[tokio::test]
async fn patches_of_many_clients_all_arrive() {
    let cluster = std::sync::Arc::new(Cluster::new().await);
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let patches = (0..32).map(|n| {
        let cluster = cluster.clone();
        tokio::spawn(async move {
            cluster.merge(&format!("{MAPS}/a"), json!({ "data": { format!("k{n}"): "v" } })).await.ok()
        })
    });
    futures::future::join_all(patches).await.into_iter().for_each(|p| drop(p.unwrap()));
    let object = cluster.get(&format!("{MAPS}/a")).await.ok();
    assert_eq!(object["data"].as_object().unwrap().len(), 33);
}

#[tokio::test]
async fn status_and_spec_are_written_apart() {
    let cluster = Cluster::new().await;
    let created = cluster.post(DEPLOYMENTS, deployment("web")).await.ok();
    let path = format!("{DEPLOYMENTS}/web");
    let mut change = created.clone();
    change["status"] = json!({ "replicas": 2, "observedGeneration": 1 });
    change["spec"]["replicas"] = json!(9);
    let status = cluster.put(&format!("{path}/status"), change).await.ok();
    assert_eq!((&status["spec"]["replicas"], &status["status"]["replicas"]), (&json!(1), &json!(2)));
    assert_eq!(status["metadata"]["generation"], 1);
    let spec = cluster.merge(&path, json!({ "spec": { "replicas": 3 }, "status": { "replicas": 0 } })).await.ok();
    assert_eq!((&spec["spec"]["replicas"], &spec["status"]["replicas"]), (&json!(3), &json!(2)));
    assert_eq!(spec["metadata"]["generation"], 2);
    let patched = cluster
        .patch(&format!("{path}/status"), "strategic-merge-patch+json", json!({ "status": { "replicas": 5 } }))
        .await;
    assert_eq!(patched.ok()["status"]["replicas"], 5);
}

#[tokio::test]
async fn scale_reads_and_writes_the_replica_count() {
    let cluster = Cluster::new().await;
    cluster.post(DEPLOYMENTS, deployment("web")).await.ok();
    let path = format!("{DEPLOYMENTS}/web/scale");
    let scale = cluster.get(&path).await.ok();
    assert_eq!((&scale["kind"], &scale["spec"]["replicas"]), (&json!("Scale"), &json!(1)));
    assert_eq!(scale["status"]["selector"], "app=web");
    let mut negative = scale.clone();
    negative["spec"]["replicas"] = json!(-1);
    let refused = cluster.put(&path, negative).await;
    assert_eq!((refused.code, &refused.body["details"]["kind"]), (422, &json!("Scale")));
    let mut wanted = scale.clone();
    wanted["spec"]["replicas"] = json!(5);
    assert_eq!(cluster.put(&path, wanted.clone()).await.ok()["spec"]["replicas"], 5);
    assert_eq!(cluster.put(&path, wanted).await.code, 409);
    assert_eq!(cluster.merge(&path, json!({ "spec": { "replicas": 2 } })).await.ok()["spec"]["replicas"], 2);
    cluster.merge(&path, json!({ "spec": { "replicas": -1 } })).await.fails(
        422,
        "Scale.autoscaling \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    );
    assert_eq!(cluster.get(&format!("{DEPLOYMENTS}/web")).await.ok()["spec"]["replicas"], 2);
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    let binding = |node: &str| json!({ "apiVersion": "v1", "kind": "Binding", "metadata": { "name": "p" }, "target": { "kind": "Node", "name": node } });
    let bound = cluster.post(&format!("{PODS}/p/binding"), binding("n1")).await;
    assert_eq!((bound.code, &bound.body["status"]), (201, &json!("Success")));
    let now = cluster.get(&format!("{PODS}/p")).await.ok();
    assert_eq!(now["spec"]["nodeName"], "n1");
    assert_eq!(now["status"]["conditions"][0]["type"], "PodScheduled");
    cluster
        .post("/api/v1/namespaces/default/bindings", binding("n2"))
        .await
        .fails(409, "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n1\"");
}

#[tokio::test]
async fn a_server_side_dry_run_of_a_patch_leaves_the_object() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let shown = cluster.merge(&format!("{MAPS}/a?dryRun=All"), json!({ "data": { "k": "new" } })).await.ok();
    assert_eq!(shown["data"]["k"], "new");
    assert_eq!(cluster.get(&format!("{MAPS}/a")).await.ok()["data"]["k"], "v");
}

#[tokio::test]
async fn some_kinds_are_created_by_an_update_and_some_must_name_the_version_they_follow() {
    let cluster = Cluster::new().await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let lease =
        json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "l" }, "spec": {} });
    let mut followed = lease.clone();
    followed["metadata"]["resourceVersion"] = json!("7");
    let path = format!("{leases}/l");
    cluster.put(&path, followed).await.fails(404, "leases.coordination.k8s.io \"l\" not found");
    let created = cluster.put(&path, lease.clone()).await;
    assert_eq!((created.code, &created.body["metadata"]["name"]), (201, &json!("l")));
    let refused = cluster.put(&path, lease).await;
    assert_eq!(refused.code, 422);
    assert_eq!(
        refused.message(),
        "Lease.coordination.k8s.io \"l\" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for \
         an update"
    );
    assert_eq!(cluster.put(&path, created.body).await.code, 200);
}

#[tokio::test]
async fn a_patch_changes_neither_name_nor_namespace_nor_uid() {
    let cluster = Cluster::new().await;
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    let path = format!("{MAPS}/a");
    let patch = |metadata: serde_json::Value| json!({ "metadata": metadata });
    cluster
        .merge(&path, patch(json!({ "name": "b" })))
        .await
        .fails(400, "the name of the object (b) does not match the name on the URL (a)");
    cluster
        .merge(&path, patch(json!({ "namespace": "b" })))
        .await
        .fails(400, "the namespace of the provided object does not match the namespace sent on the request");
    let refused = cluster.merge(&path, patch(json!({ "uid": "u" }))).await;
    assert_eq!(refused.code, 422);
    let mut nameless = map("a", json!({}));
    nameless["metadata"] = json!({});
    cluster
        .put(&path, nameless)
        .await
        .fails(400, "the name of the object (a based on URL) was undeterminable: name must be provided");
}

#[tokio::test]
async fn an_owner_named_twice_is_kept_once_with_a_warning() {
    let cluster = Cluster::new().await;
    let owner = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "1" });
    let mut object = map("a", json!({}));
    object["metadata"]["ownerReferences"] = json!([owner, owner]);
    let created = cluster.post(MAPS, object).await;
    assert!(created.warnings().iter().any(|w| w.contains("duplicate UID(s) observed: 1")), "{:?}", created.warnings());
    assert_eq!(created.ok()["metadata"]["ownerReferences"], json!([owner]));
    let patch = json!({ "metadata": { "ownerReferences": [owner, owner] } });
    let patched = cluster.merge(&format!("{MAPS}/a"), patch).await;
    assert!(patched.warnings().iter().any(|w| w.contains("after mutating admission happens")));
    assert_eq!(patched.ok()["metadata"]["ownerReferences"], json!([owner]));
}

#[tokio::test]
async fn options_are_refused_by_the_name_of_their_kind() {
    let cluster = Cluster::new().await;
    cluster.put(&format!("{MAPS}/a?dryRun=Some"), map("a", json!({}))).await.fails(
        422,
        "UpdateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: []string{\"Some\"}: supported values: \"All\"",
    );
    cluster.merge(&format!("{MAPS}/a?fieldValidation=no"), json!({})).await.fails(
        422,
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"no\": supported values: \"\", \
         \"Ignore\", \"Strict\", \"Warn\"",
    );
}
