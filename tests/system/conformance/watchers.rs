//! `[sig-api-machinery] Watchers`
//!
//! Streams tell everything in order: that something is not told shows when what comes after it is told next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::steps::{becomes, cluster_with, create, in_time, object};

const LABEL: &str = "watch-this-configmap";

type Events = BoxStream<'static, kube::Result<WatchEvent<ConfigMap>>>;

/// Watches what has the label with this value, from a version on.
async fn watch(api: &Api<ConfigMap>, value: &str, from: &str) -> Events {
    let params = WatchParams::default().labels(&format!("{LABEL} in ({value})")).disable_bookmarks();
    api.watch(&params, from).await.unwrap().boxed()
}

/// What is told next.
async fn next(events: &mut Events) -> (&'static str, ConfigMap) {
    match in_time("an event", events.try_next()).await.unwrap().expect("the watch goes on") {
        WatchEvent::Added(object) => ("added", object),
        WatchEvent::Modified(object) => ("modified", object),
        WatchEvent::Deleted(object) => ("deleted", object),
        other => panic!("{other:?}"),
    }
}

/// Fails unless this object's deletion is told next.
async fn deletion_is_next(events: &mut Events, of: &ConfigMap) {
    let (kind, told) = next(events).await;
    assert_eq!((kind, told.uid()), ("deleted", of.uid()));
}

async fn create_labelled(api: &Api<ConfigMap>, name: &str, value: &str) -> ConfigMap {
    create(api, json!({"metadata": {"name": name, "labels": {LABEL: value}}})).await
}

/// Changes the label and what the map says.
async fn update(api: &Api<ConfigMap>, of: &ConfigMap, label: &str, mutation: &str) -> ConfigMap {
    let mut wanted = api.get(&of.name_any()).await.unwrap();
    wanted.labels_mut().insert(LABEL.into(), label.into());
    wanted.data = Some(BTreeMap::from([("mutation".into(), mutation.into())]));
    api.replace(&of.name_any(), &PostParams::default(), &wanted).await.unwrap()
}

/// `[sig-api-machinery] Watchers should be able to start watching from a specific resource version [Conformance]`
#[tokio::test]
async fn watchers_should_be_able_to_start_watching_from_a_specific_resource_version() {
    let (_cluster, api, _) = cluster_with::<ConfigMap>().await;
    let created = create_labelled(&api, "from-version", "from-version").await;
    let first = update(&api, &created, "from-version", "1").await;
    let second = update(&api, &created, "from-version", "2").await;
    api.delete("from-version", &DeleteParams::default()).await.unwrap();

    let mut events = watch(&api, "from-version", &first.resource_version().unwrap()).await;
    assert_eq!(next(&mut events).await, ("modified", second));
    deletion_is_next(&mut events, &created).await;
}

/// `[sig-api-machinery] Watchers should be able to restart watching from the last resource version observed by the
/// previous watch [Conformance]`
#[tokio::test]
async fn watchers_should_be_able_to_restart_watching_from_the_last_resource_version_observed() {
    let (_cluster, api, _) = cluster_with::<ConfigMap>().await;
    let mut broken = watch(&api, "restarted", "").await;
    let created = create_labelled(&api, "restarted", "restarted").await;
    let first = update(&api, &created, "restarted", "1").await;
    assert_eq!(next(&mut broken).await, ("added", created.clone()));
    let last = next(&mut broken).await;
    assert_eq!(last, ("modified", first));
    drop(broken);

    let second = update(&api, &created, "restarted", "2").await;
    let mut restarted = watch(&api, "restarted", &last.1.resource_version().unwrap()).await;
    api.delete("restarted", &DeleteParams::default()).await.unwrap();
    assert_eq!(next(&mut restarted).await, ("modified", second));
    deletion_is_next(&mut restarted, &created).await;
}

/// `[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements of the selector
/// [Conformance]`
#[tokio::test]
async fn watchers_should_observe_an_object_deletion_if_it_stops_meeting_the_requirements_of_the_selector() {
    let (_cluster, api, _) = cluster_with::<ConfigMap>().await;
    let mut events = watch(&api, "wanted", "").await;
    let created = create_labelled(&api, "label-changed", "wanted").await;
    let first = update(&api, &created, "wanted", "1").await;
    update(&api, &created, "wrong", "1").await;
    assert_eq!(next(&mut events).await, ("added", created.clone()));
    assert_eq!(next(&mut events).await, ("modified", first));
    deletion_is_next(&mut events, &created).await;

    // Nobody is told of the second change.
    update(&api, &created, "wrong", "2").await;
    let restored = update(&api, &created, "wanted", "2").await;
    let third = update(&api, &created, "wanted", "3").await;
    api.delete("label-changed", &DeleteParams::default()).await.unwrap();
    assert_eq!(next(&mut events).await, ("added", restored));
    assert_eq!(next(&mut events).await, ("modified", third));
    deletion_is_next(&mut events, &created).await;
}

/// Creates, changes and deletes maps until it is told to stop.
async fn keep_writing(api: Api<ConfigMap>, stop: Arc<AtomicBool>) {
    let map = |number: usize| -> ConfigMap { object(json!({"metadata": {"name": format!("cm-{number}")}})) };
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        // Two live at any time: one comes, the other changes and goes.
        api.create(&PostParams::default(), &map(number)).await.unwrap();
        if let Some(older) = number.checked_sub(1) {
            let mut changed = map(older);
            changed.data = Some(BTreeMap::from([("mutation".into(), number.to_string())]));
            api.replace(&changed.name_any(), &PostParams::default(), &changed).await.unwrap();
            api.delete(&changed.name_any(), &DeleteParams::default()).await.unwrap();
        }
        number += 1;
    }
}

/// `[sig-api-machinery] Watchers should receive events on concurrent watches in same order [Conformance]`
#[tokio::test]
async fn watchers_should_receive_events_on_concurrent_watches_in_same_order() {
    const WATCHES: usize = 100;
    let (_cluster, api, _) = cluster_with::<ConfigMap>().await;
    // What is there before a watch has no order, so it is one object, and the writing begins when it has been told.
    let known = becomes(&api, "kube-root-ca.crt", "the CA", |_| true).await;
    let mut watches: Vec<Events> = Vec::new();
    let params = WatchParams::default().disable_bookmarks();
    watches.push(api.watch(&params, "0").await.unwrap().boxed());
    assert_eq!(next(&mut watches[0]).await.1, known);

    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(keep_writing(api.clone(), stop.clone()));
    let mut version = known.resource_version().unwrap();
    while watches.len() < WATCHES {
        watches.push(api.watch(&params, &version).await.unwrap().boxed());
        let (first, others) = watches.split_first_mut().expect("there is one");
        let (kind, told) = next(first).await;
        for other in others {
            assert_eq!(next(other).await, (kind, told.clone()));
        }
        version = told.resource_version().unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
}
