//! `[sig-apps] ReplicationController`

use k8s_openapi::api::core::v1::{Pod, ReplicationController, ResourceQuota};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::steps::{becomes, cluster_with, create, in_time};
use crate::client::client;

fn controller(name: &str, replicas: i32) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"name": name},
            "template": {
                "metadata": {"labels": {"name": name}},
                "spec": {"containers": [{"name": name, "image": "registry.coracle.internal/web:1"}]},
            },
        },
    })
}

/// Whether the controller has seen this generation, and says that it can't make its pods.
fn judged(controller: &ReplicationController, generation: i64, failing: bool) -> bool {
    let status = controller.status.as_ref().unwrap();
    let mut conditions = status.conditions.iter().flatten();
    let fails = conditions.any(|condition| condition.type_ == "ReplicaFailure");
    status.observed_generation.unwrap_or_default() >= generation && fails == failing
}

/// `[sig-apps] ReplicationController should release no longer matching pods [Conformance]`
#[tokio::test]
async fn replication_controller_should_release_no_longer_matching_pods() {
    let (cluster, controllers, _) = cluster_with::<ReplicationController>().await;
    let pods: Api<Pod> = Api::default_namespaced(client(&cluster).await);
    let owner = create(&controllers, controller("pod-release", 1)).await;
    becomes(&controllers, "pod-release", "a replica", |rc| rc.status.as_ref().is_some_and(|s| s.replicas == 1)).await;
    let selected = ListParams::default().labels("name=pod-release");
    let pod = pods.list(&selected).await.unwrap().items.remove(0);
    let owned_by_it = |pod: &Pod| {
        let uid = owner.uid().unwrap();
        pod.owner_references().iter().any(|reference| reference.controller == Some(true) && reference.uid == uid)
    };
    assert!(owned_by_it(&pod));

    // The node writes to the pod as well: who comes second gets a conflict and tries again.
    let name = pod.name_any();
    in_time("the update", async {
        loop {
            let mut wanted = pods.get(&name).await.unwrap();
            wanted.labels_mut().insert("name".into(), "not-matching-name".into());
            match pods.replace(&name, &PostParams::default(), &wanted).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                other => return other.unwrap(),
            }
        }
    })
    .await;
    let released = becomes(&pods, &name, "released", |pod| !owned_by_it(pod)).await;
    assert_eq!(released.uid(), pod.uid());
}

/// `[sig-apps] ReplicationController should surface a failure condition on a common issue like exceeded quota
/// [Conformance]`
#[tokio::test]
async fn replication_controller_should_surface_a_failure_condition_on_a_common_issue_like_exceeded_quota() {
    let (cluster, controllers, _) = cluster_with::<ReplicationController>().await;
    let quotas: Api<ResourceQuota> = Api::default_namespaced(client(&cluster).await);
    let name = "condition-test";
    create(&quotas, json!({"metadata": {"name": name}, "spec": {"hard": {"pods": "2"}}})).await;
    becomes(&quotas, name, "the quota's status", |quota| {
        let hard = quota.status.as_ref().and_then(|status| status.hard.as_ref());
        hard.and_then(|hard| hard.get("pods")).is_some_and(|pods| pods.0 == "2")
    })
    .await;

    let created = create(&controllers, controller(name, 3)).await;
    let generation = created.metadata.generation.unwrap();
    becomes(&controllers, name, "failing", |rc| judged(rc, generation, true)).await;

    let patch = Patch::Merge(json!({"spec": {"replicas": 2}}));
    let scaled = controllers.patch(name, &PatchParams::default(), &patch).await.unwrap();
    let generation = scaled.metadata.generation.unwrap();
    let well = |rc: Option<&ReplicationController>| rc.is_some_and(|rc| judged(rc, generation, false));
    in_time("well again", await_condition(controllers, name, well)).await.unwrap();
}
