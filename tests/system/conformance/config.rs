//! `[sig-node] ConfigMap`, `[sig-node] PodTemplates` and the PriorityClasses of `[sig-scheduling]`.

use k8s_openapi::api::core::v1::{ConfigMap, PodTemplate};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::steps::{self, cluster_with, create, found, object, refused};
use crate::client::client;
use crate::harness::Cluster;

fn template(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"podtemplate-static": "true"}},
        "template": {"spec": {"containers": [{"name": "web", "image": "registry.coracle.internal/web:1"}]}},
    })
}

/// `[sig-node] ConfigMap should fail to create ConfigMap with empty key [Conformance]`
#[tokio::test]
async fn config_map_should_fail_to_create_config_map_with_empty_key() {
    let (_cluster, api, _) = cluster_with::<ConfigMap>().await;
    let empty = object(json!({"metadata": {"name": "empty-key"}, "data": {"": "value-1"}}));
    assert_eq!(refused(api.create(&PostParams::default(), &empty).await), 422);
    assert!(api.get_opt("empty-key").await.unwrap().is_none());
}

/// `[sig-node] ConfigMap should run through a ConfigMap lifecycle [Conformance]`
#[tokio::test]
async fn config_map_should_run_through_a_config_map_lifecycle() {
    let (_cluster, api, everywhere) = cluster_with::<ConfigMap>().await;
    let labels = json!({"test-configmap-static": "true"});
    create(&api, json!({"metadata": {"name": "test", "labels": labels}, "data": {"valueName": "value"}})).await;
    let got = api.get("test").await.unwrap();
    assert_eq!(got.data.as_ref().unwrap()["valueName"], "value");
    assert_eq!(got.labels()["test-configmap-static"], "true");

    let patch = json!({"metadata": {"labels": {"test-configmap": "patched"}}, "data": {"valueName": "value1"}});
    api.patch("test", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
    let list = everywhere.list(&ListParams::default().labels("test-configmap=patched")).await.unwrap();
    assert_eq!(list.items.len(), 1);
    let listed = &list.items[0];
    assert_eq!((listed.namespace().unwrap(), listed.name_any()), ("default".into(), "test".into()));
    assert_eq!(listed.labels()["test-configmap-static"], "true");
    assert_eq!(listed.data.as_ref().unwrap()["valueName"], "value1");

    let selected = ListParams::default().labels("test-configmap-static=true");
    api.delete_collection(&DeleteParams::default(), &selected).await.unwrap();
    assert!(found(&api, "test-configmap-static=true").await.is_empty());
}

/// `[sig-node] PodTemplates should delete a collection of pod templates [Conformance]`
#[tokio::test]
async fn pod_templates_should_delete_a_collection_of_pod_templates() {
    let (_cluster, api, _) = cluster_with::<PodTemplate>().await;
    steps::a_collection_comes_and_goes(&api, "podtemplate-set", |name| object(template(name))).await;
}

/// `[sig-node] PodTemplates should run the lifecycle of PodTemplates [Conformance]`
#[tokio::test]
async fn pod_templates_should_run_the_lifecycle_of_pod_templates() {
    let (_cluster, api, everywhere) = cluster_with::<PodTemplate>().await;
    assert!(found(&everywhere, "podtemplate-static=true").await.is_empty());
    create(&api, template("web-template")).await;
    assert_eq!(api.get("web-template").await.unwrap().name_any(), "web-template");
    assert_eq!(found(&everywhere, "podtemplate-static=true").await.len(), 1);
    let patch = Patch::Strategic(json!({"metadata": {"labels": {"podtemplate": "patched"}}}));
    api.patch("web-template", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(api.get("web-template").await.unwrap().labels()["podtemplate"], "patched");
    api.delete("web-template", &DeleteParams::default()).await.unwrap();
    assert!(found(&everywhere, "podtemplate-static=true").await.is_empty());
}

/// `[sig-scheduling] SchedulerPreemption [Serial] PriorityClass endpoints verify PriorityClass endpoints can be operated
/// with different HTTP methods [Conformance]`
#[tokio::test]
async fn verify_priority_class_endpoints_can_be_operated_with_different_http_methods() {
    let cluster = Cluster::start();
    let api: Api<PriorityClass> = Api::all(client(&cluster).await);
    let mut classes = Vec::new();
    for (name, value) in [("p1", 1), ("p2", 2)] {
        classes.push(create(&api, json!({"metadata": {"name": name, "labels": {"e2e": "x"}}, "value": value})).await);
    }
    let higher = Patch::Strategic(json!({"value": 10}));
    assert_eq!(refused(api.patch("p1", &PatchParams::default(), &higher).await), 422);
    let higher = PriorityClass { value: Some(20), ..classes[1].clone() };
    assert_eq!(refused(api.replace("p2", &PostParams::default(), &higher).await), 422);

    let described = Patch::Strategic(json!({"description": "updated description"}));
    api.patch("p1", &PatchParams::default(), &described).await.unwrap();
    let described = PriorityClass { description: Some("updated description".into()), ..classes[1].clone() };
    api.replace("p2", &PostParams::default(), &described).await.unwrap();

    let listed = api.list(&ListParams::default()).await.unwrap();
    for class in &classes {
        let name = class.name_any();
        assert!(listed.iter().any(|listed| listed.name_any() == name), "{name}");
        let live = api.get(&name).await.unwrap();
        assert_eq!((live.value, live.description.unwrap()), (class.value, "updated description".into()));
    }
    let both = ListParams::default().labels("e2e=x");
    api.delete_collection(&DeleteParams::default(), &both).await.unwrap();
    assert!(api.list(&both).await.unwrap().items.is_empty());
}
