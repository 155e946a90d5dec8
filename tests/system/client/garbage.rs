//! Owners, finalizers, and what goes with what.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::json;

use super::{client, config_map, config_maps, in_time, object};
use crate::harness::Cluster;

/// Creates `owner`, and `owned` that belongs to it; `blocking` holds up a foreground deletion.
async fn family(api: &Api<ConfigMap>, blocking: bool) -> (ConfigMap, ConfigMap) {
    let owner = api.create(&PostParams::default(), &config_map("owner", "")).await.unwrap();
    let mut wanted = config_map("owned", "");
    let mut reference = owner.owner_ref(&()).unwrap();
    reference.block_owner_deletion = Some(blocking);
    wanted.owner_references_mut().push(reference);
    let owned = api.create(&PostParams::default(), &wanted).await.unwrap();
    (owner, owned)
}

async fn gone(api: &Api<ConfigMap>, object: &ConfigMap) {
    let (name, uid) = (object.name_any(), object.uid().unwrap());
    in_time(&name, await_condition(api.clone(), &name, conditions::is_deleted(&uid))).await.unwrap();
}

#[tokio::test]
async fn in_the_background_the_owner_goes_first() {
    let (_cluster, api) = config_maps().await;
    let (_, owned) = family(&api, true).await;
    api.delete("owner", &DeleteParams::background()).await.unwrap();
    assert!(api.get_opt("owner").await.unwrap().is_none());
    gone(&api, &owned).await;
}

#[tokio::test]
async fn in_the_foreground_the_owner_waits() {
    let (_cluster, api) = config_maps().await;
    let (owner, owned) = family(&api, true).await;
    // A finalizer keeps the owned object for as long as the test looks.
    let hold = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/hold"]}}));
    api.patch("owned", &PatchParams::default(), &hold).await.unwrap();
    let waiting = api.delete("owner", &DeleteParams::foreground()).await.unwrap().left().expect("it is still there");
    assert_eq!(waiting.finalizers(), ["foregroundDeletion"]);
    assert!(waiting.meta().deletion_timestamp.is_some());
    let marked = |object: Option<&ConfigMap>| object.is_some_and(|o| o.meta().deletion_timestamp.is_some());
    in_time("owned is marked", await_condition(api.clone(), "owned", marked)).await.unwrap();
    assert!(api.get_opt("owner").await.unwrap().is_some());
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch("owned", &PatchParams::default(), &release).await.unwrap();
    gone(&api, &owned).await;
    gone(&api, &owner).await;
}

#[tokio::test]
async fn orphans_live_on_without_their_owner() {
    let (_cluster, api) = config_maps().await;
    let (owner, owned) = family(&api, true).await;
    api.delete("owner", &DeleteParams::orphan()).await.unwrap();
    gone(&api, &owner).await;
    let orphan = api.get("owned").await.unwrap();
    assert_eq!(orphan.uid(), owned.uid());
    assert!(orphan.owner_references().is_empty() && orphan.meta().deletion_timestamp.is_none());
}

#[tokio::test]
async fn a_finalizer_holds_an_object_that_is_deleted() {
    let (_cluster, api) = config_maps().await;
    let mut wanted = config_map("a", "one");
    wanted.finalizers_mut().push("example.com/hold".into());
    let created = api.create(&PostParams::default(), &wanted).await.unwrap();
    let held = api.delete("a", &DeleteParams::default()).await.unwrap().left().expect("it is held");
    assert!(held.meta().deletion_timestamp.is_some());
    assert_eq!(held.meta().deletion_grace_period_seconds, Some(0));

    // What is being deleted gets no new finalizers.
    let more = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}));
    assert_eq!(super::refusal(api.patch("a", &PatchParams::default(), &more).await.unwrap_err()).0, 422);
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch("a", &PatchParams::default(), &release).await.unwrap();
    gone(&api, &created).await;
}

#[tokio::test]
async fn an_owner_that_never_was_takes_its_own_along() {
    let (_cluster, api) = config_maps().await;
    let mut wanted = config_map("stray", "");
    wanted.owner_references_mut().push(object(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "6f1ce0ef-7d0c-4ab5-9c5d-b4b1b9f1a001",
    })));
    let stray = api.create(&PostParams::default(), &wanted).await.unwrap();
    gone(&api, &stray).await;
}

#[tokio::test]
async fn a_deployment_takes_its_replica_sets_along_unless_orphaned() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let sets: Api<ReplicaSet> = Api::default_namespaced(client);
    let wanted: Deployment = object(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "x:1"}]},
            },
        },
    }));
    let selected = ListParams::default().labels("app=web");
    let count = async |expected: usize| {
        in_time("the ReplicaSets", async {
            while sets.list(&selected).await.unwrap().items.len() != expected {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await;
    };
    deployments.create(&PostParams::default(), &wanted).await.unwrap();
    count(1).await;
    let first = deployments.get("web").await.unwrap();
    deployments.delete("web", &DeleteParams::orphan()).await.unwrap();
    in_time("web", await_condition(deployments.clone(), "web", conditions::is_deleted(&first.uid().unwrap())))
        .await
        .unwrap();
    assert!(sets.list(&selected).await.unwrap().items[0].owner_references().is_empty());

    // A Deployment with the same template adopts it, and takes it along this time.
    let second = deployments.create(&PostParams::default(), &wanted).await.unwrap();
    in_time("adoption", async {
        while sets.list(&selected).await.unwrap().items[0].owner_references().first().map(|o| &o.uid)
            != second.metadata.uid.as_ref()
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    deployments.delete("web", &DeleteParams::background()).await.unwrap();
    count(0).await;
}
