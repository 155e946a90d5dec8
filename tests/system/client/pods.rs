//! Pods as a program sees them: waiting for them, their logs, and what happened to them.

use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event as CoreEvent, Node, Pod};
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, LogParams, PostParams};
use kube::runtime::events::{EventType, Recorder, Reporter};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::json;

use super::{client, in_time, object};
use crate::harness::{Cluster, guests};

/// A pod of the guest of the same name.
fn pod(name: &str) -> Pod {
    object(json!({
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": guests::image(name)}],
        },
    }))
}

#[tokio::test]
async fn a_pod_is_created_awaited_followed_and_deleted() {
    let cluster = Cluster::start();
    guests::push(&cluster, "ticker", guests::TICKER);
    let api: Api<Pod> = Api::default_namespaced(client(&cluster).await);
    let created = api.create(&PostParams::default(), &pod("ticker")).await.unwrap();
    in_time("running", await_condition(api.clone(), "ticker", conditions::is_pod_running())).await.unwrap();

    let follow = LogParams { follow: true, ..LogParams::default() };
    let mut lines = api.log_stream("ticker", &follow).await.unwrap().lines();
    for _ in 0..5 {
        assert_eq!(in_time("a line", lines.try_next()).await.unwrap().as_deref(), Some("tick"));
    }
    let tail = LogParams { tail_lines: Some(2), ..LogParams::default() };
    assert_eq!(api.logs("ticker", &tail).await.unwrap(), "tick\ntick\n");

    api.delete("ticker", &DeleteParams::default()).await.unwrap();
    // The stream ends with the container.
    in_time("the end of the log", async { while lines.try_next().await.unwrap().is_some() {} }).await;
    let uid = created.uid().unwrap();
    in_time("gone", await_condition(api, "ticker", conditions::is_deleted(&uid))).await.unwrap();
}

#[tokio::test]
async fn a_job_is_awaited() {
    let cluster = Cluster::start();
    guests::push(&cluster, "quick", guests::QUICK);
    let api: Api<Job> = Api::default_namespaced(client(&cluster).await);
    let wanted: Job = object(json!({
        "metadata": {"name": "quick"},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": guests::image("quick")}],
        }}},
    }));
    api.create(&PostParams::default(), &wanted).await.unwrap();
    let done = in_time("completed", await_condition(api, "quick", conditions::is_job_completed())).await.unwrap();
    assert_eq!(done.unwrap().status.unwrap().succeeded, Some(1));
}

#[tokio::test]
async fn events_are_recorded_counted_and_found() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let node = Api::<Node>::all(client.clone()).get("node").await.unwrap();
    let recorder = Recorder::new(client.clone(), Reporter { controller: "tester".into(), instance: None });
    let event = kube::runtime::events::Event {
        type_: EventType::Warning,
        reason: "Noticed".into(),
        note: Some("something to look at".into()),
        action: "Looking".into(),
        secondary: None,
    };
    // The second makes a series of the first.
    for _ in 0..2 {
        recorder.publish(&event, &node.object_ref(&())).await.unwrap();
    }
    let new: Api<Event> = Api::default_namespaced(client.clone());
    let found = new.list(&ListParams::default().fields("reason=Noticed")).await.unwrap().items;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].series.as_ref().map(|series| series.count), Some(2));

    // The same object through the older API.
    let old: Api<CoreEvent> = Api::default_namespaced(client);
    let fields = ListParams::default().fields("involvedObject.name=node,reason=Noticed,type=Warning");
    let found = old.list(&fields).await.unwrap().items;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message.as_deref(), Some("something to look at"));
}
