//! Copies that follow the cluster: streaming lists, reflectors, metadata alone, kinds without types.

use std::pin::pin;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{GroupVersionKind, PartialObjectMeta};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, reflector, watcher as watch};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::{client, config_map, config_maps, in_time, value};
use crate::harness::Cluster;

fn ours() -> watcher::Config {
    watcher::Config::default().labels("ours=yes")
}

async fn create(api: &Api<ConfigMap>, name: &str, text: &str) {
    let mut wanted = config_map(name, text);
    wanted.labels_mut().insert("ours".into(), "yes".into());
    api.create(&PostParams::default(), &wanted).await.unwrap();
}

async fn change(api: &Api<ConfigMap>, name: &str, text: &str) {
    let patch = Patch::Merge(json!({"data": {"value": text}}));
    api.patch(name, &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
async fn a_streaming_list_begins_a_watch() {
    let (_cluster, api) = config_maps().await;
    create(&api, "a", "1").await;
    create(&api, "b", "2").await;
    let mut stream = pin!(watch(api.clone(), ours().streaming_lists()).default_backoff());
    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "done") {
        told.push(match in_time("an event", stream.try_next()).await.unwrap().unwrap() {
            Event::Init => "begun".into(),
            Event::InitApply(object) => format!("listed {}", object.name_any()),
            Event::InitDone => "done".to_string(),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(told, ["begun", "listed a", "listed b", "done"]);
    change(&api, "b", "3").await;
    match in_time("an event", stream.try_next()).await.unwrap().unwrap() {
        Event::Apply(object) => assert_eq!(value(&object), "3"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_reflector_keeps_a_copy_up_to_date() {
    let (_cluster, api) = config_maps().await;
    create(&api, "a", "1").await;
    let (reader, writer) = reflector::store();
    let mut stream = pin!(watch(api.clone(), ours()).default_backoff().reflect(writer).touched_objects());
    let first = in_time("the first object", stream.try_next()).await.unwrap().unwrap();
    assert_eq!(first.name_any(), "a");
    create(&api, "b", "2").await;
    change(&api, "a", "3").await;
    api.delete("b", &kube::api::DeleteParams::default()).await.unwrap();
    let touched: Vec<String> =
        in_time("three events", stream.by_ref().take(3).map_ok(|o| o.name_any()).try_collect()).await.unwrap();
    assert_eq!(touched, ["b", "a", "b"]);
    let copy: Vec<String> = reader.state().iter().map(|o| format!("{}={}", o.name_any(), value(o))).collect();
    assert_eq!(copy, ["a=3"]);
}

#[tokio::test]
async fn metadata_is_enough_for_a_watch_and_a_list() {
    let (_cluster, api) = config_maps().await;
    create(&api, "a", "1").await;
    let listed = api.list_metadata(&ListParams::default().labels("ours=yes")).await.unwrap();
    assert_eq!(listed.items.iter().map(|item| item.name_any()).collect::<Vec<_>>(), ["a"]);
    let metadata: Api<PartialObjectMeta<ConfigMap>> = Api::default_namespaced(api.clone().into_client());
    let mut stream = pin!(watch(metadata, ours()).default_backoff().touched_objects());
    assert_eq!(in_time("the list", stream.try_next()).await.unwrap().unwrap().name_any(), "a");
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"note": "hi"}}}));
    let patched = api.patch_metadata("a", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(patched.annotations()["note"], "hi");
    let seen = in_time("the change", stream.try_next()).await.unwrap().unwrap();
    assert_eq!((seen.annotations()["note"].as_str(), seen.labels()["ours"].as_str()), ("hi", "yes"));
}

#[tokio::test]
async fn a_kind_without_a_type_is_watched_once_it_is_defined() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("demo.example.com", "v1", "Site"));
    let api: Api<DynamicObject> = Api::default_namespaced_with(client, &resource);
    // Before the definition there is nothing to list; the watcher says so and goes on trying.
    let mut stream = pin!(watch(api.clone(), watcher::Config::default()).default_backoff());
    assert!(matches!(in_time("a refusal", stream.next()).await, Some(Ok(Event::Init))));
    assert!(in_time("a refusal", stream.next()).await.unwrap().is_err());
    cluster.apply(crate::operator::site::DEFINITION);
    cluster.kubectl("wait --for=condition=established crd/sites.demo.example.com --timeout=30s").ok();
    let wanted = json!({"apiVersion": "demo.example.com/v1", "kind": "Site", "metadata": {"name": "blog"}, "spec": {"domain": "d"}});
    api.create(&PostParams::default(), &serde_json::from_value(wanted).unwrap()).await.unwrap();
    in_time("the object", async {
        loop {
            if let Some(Ok(Event::InitApply(object) | Event::Apply(object))) = stream.next().await {
                assert_eq!(object.data["spec"]["replicas"], 1);
                break;
            }
        }
    })
    .await;
}
