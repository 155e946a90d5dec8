//! `[sig-api-machinery] Garbage collector`

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ReplicationController};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::{Api, Resource, ResourceExt as _};
use serde_json::{Value, json};

use super::steps::{Known, becomes, create};
use super::waits::{gone, until};
use crate::client::client;
use crate::harness::Cluster;

/// The controllers and the pods of an empty cluster.
struct World {
    cluster: Cluster,
    controllers: Api<ReplicationController>,
    pods: Api<Pod>,
}

impl World {
    async fn start() -> Self {
        let cluster = Cluster::start();
        let client = client(&cluster).await;
        Self { cluster, controllers: Api::default_namespaced(client.clone()), pods: Api::default_namespaced(client) }
    }

    /// Objects of one more kind.
    async fn api<K: Known + Resource<Scope = NamespaceResourceScope>>(&self) -> Api<K> {
        Api::default_namespaced(client(&self.cluster).await)
    }

    async fn create_controller(&self, name: &str, replicas: i32) -> ReplicationController {
        let labels = json!({"gctest": name});
        let spec = json!({"replicas": replicas, "selector": labels, "template": template(&labels)});
        create(&self.controllers, json!({"metadata": {"name": name}, "spec": spec})).await
    }

    /// Creates a controller and waits until it has made its pods.
    async fn complete_controller(&self, name: &str, replicas: i32) -> ReplicationController {
        self.create_controller(name, replicas).await;
        let complete = |rc: &ReplicationController| rc.status.as_ref().is_some_and(|s| s.replicas == replicas);
        becomes(&self.controllers, name, "all replicas", complete).await
    }

    async fn all_pods(&self) -> Vec<Pod> {
        self.pods.list(&ListParams::default()).await.unwrap().items
    }

    /// Deletes another owner and waits for what it owned. The collector hears of it later than of what went before it
    /// and was of its kind: what it would have collected then, it has.
    async fn collector_comes_round<K: Known>(&self, owners: &Api<K>, another: &K) {
        let maps: Api<ConfigMap> = self.api().await;
        let reference = another.owner_ref(&()).unwrap();
        let owned = create(&maps, json!({"metadata": {"name": "owned", "ownerReferences": [reference]}})).await;
        owners.delete(&another.name_any(), &exactly(another, DeleteParams::background())).await.unwrap();
        gone(&maps, &owned).await;
    }
}

fn template(labels: &Value) -> Value {
    json!({
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "registry.coracle.internal/web:1"}]},
    })
}

/// The deletion of this very object and no other of its name.
fn exactly(object: &impl Resource, how: DeleteParams) -> DeleteParams {
    how.preconditions(Preconditions { uid: object.meta().uid.clone(), resource_version: None })
}

/// `[sig-api-machinery] Garbage collector should delete pods created by rc when not orphaning [Conformance]`
#[tokio::test]
async fn garbage_collector_should_delete_pods_created_by_rc_when_not_orphaning() {
    let world = World::start().await;
    let owner = world.create_controller("delete-pods", 2).await;
    // Perhaps only the first one: the collector must cope with a controller that was still at work.
    until("some pods", async || (!world.all_pods().await.is_empty()).then_some(())).await;
    world.controllers.delete("delete-pods", &exactly(&owner, DeleteParams::background())).await.unwrap();
    until("no pods", async || world.all_pods().await.is_empty().then_some(())).await;
    gone(&world.controllers, &owner).await;
}

/// `[sig-api-machinery] Garbage collector should orphan pods created by rc if delete options say so [Conformance]`
#[tokio::test]
async fn garbage_collector_should_orphan_pods_created_by_rc_if_delete_options_say_so() {
    let world = World::start().await;
    let owner = world.complete_controller("orphan-pods", 10).await;
    let mut before: Vec<String> = world.all_pods().await.iter().map(|pod| pod.uid().unwrap()).collect();
    world.controllers.delete("orphan-pods", &exactly(&owner, DeleteParams::orphan())).await.unwrap();
    gone(&world.controllers, &owner).await;
    let another = world.create_controller("another", 0).await;
    world.collector_comes_round(&world.controllers, &another).await;
    let orphans = world.all_pods().await;
    for pod in &orphans {
        assert!(pod.owner_references().is_empty() && pod.metadata.deletion_timestamp.is_none(), "{:?}", pod.metadata);
    }
    let mut after: Vec<String> = orphans.iter().map(|pod| pod.uid().unwrap()).collect();
    before.sort();
    after.sort();
    assert_eq!((before.len(), &before), (10, &after));
}

/// `[sig-api-machinery] Garbage collector should orphan RS created by deployment when deleteOptions.PropagationPolicy is
/// Orphan [Conformance]`
#[tokio::test]
async fn garbage_collector_should_orphan_rs_created_by_deployment_when_propagation_policy_is_orphan() {
    let world = World::start().await;
    let deployments: Api<Deployment> = world.api().await;
    let sets: Api<ReplicaSet> = world.api().await;
    let labels = json!({"gctest": "orphan-rs"});
    let spec = json!({"replicas": 2, "selector": {"matchLabels": labels}, "template": template(&labels)});
    let owner = create(&deployments, json!({"metadata": {"name": "orphan-rs"}, "spec": spec})).await;
    let all_sets = async || sets.list(&ListParams::default()).await.unwrap().items;
    let set = until("a ReplicaSet", async || all_sets().await.pop()).await;
    becomes(&sets, &set.name_any(), "its pods", |set| {
        let status = set.status.as_ref();
        status.is_some_and(|s| s.replicas == 2 && s.observed_generation >= set.metadata.generation)
    })
    .await;

    deployments.delete("orphan-rs", &exactly(&owner, DeleteParams::orphan())).await.unwrap();
    gone(&deployments, &owner).await;
    // A paused one makes no ReplicaSet.
    let labels = json!({"gctest": "another"});
    let spec = json!({"paused": true, "selector": {"matchLabels": labels}, "template": template(&labels)});
    let another = create(&deployments, json!({"metadata": {"name": "another"}, "spec": spec})).await;
    world.collector_comes_round(&deployments, &another).await;
    let remaining = all_sets().await;
    assert_eq!(remaining.len(), 1);
    assert_eq!(remaining[0].uid(), set.uid());
    assert!(remaining[0].owner_references().is_empty(), "{:?}", remaining[0].metadata);
    let pods = world.all_pods().await;
    assert_eq!(pods.len(), 2);
    assert!(pods.iter().all(|pod| pod.metadata.deletion_timestamp.is_none()));
}

/// `[sig-api-machinery] Garbage collector should not delete dependents that have both valid owner and owner that's waiting
/// for dependents to be deleted [Conformance]`
#[tokio::test]
async fn garbage_collector_should_not_delete_dependents_that_have_both_valid_owner_and_owner_thats_waiting() {
    let world = World::start().await;
    let goes = world.complete_controller("to-be-deleted", 10).await;
    let stays = world.create_controller("to-stay", 0).await;
    let uid = stays.uid().unwrap();
    let reference = json!({"apiVersion": "v1", "kind": "ReplicationController", "name": "to-stay", "uid": uid});
    let patch = Patch::Strategic(json!({"metadata": {"ownerReferences": [reference]}}));
    let mut shared = Vec::new();
    for pod in world.all_pods().await.iter().take(5) {
        let patched = world.pods.patch(&pod.name_any(), &PatchParams::default(), &patch).await.unwrap();
        assert_eq!(patched.owner_references().len(), 2);
        shared.push(patched.name_any());
    }

    world.controllers.delete("to-be-deleted", &exactly(&goes, DeleteParams::foreground())).await.unwrap();
    gone(&world.controllers, &goes).await;
    let left = world.all_pods().await;
    let names: Vec<String> = left.iter().map(|pod| pod.name_any()).collect();
    assert_eq!(names, shared);
    for pod in &left {
        assert!(pod.metadata.deletion_timestamp.is_none(), "{:?}", pod.metadata);
        let owners: Vec<&str> = pod.owner_references().iter().map(|owner| owner.uid.as_str()).collect();
        assert_eq!(owners, [uid.as_str()]);
    }
}
