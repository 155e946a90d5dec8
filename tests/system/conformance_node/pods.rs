//! `[k8s.io] Pods`: the specs that watch a pod from its creation to its deletion, by a program.

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::site::{Site, pod};
use crate::client::{client, in_time, object};
use crate::harness::guests::TOOLBOX;

type Events = BoxStream<'static, kube::Result<WatchEvent<Pod>>>;

async fn pods(site: &Site) -> Api<Pod> {
    Api::namespaced(client(site.cluster()).await, &site.namespace)
}

async fn watch(api: &Api<Pod>, labels: &str) -> Events {
    let none = api.list(&ListParams::default().labels(labels)).await.unwrap();
    assert!(none.items.is_empty());
    let params = WatchParams::default().labels(labels).disable_bookmarks();
    api.watch(&params, &none.metadata.resource_version.unwrap()).await.unwrap().boxed()
}

/// Reads events until one is as wanted.
async fn sees(events: &mut Events, what: &str, wanted: impl Fn(&WatchEvent<Pod>) -> bool) -> Pod {
    let found = async {
        loop {
            let event = events.try_next().await.unwrap().expect("the watch goes on");
            if wanted(&event)
                && let WatchEvent::Added(pod) | WatchEvent::Modified(pod) | WatchEvent::Deleted(pod) = event
            {
                return pod;
            }
        }
    };
    in_time(what, found).await
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn is_running(event: &WatchEvent<Pod>) -> bool {
    matches!(event, WatchEvent::Added(pod) | WatchEvent::Modified(pod) if phase(pod) == "Running")
}

/// `[k8s.io] Pods should be submitted and removed [NodeConformance] [Conformance]`
#[tokio::test(flavor = "multi_thread")]
async fn submitted_and_removed() {
    let site = Site::new();
    let api = pods(&site).await;
    let mut events = watch(&api, "time=now").await;
    let mut wanted = pod("submitted", &["sleep", "600"], &json!({}));
    wanted["metadata"]["labels"] = json!({"name": "foo", "time": "now"});
    api.create(&PostParams::default(), &object(wanted)).await.unwrap();
    assert_eq!(api.list(&ListParams::default().labels("time=now")).await.unwrap().items.len(), 1);
    sees(&mut events, "the creation", |event| matches!(event, WatchEvent::Added(_))).await;
    sees(&mut events, "the pod running", is_running).await;
    api.delete("submitted", &DeleteParams::default().grace_period(30)).await.unwrap();
    let last = sees(&mut events, "the deletion", |event| matches!(event, WatchEvent::Deleted(_))).await;
    assert!(last.metadata.deletion_timestamp.is_some() && last.spec.is_some(), "{last:?}");
    assert_eq!(last.metadata.deletion_grace_period_seconds, Some(0), "the node has let go");
    assert!(api.list(&ListParams::default().labels("time=now")).await.unwrap().items.is_empty());
}

/// `[k8s.io] Pods should run through the lifecycle of Pods and PodStatus [Conformance]`
#[tokio::test(flavor = "multi_thread")]
async fn lifecycle_of_pods_and_their_status() {
    let site = Site::new();
    let api = pods(&site).await;
    let labels = "test-pod-static=true";
    let mut events = watch(&api, labels).await;
    let mut wanted = pod("pod-test", &["sleep", "600"], &json!({}));
    wanted["metadata"]["labels"] = json!({"test-pod-static": "true"});
    wanted["spec"]["restartPolicy"] = json!("Always");
    wanted["spec"]["terminationGracePeriodSeconds"] = json!(0);
    api.create(&PostParams::default(), &object(wanted)).await.unwrap();
    let running = sees(&mut events, "the pod running", is_running).await;

    // Another image, here the same by another name, starts the container again.
    let other = TOOLBOX.replace(":1", ":2");
    let patch = json!({
        "metadata": {"labels": {"test-pod": "patched"}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "main", "image": other}]},
    });
    api.patch("pod-test", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
    sees(&mut events, "the change", |event| matches!(event, WatchEvent::Modified(_))).await;
    let patched = api.get("pod-test").await.unwrap();
    assert_eq!(patched.labels()["test-pod"], "patched");
    assert_eq!(patched.spec.unwrap().containers[0].image.as_ref(), Some(&other));

    let mut status = api.get_status("pod-test").await.unwrap();
    let conditions = |pod: &mut Pod| pod.status.as_mut().unwrap().conditions.take().unwrap_or_default();
    let mut changed = conditions(&mut running.clone());
    let mut count = 0;
    for condition in &mut changed {
        if matches!(condition.type_.as_str(), "Ready" | "ContainersReady") {
            condition.status = "False".into();
            count += 1;
        }
    }
    assert_eq!(count, 2);
    status.status.as_mut().unwrap().conditions = Some(changed);
    status.metadata.resource_version = None;
    let mut updated = api.replace_status("pod-test", &PostParams::default(), &status).await.unwrap();
    let told = conditions(&mut updated);
    let told = told.iter().filter(|condition| matches!(condition.type_.as_str(), "Ready" | "ContainersReady"));
    assert!(told.map(|condition| condition.status.as_str()).eq(["False"; 2]));

    let at_once = DeleteParams::default().grace_period(0);
    api.delete_collection(&at_once, &ListParams::default().labels(labels)).await.unwrap();
    sees(&mut events, "the deletion", |event| matches!(event, WatchEvent::Deleted(_))).await;
}

/// A container whose image is replaced in a running pod is started again with it.
#[tokio::test(flavor = "multi_thread")]
async fn another_image_in_place() {
    let site = Site::new();
    let api = pods(&site).await;
    let mut wanted = pod("image", &["sleep", "600"], &json!({}));
    wanted["metadata"]["labels"] = json!({"name": "image"});
    wanted["spec"]["restartPolicy"] = json!("Always");
    let mut events = watch(&api, "name=image").await;
    api.create(&PostParams::default(), &object(wanted)).await.unwrap();
    sees(&mut events, "the pod running", is_running).await;
    let missing = TOOLBOX.replace("toolbox", "missing");
    for (image, restarts) in [(missing.as_str(), None), (TOOLBOX, Some(1))] {
        let patch = json!({"spec": {"containers": [{"name": "main", "image": image}]}});
        api.patch("image", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
        let what = format!("{image}, {restarts:?} restarts");
        sees(&mut events, &what, |event| {
            let WatchEvent::Modified(pod) = event else { return false };
            let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
            let state = statuses.and_then(|statuses| Some((statuses[0].restart_count, statuses[0].state.as_ref()?)));
            match restarts {
                Some(count) => state.is_some_and(|(found, state)| found >= count && state.running.is_some()),
                None => state.is_some_and(|(_, state)| {
                    let reason = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref());
                    matches!(reason, Some("ErrImagePull" | "ImagePullBackOff"))
                }),
            }
        })
        .await;
    }
}
