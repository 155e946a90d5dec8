//! The four kinds of patch, and the subresources that are written on their own.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::{client, config_map, config_maps, object, refusal, value};
use crate::harness::Cluster;

/// A Deployment that nothing runs for: it has no replicas.
fn deployment() -> Deployment {
    object(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [
                    {"name": "main", "image": "x:1", "env": [{"name": "A", "value": "1"}]},
                    {"name": "side", "image": "y:1"},
                ]},
            },
        },
    }))
}

async fn deployments() -> (Cluster, Api<Deployment>) {
    let cluster = Cluster::start();
    let api: Api<Deployment> = Api::default_namespaced(client(&cluster).await);
    api.create(&PostParams::default(), &deployment()).await.unwrap();
    (cluster, api)
}

/// `NAME=IMAGE` of each container of the template.
fn images(deployment: &Deployment) -> Vec<String> {
    let template = &deployment.spec.as_ref().unwrap().template;
    let containers = &template.spec.as_ref().unwrap().containers;
    containers.iter().map(|c| format!("{}={}", c.name, c.image.as_deref().unwrap_or_default())).collect()
}

#[tokio::test]
async fn a_merge_patch_replaces_lists_and_null_removes() {
    let (_cluster, api) = config_maps().await;
    api.create(&PostParams::default(), &config_map("a", "one")).await.unwrap();
    let patch = json!({"data": {"value": null, "other": "two"}});
    let patched = api.patch("a", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    assert_eq!(patched.data.unwrap().into_iter().collect::<Vec<_>>(), [("other".to_string(), "two".to_string())]);
    let stale = json!({"metadata": {"resourceVersion": "1"}, "data": {"other": "three"}});
    let error = api.patch("a", &PatchParams::default(), &Patch::Merge(stale)).await.unwrap_err();
    assert_eq!(refusal(error), (409, "Conflict".into()));
}

#[tokio::test]
async fn a_strategic_patch_merges_lists_by_their_keys() {
    let (_cluster, api) = deployments().await;
    let patch = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "main", "image": "x:2"},
        {"name": "side", "$patch": "delete"},
        {"name": "new", "image": "z:1"},
    ]}}}});
    let patched = api.patch("web", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
    let mut found = images(&patched);
    found.sort();
    assert_eq!(found, ["main=x:2", "new=z:1"]);
    assert!(patched.metadata.generation > Some(1), "{:?}", patched.metadata.generation);
    let containers = patched.spec.unwrap().template.spec.unwrap().containers;
    let main = containers.iter().find(|container| container.name == "main").unwrap();
    assert_eq!(main.env.as_ref().unwrap()[0].value.as_deref(), Some("1"), "what the patch leaves out stays");
}

#[tokio::test]
async fn a_json_patch_is_all_or_nothing() {
    let (_cluster, api) = config_maps().await;
    api.create(&PostParams::default(), &config_map("a", "one")).await.unwrap();
    let patch = |tested: &str| {
        Patch::<()>::Json(object(json!([
            {"op": "replace", "path": "/data/value", "value": "two"},
            {"op": "test", "path": "/metadata/name", "value": tested},
        ])))
    };
    let error = api.patch("a", &PatchParams::default(), &patch("b")).await.unwrap_err();
    assert_eq!(refusal(error).0, 422);
    assert_eq!(value(&api.get("a").await.unwrap()), "one");
    let patched = api.patch("a", &PatchParams::default(), &patch("a")).await.unwrap();
    assert_eq!(value(&patched), "two");
}

#[tokio::test]
async fn server_side_apply_creates_owns_and_conflicts() {
    let (_cluster, api) = config_maps().await;
    let apply = |value: &str| {
        let mut wanted = serde_json::to_value(config_map("a", value)).unwrap();
        wanted["apiVersion"] = json!("v1");
        wanted["kind"] = json!("ConfigMap");
        Patch::Apply(wanted)
    };
    let one = PatchParams::apply("one");
    api.patch("a", &one, &apply("first")).await.unwrap();
    assert_eq!(value(&api.patch("a", &one, &apply("second")).await.unwrap()), "second");

    let two = PatchParams::apply("two");
    assert_eq!(refusal(api.patch("a", &two, &apply("third")).await.unwrap_err()), (409, "Conflict".into()));
    let forced = api.patch("a", &two.clone().force(), &apply("third")).await.unwrap();
    assert_eq!(value(&forced), "third");
    let managers: Vec<_> = forced.metadata.managed_fields.unwrap().into_iter().filter_map(|m| m.manager).collect();
    assert!(managers.contains(&"two".to_string()), "{managers:?}");

    // What its only owner no longer applies goes.
    let empty = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let emptied = api.patch("a", &two, &Patch::Apply(empty)).await.unwrap();
    assert_eq!(value(&emptied), "");
}

#[tokio::test]
async fn scale_is_written_alone() {
    let (_cluster, api) = deployments().await;
    let mut scale = api.get_scale("web").await.unwrap();
    assert_eq!(scale.spec.as_ref().unwrap().replicas, Some(0));
    assert_eq!(scale.status.as_ref().unwrap().selector.as_deref(), Some("app=web"));
    // Nothing may start: the images exist nowhere, and pods of a paused Deployment are not asked for.
    let pause = Patch::Merge(json!({"spec": {"paused": true}}));
    api.patch("web", &PatchParams::default(), &pause).await.unwrap();
    scale.metadata.resource_version = None;
    scale.spec.as_mut().unwrap().replicas = Some(2);
    let answer = api.replace_scale("web", &PostParams::default(), &scale).await.unwrap();
    assert_eq!(answer.spec.unwrap().replicas, Some(2));
    let found = api.get("web").await.unwrap();
    assert_eq!(found.spec.as_ref().unwrap().replicas, Some(2));
    assert_eq!(images(&found), ["main=x:1", "side=y:1"]);
}

#[tokio::test]
async fn status_and_spec_do_not_touch_each_other() {
    let (_cluster, api) = deployments().await;
    let status = json!({
        "status": {"conditions": [{"type": "Reviewed", "status": "True"}]},
        "spec": {"replicas": 9},
    });
    let patched = api.patch_status("web", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    assert_eq!(patched.spec.as_ref().unwrap().replicas, Some(0), "the status subresource leaves the spec alone");
    let conditions = patched.status.and_then(|status| status.conditions).unwrap_or_default();
    assert!(conditions.iter().any(|condition| condition.type_ == "Reviewed"));
    let both = json!({"spec": {"minReadySeconds": 3}, "status": {"replicas": 77}});
    let patched = api.patch("web", &PatchParams::default(), &Patch::Merge(both)).await.unwrap();
    assert_eq!(patched.spec.as_ref().unwrap().min_ready_seconds, Some(3));
    assert_ne!(patched.status.unwrap().replicas, Some(77), "the object itself leaves the status alone");
}
