//! `[sig-api-machinery] ResourceQuota`

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ReplicationController, ResourceQuota, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

use super::steps::{becomes, cluster_with, create, object, refused};
use crate::client::client;
use crate::harness::Cluster;

/// An extended resource that no node has.
const DONGLE: &str = "example.com/dongle";

/// An empty cluster with the quota `test-quota` in the namespace `default`, calculated.
async fn with_quota() -> (Cluster, Quota) {
    let (cluster, api, _) = cluster_with::<ResourceQuota>().await;
    let quota = Quota(api);
    quota.create(json!({})).await;
    (cluster, quota)
}

struct Quota(Api<ResourceQuota>);

impl Quota {
    /// Creates the quota with these limits more, and waits until it counts itself.
    async fn create(&self, more: Value) {
        assert!(self.0.list(&ListParams::default()).await.unwrap().items.is_empty());
        let mut hard = json!({
            "pods": "5", "services": "10", "services.nodeports": "1", "services.loadbalancers": "1",
            "replicationcontrollers": "10", "resourcequotas": "1", "cpu": "1", "memory": "500Mi", "configmaps": "2",
            "secrets": "10", "persistentvolumeclaims": "10", "requests.storage": "10Gi", "ephemeral-storage": "50Gi",
            "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "10",
            "gold.storageclass.storage.k8s.io/requests.storage": "10Gi",
            "count/replicasets.apps": "5", "requests.example.com/dongle": "3",
        });
        hard.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let created = create(&self.0, json!({"metadata": {"name": "test-quota"}, "spec": {"hard": hard}})).await;
        self.uses(&[("resourcequotas", "1")]).await;
        let calculated = self.0.get("test-quota").await.unwrap();
        assert_eq!(calculated.status.unwrap().hard, created.spec.unwrap().hard);
    }

    /// Waits until the status counts exactly that of these resources.
    async fn uses(&self, expected: &[(&str, &str)]) {
        becomes(&self.0, "test-quota", &format!("{expected:?}"), |quota| {
            let Some(used) = quota.status.as_ref().and_then(|status| status.used.as_ref()) else { return false };
            expected.iter().all(|(resource, amount)| used.get(*resource).is_some_and(|used| used.0 == *amount))
        })
        .await;
    }
}

/// A pod that no node is for, with these requests and limits.
fn pod(name: &str, requests: Value, limits: Value) -> Pod {
    object(json!({
        "metadata": {"name": name},
        "spec": {
            "nodeSelector": {"x-test.k8s.io/unsatisfiable": "not-schedulable"},
            "containers": [{
                "name": "pause", "image": "registry.coracle.internal/pause:1",
                "resources": {"requests": requests, "limits": limits},
            }],
        },
    }))
}

/// The spec of a controller without replicas.
fn none_of(selector: Value) -> Value {
    json!({
        "replicas": 0, "selector": selector,
        "template": {
            "metadata": {"labels": {"name": "web"}},
            "spec": {"containers": [{"name": "web", "image": "registry.coracle.internal/web:1"}]},
        },
    })
}

/// `[sig-api-machinery] ResourceQuota should be able to update and delete ResourceQuota. [Conformance]`
#[tokio::test]
async fn resource_quota_should_be_able_to_update_and_delete_resource_quota() {
    let (_cluster, api, _) = cluster_with::<ResourceQuota>().await;
    let quota = |cpu: &str, memory: &str| -> ResourceQuota {
        object(json!({"metadata": {"name": "test-quota"}, "spec": {"hard": {"cpu": cpu, "memory": memory}}}))
    };
    let hard = |quota: &ResourceQuota| quota.spec.as_ref().unwrap().hard.clone();
    let (small, large) = (quota("1", "500Mi"), quota("2", "1Gi"));
    api.create(&PostParams::default(), &small).await.unwrap();
    assert_eq!(hard(&api.get("test-quota").await.unwrap()), hard(&small));
    let replaced = api.replace("test-quota", &PostParams::default(), &large).await.unwrap();
    assert_eq!(hard(&replaced), hard(&large));
    assert_eq!(hard(&api.get("test-quota").await.unwrap()), hard(&large));
    api.delete("test-quota", &DeleteParams::default()).await.unwrap();
    assert_eq!(refused(api.get("test-quota").await), 404);
}

/// `[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a configMap. [Conformance]`
#[tokio::test]
async fn resource_quota_should_create_a_resource_quota_and_capture_the_life_of_a_config_map() {
    let (cluster, quotas, _) = cluster_with::<ResourceQuota>().await;
    let api: Api<ConfigMap> = Api::default_namespaced(client(&cluster).await);
    // Each namespace gets one of its own.
    becomes(&api, "kube-root-ca.crt", "the namespace's own", |_| true).await;
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);
    let quota = Quota(quotas);
    quota.create(json!({"configmaps": "2"})).await;
    quota.uses(&[("resourcequotas", "1"), ("configmaps", "1")]).await;
    create(&api, json!({"metadata": {"name": "test-configmap"}, "data": {"a": "b"}})).await;
    quota.uses(&[("resourcequotas", "1"), ("configmaps", "2")]).await;
    api.delete("test-configmap", &DeleteParams::default()).await.unwrap();
    quota.uses(&[("resourcequotas", "1"), ("configmaps", "1")]).await;
}

/// `[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a pod. [Conformance]`
#[tokio::test]
async fn resource_quota_should_create_a_resource_quota_and_capture_the_life_of_a_pod() {
    let (cluster, quota) = with_quota().await;
    let api: Api<Pod> = Api::default_namespaced(client(&cluster).await);
    let requests = json!({"cpu": "500m", "memory": "252Mi", "ephemeral-storage": "30Gi", DONGLE: "2"});
    api.create(&PostParams::default(), &pod("test-pod", requests, json!({DONGLE: "2"}))).await.unwrap();
    let used = [
        ("resourcequotas", "1"),
        ("pods", "1"),
        ("cpu", "500m"),
        ("memory", "252Mi"),
        ("ephemeral-storage", "30Gi"),
        ("requests.example.com/dongle", "2"),
    ];
    quota.uses(&used).await;

    let too_much_cpu = pod("fail-pod", json!({"cpu": "600m", "memory": "100Mi"}), json!({}));
    assert_eq!(refused(api.create(&PostParams::default(), &too_much_cpu).await), 403);
    let requests = json!({"cpu": "500m", "memory": "100Mi", "ephemeral-storage": "30Gi", DONGLE: "2"});
    let too_many_dongles = pod("fail-pod-for-extended-resource", requests, json!({DONGLE: "2"}));
    assert_eq!(refused(api.create(&PostParams::default(), &too_many_dongles).await), 403);

    let mut changed = api.get("test-pod").await.unwrap();
    // Otherwise the scheduler's word about the pod could make it a conflict.
    changed.metadata.resource_version = None;
    let resources = changed.spec.as_mut().unwrap().containers[0].resources.as_mut().unwrap();
    resources.requests = object(json!({"cpu": "100m", "memory": "100Mi", "ephemeral-storage": "10Gi"}));
    assert_eq!(refused(api.replace("test-pod", &PostParams::default(), &changed).await), 422);
    quota.uses(&used).await;

    api.delete("test-pod", &DeleteParams::default().grace_period(0)).await.unwrap();
    let released = used.map(|(resource, amount)| (resource, if resource == "resourcequotas" { amount } else { "0" }));
    quota.uses(&released).await;
}

/// `[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replica set.
/// [Conformance]`
#[tokio::test]
async fn resource_quota_should_create_a_resource_quota_and_capture_the_life_of_a_replica_set() {
    let (cluster, quota) = with_quota().await;
    let api: Api<ReplicaSet> = Api::default_namespaced(client(&cluster).await);
    quota.uses(&[("count/replicasets.apps", "0")]).await;
    let spec = none_of(json!({"matchLabels": {"name": "web"}}));
    create(&api, json!({"metadata": {"name": "test-rs"}, "spec": spec})).await;
    quota.uses(&[("count/replicasets.apps", "1")]).await;
    api.delete("test-rs", &DeleteParams::default()).await.unwrap();
    quota.uses(&[("count/replicasets.apps", "0")]).await;
}

/// `[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replication controller.
/// [Conformance]`
#[tokio::test]
async fn resource_quota_should_create_a_resource_quota_and_capture_the_life_of_a_replication_controller() {
    let (cluster, quota) = with_quota().await;
    let api: Api<ReplicationController> = Api::default_namespaced(client(&cluster).await);
    quota.uses(&[("replicationcontrollers", "0")]).await;
    create(&api, json!({"metadata": {"name": "test-rc"}, "spec": none_of(json!({"name": "web"}))})).await;
    quota.uses(&[("replicationcontrollers", "1")]).await;
    api.delete("test-rc", &DeleteParams::background()).await.unwrap();
    quota.uses(&[("replicationcontrollers", "0")]).await;
}

/// `[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a secret. [Conformance]`
#[tokio::test]
async fn resource_quota_should_create_a_resource_quota_and_capture_the_life_of_a_secret() {
    let (cluster, quotas, _) = cluster_with::<ResourceQuota>().await;
    let api: Api<Secret> = Api::default_namespaced(client(&cluster).await);
    // Tokens are no longer Secrets: nothing makes one but the user.
    assert!(api.list(&ListParams::default()).await.unwrap().items.is_empty());
    let quota = Quota(quotas);
    quota.create(json!({"secrets": "1"})).await;
    quota.uses(&[("resourcequotas", "1"), ("secrets", "0")]).await;
    create(&api, json!({"metadata": {"name": "test-secret"}, "stringData": {"a": "b"}})).await;
    quota.uses(&[("secrets", "1")]).await;
    api.delete("test-secret", &DeleteParams::default()).await.unwrap();
    quota.uses(&[("secrets", "0")]).await;
}
