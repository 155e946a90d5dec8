//! `[k8s.io] Lease` and `[k8s.io] Pods`

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::steps::{cluster_with, create, found, object, refused};
use super::waits::until;

/// What a holder says; the times are in the first minute of the calendar.
fn lease(holder: &str, duration: i32, acquired: u32, renewed: u32, transitions: i32) -> Value {
    let time = |second: u32| format!("0001-01-01T00:{:02}:{:02}.000000Z", second / 60, second % 60);
    json!({
        "holderIdentity": holder, "leaseDurationSeconds": duration, "leaseTransitions": transitions,
        "acquireTime": time(acquired), "renewTime": time(renewed),
    })
}

async fn spec_of(api: &Api<Lease>, name: &str) -> LeaseSpec {
    api.get(name).await.unwrap().spec.unwrap()
}

/// `[k8s.io] Lease lease API should be available [Conformance]`
#[tokio::test]
async fn lease_api_should_be_available() {
    let (_cluster, api, everywhere) = cluster_with::<Lease>().await;
    let first = lease("holder", 30, 2, 5, 0);
    let mut wanted = create(&api, json!({"metadata": {"name": "lease"}, "spec": first})).await;
    assert_eq!(spec_of(&api, "lease").await, object(first.clone()));

    let second: LeaseSpec = object(lease("holder2", 30, 20, 50, 1));
    wanted.spec = Some(second.clone());
    api.replace("lease", &PostParams::default(), &wanted).await.unwrap();
    assert_eq!(spec_of(&api, "lease").await, second);

    let third = lease("holder3", 60, 50, 70, 2);
    let patch = Patch::Strategic(json!({"spec": third}));
    api.patch("lease", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(spec_of(&api, "lease").await, object(third));

    let labels = json!({"deletecollection": "true"});
    create(&api, json!({"metadata": {"name": "lease2", "labels": labels}, "spec": first})).await;
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 2);
    let labelled = ListParams::default().labels("deletecollection=true");
    api.delete_collection(&DeleteParams::default(), &labelled).await.unwrap();
    let left = api.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(left.iter().map(|lease| lease.name_any()).collect::<Vec<_>>(), ["lease"]);
    api.delete("lease", &DeleteParams::default()).await.unwrap();
    assert_eq!(refused(api.get("lease").await), 404);
    everywhere.list(&ListParams::default()).await.unwrap();
}

/// `[k8s.io] Pods should delete a collection of pods [Conformance]`
#[tokio::test]
async fn pods_should_delete_a_collection_of_pods() {
    let (_cluster, api, _) = cluster_with::<Pod>().await;
    for name in ["test-pod-1", "test-pod-2", "test-pod-3"] {
        let spec = json!({
            "terminationGracePeriodSeconds": 0, "restartPolicy": "Never",
            "containers": [{"name": "token-test", "image": "registry.coracle.internal/web:1"}],
        });
        create(&api, json!({"metadata": {"name": name, "labels": {"type": "Testing"}}, "spec": spec})).await;
    }
    assert_eq!(found(&api, "type=Testing").await.len(), 3);
    let at_once = DeleteParams::default().grace_period(0);
    api.delete_collection(&at_once, &ListParams::default().labels("type=Testing")).await.unwrap();
    until("no pods", async || found(&api, "type=Testing").await.is_empty().then_some(())).await;
}

/// `[k8s.io] [sig-node] Pods Extended [k8s.io] Pods Set QOS Class should be set on Pods with matching resource requests
/// and limits for memory and cpu [Conformance]`
#[tokio::test]
async fn qos_class_should_be_set_on_pods_with_matching_resource_requests_and_limits_for_memory_and_cpu() {
    let (_cluster, api, _) = cluster_with::<Pod>().await;
    let resources = json!({"cpu": "100m", "memory": "100Mi"});
    let container = json!({
        "name": "main", "image": "registry.coracle.internal/web:1",
        "resources": {"requests": resources, "limits": resources},
    });
    create(&api, json!({"metadata": {"name": "qos"}, "spec": {"containers": [container]}})).await;
    let status = api.get("qos").await.unwrap().status.unwrap();
    assert_eq!(status.qos_class.as_deref(), Some("Guaranteed"));
}
