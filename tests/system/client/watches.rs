//! Watches: raw ones, and kube-runtime's watcher over reconnects and restarts.

use std::pin::pin;

use futures::{Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use serde_json::json;

use super::{client, config_map, config_maps, in_time, value};
use crate::harness::Cluster;

/// What a watcher says, in short; `None` for the frame around a list.
fn told(event: &Event<ConfigMap>) -> Option<String> {
    match event {
        Event::Init | Event::InitDone => None,
        Event::InitApply(object) => Some(format!("listed {}={}", object.name_any(), value(object))),
        Event::Apply(object) => Some(format!("applied {}={}", object.name_any(), value(object))),
        Event::Delete(object) => Some(format!("deleted {}={}", object.name_any(), value(object))),
    }
}

/// The next thing that the watcher tells; errors are the backoff's business.
async fn next(stream: &mut (impl Stream<Item = Result<Event<ConfigMap>, watcher::Error>> + Unpin)) -> String {
    in_time("an event", async {
        loop {
            let event = stream.next().await.expect("watchers never end");
            if let Some(told) = event.ok().as_ref().and_then(told) {
                return told;
            }
        }
    })
    .await
}

fn only_ours() -> watcher::Config {
    watcher::Config::default().fields("metadata.name!=kube-root-ca.crt")
}

#[tokio::test]
async fn a_raw_watch_tells_everything_in_order() {
    let (_cluster, api) = config_maps().await;
    let created = api.create(&PostParams::default(), &config_map("a", "0")).await.unwrap();
    let from = created.resource_version().unwrap();
    for number in 1..=3 {
        let patch = Patch::Merge(json!({"data": {"value": number.to_string()}}));
        api.patch("a", &PatchParams::default(), &patch).await.unwrap();
    }
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let params = WatchParams::default().fields("metadata.name=a").timeout(1);
    let events: Vec<_> = api.watch(&params, &from).await.unwrap().try_collect().await.unwrap();
    let mut versions = Vec::new();
    let mut seen = Vec::new();
    for event in &events {
        let (kind, object) = match event {
            WatchEvent::Added(object) => ("added", object),
            WatchEvent::Modified(object) => ("modified", object),
            WatchEvent::Deleted(object) => ("deleted", object),
            WatchEvent::Bookmark(_) => continue,
            WatchEvent::Error(status) => panic!("{status:?}"),
        };
        versions.push(object.resource_version().unwrap().parse::<u64>().unwrap());
        seen.push(format!("{kind} {}", value(object)));
    }
    assert_eq!(seen, ["modified 1", "modified 2", "modified 3", "deleted 3"]);
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

#[tokio::test]
async fn a_selector_makes_changes_into_comings_and_goings() {
    let (_cluster, api) = config_maps().await;
    let mut wanted = config_map("a", "0");
    let created = api.create(&PostParams::default(), &wanted).await.unwrap();
    for label in ["red", "red", "blue"] {
        wanted.labels_mut().insert("colour".into(), label.into());
        let count = wanted.data.as_ref().map_or(0, std::collections::BTreeMap::len);
        wanted.data.as_mut().unwrap().insert(format!("entry-{count}"), String::new());
        api.replace("a", &PostParams::default(), &wanted).await.unwrap();
    }
    let params = WatchParams::default().labels("colour=red").timeout(1);
    let events: Vec<_> =
        api.watch(&params, &created.resource_version().unwrap()).await.unwrap().try_collect().await.unwrap();
    let kinds: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            WatchEvent::Added(_) => Some("added"),
            WatchEvent::Modified(_) => Some("modified"),
            WatchEvent::Deleted(_) => Some("deleted"),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, ["added", "modified", "deleted"]);
}

#[tokio::test]
async fn a_watcher_misses_and_repeats_nothing_over_reconnects() {
    let (_cluster, api) = config_maps().await;
    api.create(&PostParams::default(), &config_map("a", "0")).await.unwrap();
    // The server ends each watch after a second; the watcher resumes where it was, without listing again.
    let mut stream = pin!(watch(api.clone(), only_ours().timeout(1)).default_backoff());
    assert_eq!(next(&mut stream).await, "listed a=0");
    let mut numbers = tokio::time::interval(std::time::Duration::from_millis(250));
    for number in 1..=10 {
        numbers.tick().await;
        let patch = Patch::Merge(json!({"data": {"value": number.to_string()}}));
        api.patch("a", &PatchParams::default(), &patch).await.unwrap();
        assert_eq!(next(&mut stream).await, format!("applied a={number}"));
    }
    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(next(&mut stream).await, "deleted a=10");
}

#[tokio::test]
async fn a_watcher_comes_back_after_the_server_did() {
    let mut cluster = Cluster::start();
    let api = kube::Api::<ConfigMap>::default_namespaced(client(&cluster).await);
    api.create(&PostParams::default(), &config_map("a", "0")).await.unwrap();
    let mut stream = pin!(watch(api.clone(), only_ours()).default_backoff());
    assert_eq!(next(&mut stream).await, "listed a=0");
    cluster.stop();
    cluster.boot();
    let again = kube::Api::<ConfigMap>::default_namespaced(client(&cluster).await);
    again.create(&PostParams::default(), &config_map("b", "1")).await.unwrap();
    // Whether it may resume or must list again depends on how much history survived; both lead to b.
    in_time("b", async { while !next(&mut stream).await.ends_with(" b=1") {} }).await;
}

#[tokio::test]
async fn a_watch_from_the_future_or_from_nowhere_is_refused() {
    let (_cluster, api) = config_maps().await;
    let error = api.watch(&WatchParams::default().timeout(1), "nonsense").await.err();
    let error = super::refusal(error.expect("it is no version"));
    // No storage error has a status of its own upstream.
    assert_eq!(error, (500, String::new()));
}
