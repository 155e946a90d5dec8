//! `[sig-api-machinery] Events` and `[sig-instrumentation] Events API`: both faces of the same objects.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::events::v1 as events;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::steps::{self, cluster_with, create, found, object};
use crate::client::client;

const LABEL: &str = "testevent-constant=true";

fn core_event(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"testevent-constant": "true"}},
        "message": format!("This is {name}"), "reason": "Test", "type": "Normal", "count": 1,
        "involvedObject": {"namespace": "default"},
    })
}

fn new_event(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"testevent-constant": "true"}},
        "regarding": {"namespace": "default"},
        "eventTime": "2017-09-19T13:49:16.000000Z",
        "note": format!("This is {name}"), "action": "Do", "reason": "Test", "type": "Normal",
        "reportingController": "test-controller", "reportingInstance": "test-node",
    })
}

fn the_test_event() -> Vec<(String, String)> {
    vec![("default".into(), "event-test".into())]
}

/// The only event that a field selector chooses is the test event.
async fn chosen_by<K: steps::Known>(api: &Api<K>, field: &str) {
    let list = api.list(&ListParams::default().fields(field)).await.unwrap();
    let names: Vec<String> = list.iter().map(kube::ResourceExt::name_any).collect();
    assert_eq!(names, ["event-test"], "{field}");
}

/// An event without what each write changes.
fn without_bookkeeping(mut event: events::Event) -> events::Event {
    event.metadata.resource_version = None;
    event.metadata.managed_fields = None;
    event
}

/// `[sig-api-machinery] Events should delete a collection of events [Conformance]`
#[tokio::test]
async fn core_events_should_delete_a_collection_of_events() {
    let (_cluster, api, _) = cluster_with::<core::Event>().await;
    steps::a_collection_comes_and_goes(&api, "testevent-set", |name| object(core_event(name))).await;
}

/// `[sig-api-machinery] Events should ensure that an event can be fetched, patched, deleted, and listed [Conformance]`
#[tokio::test]
async fn core_events_should_ensure_that_an_event_can_be_fetched_patched_deleted_and_listed() {
    let (_cluster, api, everywhere) = cluster_with::<core::Event>().await;
    create(&api, core_event("event-test")).await;
    assert_eq!(found(&everywhere, LABEL).await, the_test_event());
    let patch = Patch::Strategic(json!({"message": "This is a test event - patched"}));
    api.patch("event-test", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(api.get("event-test").await.unwrap().message.unwrap(), "This is a test event - patched");
    api.delete("event-test", &DeleteParams::default()).await.unwrap();
    assert!(found(&everywhere, LABEL).await.is_empty());
}

/// `[sig-instrumentation] Events API should delete a collection of events [Conformance]`
#[tokio::test]
async fn events_api_should_delete_a_collection_of_events() {
    let (_cluster, api, _) = cluster_with::<events::Event>().await;
    steps::a_collection_comes_and_goes(&api, "testevent-set", |name| object(new_event(name))).await;
}

/// `[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and listed
/// [Conformance]`
#[tokio::test]
async fn events_api_should_ensure_that_an_event_can_be_fetched_patched_deleted_and_listed() {
    let (cluster, api, everywhere) = cluster_with::<events::Event>().await;
    create(&api, new_event("event-test")).await;
    assert_eq!(found(&everywhere, LABEL).await, the_test_event());
    assert_eq!(found(&api, LABEL).await, the_test_event());
    let as_core: Api<core::Event> = Api::default_namespaced(client(&cluster).await);
    chosen_by(&as_core, "source=test-controller").await;
    chosen_by(&api, "reportingController=test-controller").await;

    let mut expected = without_bookkeeping(api.get("event-test").await.unwrap());
    let patch = Patch::Strategic(json!({"note": "This is a test event - patched"}));
    api.patch("event-test", &PatchParams::default(), &patch).await.unwrap();
    expected.note = Some("This is a test event - patched".into());
    assert_eq!(without_bookkeeping(api.get("event-test").await.unwrap()), expected);

    expected.series = object(json!({"count": 100, "lastObservedTime": "2017-09-19T13:49:16.000000Z"}));
    api.replace("event-test", &PostParams::default(), &expected).await.unwrap();
    assert_eq!(without_bookkeeping(api.get("event-test").await.unwrap()), expected);

    api.delete("event-test", &DeleteParams::default()).await.unwrap();
    assert!(found(&everywhere, LABEL).await.is_empty());
    assert!(found(&api, LABEL).await.is_empty());
}
