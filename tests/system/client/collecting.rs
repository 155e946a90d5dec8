//! The garbage collector and the deletion of namespaces, across kinds, versions and scopes.

use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::{client, config_map, config_maps, in_time, object};
use crate::harness::Cluster;

async fn gone<K>(api: &Api<K>, object: &K)
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let (name, uid) = (object.name_any(), object.uid().unwrap());
    in_time(&name, await_condition(api.clone(), &name, conditions::is_deleted(&uid))).await.unwrap();
}

fn owned(name: &str, owner: OwnerReference) -> ConfigMap {
    let mut map = config_map(name, "");
    map.owner_references_mut().push(owner);
    map
}

/// Defines a kind of `a.example.com` that is served in these versions, and waits until it is.
async fn define(client: &Client, plural: &str, kind: &str, scope: &str, versions: &[&str]) {
    let version = |(index, name): (usize, &&str)| {
        json!({
            "name": name, "served": true, "storage": index == 0,
            "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
        })
    };
    let versions: Vec<Value> = versions.iter().enumerate().map(version).collect();
    let definition: CustomResourceDefinition = object(json!({
        "metadata": { "name": format!("{plural}.a.example.com") },
        "spec": {
            "group": "a.example.com", "scope": scope, "versions": versions,
            "names": { "plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List") },
        },
    }));
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = definition.name_any();
    definitions.create(&PostParams::default(), &definition).await.unwrap();
    in_time(&name, await_condition(definitions, &name, conditions::is_crd_established())).await.unwrap();
}

fn custom(kind: &str, version: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("a.example.com", version, kind))
}

/// Waits until an object of a custom kind is not there.
async fn custom_gone(api: &Api<DynamicObject>, name: &str) {
    in_time(name, async {
        while api.get_opt(name).await.unwrap().is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// `Garbage collector should not be blocked by dependency circle`
#[tokio::test]
async fn a_circle_of_owners_goes_as_a_whole() {
    let (_cluster, api) = config_maps().await;
    let mut circle = Vec::new();
    for name in ["a", "b", "c"] {
        circle.push(api.create(&PostParams::default(), &config_map(name, "")).await.unwrap());
    }
    for (index, map) in circle.iter().enumerate() {
        let mut owner = circle[(index + 1) % 3].owner_ref(&()).unwrap();
        owner.block_owner_deletion = Some(true);
        let patch = Patch::Merge(json!({ "metadata": { "ownerReferences": [owner] } }));
        api.patch(&map.name_any(), &PatchParams::default(), &patch).await.unwrap();
    }
    api.delete("a", &DeleteParams::foreground()).await.unwrap();
    for map in &circle {
        gone(&api, map).await;
    }
}

/// `Garbage collector should support cascading deletion of custom resources`, and orphaning them, in a version that is not
/// the first choice of its group.
#[tokio::test]
async fn custom_kinds_own_and_are_owned_in_every_version() {
    let (cluster, maps) = config_maps().await;
    let client = client(&cluster).await;
    define(&client, "olds", "Old", "Namespaced", &["v1alpha1"]).await;
    define(&client, "boths", "Both", "Namespaced", &["v1", "v1alpha1"]).await;
    let (old, both) = (custom("Old", "v1alpha1"), custom("Both", "v1"));
    let olds: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &old);
    let boths: Api<DynamicObject> = Api::default_namespaced_with(client, &both);
    let first = olds.create(&PostParams::default(), &DynamicObject::new("first", &old)).await.unwrap();
    let mut second = DynamicObject::new("second", &old);
    second.owner_references_mut().push(first.owner_ref(&old).unwrap());
    olds.create(&PostParams::default(), &second).await.unwrap();
    let map = maps.create(&PostParams::default(), &owned("map", first.owner_ref(&old).unwrap())).await.unwrap();
    olds.delete("first", &DeleteParams::background()).await.unwrap();
    custom_gone(&olds, "second").await;
    gone(&maps, &map).await;

    let owner = boths.create(&PostParams::default(), &DynamicObject::new("owner", &both)).await.unwrap();
    let reference = OwnerReference { api_version: "a.example.com/v1alpha1".into(), ..owner.owner_ref(&both).unwrap() };
    maps.create(&PostParams::default(), &owned("orphan", reference)).await.unwrap();
    boths.delete("owner", &DeleteParams::orphan()).await.unwrap();
    custom_gone(&boths, "owner").await;
    let orphan = maps.get("orphan").await.unwrap();
    assert!(orphan.owner_references().is_empty() && orphan.meta().deletion_timestamp.is_none());
}

#[tokio::test]
async fn owners_count_where_and_as_what_they_are() {
    let (cluster, maps) = config_maps().await;
    let client = client(&cluster).await;
    define(&client, "wholes", "Whole", "Cluster", &["v1"]).await;
    let whole = custom("Whole", "v1");
    let wholes: Api<DynamicObject> = Api::all_with(client.clone(), &whole);
    let system: Api<ConfigMap> = Api::namespaced(client.clone(), "kube-system");
    let wide = wholes.create(&PostParams::default(), &DynamicObject::new("wide", &whole)).await.unwrap();
    let owner = maps.create(&PostParams::default(), &config_map("owner", "")).await.unwrap();
    let reference = owner.owner_ref(&()).unwrap();
    let below = maps.create(&PostParams::default(), &owned("below", wide.owner_ref(&whole).unwrap())).await.unwrap();
    maps.create(&PostParams::default(), &owned("fine", reference.clone())).await.unwrap();
    let misnamed = OwnerReference { name: "another".into(), ..reference.clone() };
    let misnamed = maps.create(&PostParams::default(), &owned("misnamed", misnamed)).await.unwrap();
    let stray = system.create(&PostParams::default(), &owned("stray", reference.clone())).await.unwrap();
    let mut upside_down = DynamicObject::new("upside-down", &whole);
    upside_down.owner_references_mut().push(reference);
    wholes.create(&PostParams::default(), &upside_down).await.unwrap();
    gone(&maps, &misnamed).await;
    gone(&system, &stray).await;
    wholes.delete("wide", &DeleteParams::background()).await.unwrap();
    gone(&maps, &below).await;
    for (name, there) in [("fine", maps.get_opt("fine").await.unwrap().is_some()), ("owner", true)] {
        assert!(there, "{name}");
    }
    assert!(wholes.get_opt("upside-down").await.unwrap().is_some());

    let events: Api<Event> = Api::namespaced(client, "kube-system");
    let selected = ListParams::default().fields("reason=OwnerRefInvalidNamespace");
    in_time("the event", async {
        while events.list(&selected).await.unwrap().items.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let event = events.list(&selected).await.unwrap().items.remove(0);
    let uid = owner.uid().unwrap();
    assert_eq!(
        event.message.unwrap(),
        format!(
            "ownerRef [v1/ConfigMap, namespace: kube-system, name: owner, uid: {uid}] does not exist in namespace \
             \"kube-system\""
        )
    );
    assert_eq!((event.type_.as_deref(), event.involved_object.uid), (Some("Warning"), stray.uid()));
}

#[tokio::test]
async fn a_namespace_takes_custom_objects_along_and_says_what_holds_it() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    define(&client, "olds", "Old", "Namespaced", &["v1alpha1"]).await;
    let old = custom("Old", "v1alpha1");
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace: Namespace = object(json!({ "metadata": { "name": "dying" } }));
    let namespace = namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    let olds: Api<DynamicObject> = Api::namespaced_with(client.clone(), "dying", &old);
    let maps: Api<ConfigMap> = Api::namespaced(client, "dying");
    olds.create(&PostParams::default(), &DynamicObject::new("x", &old)).await.unwrap();
    let mut held = config_map("held", "");
    held.finalizers_mut().push("example.com/hold".into());
    maps.create(&PostParams::default(), &held).await.unwrap();
    namespaces.delete("dying", &DeleteParams::default()).await.unwrap();
    custom_gone(&olds, "x").await;

    let told = |namespace: &Namespace, kind: &str| {
        let conditions = namespace.status.as_ref().and_then(|s| s.conditions.clone()).unwrap_or_default();
        let told = conditions.into_iter().find(|c| c.type_ == kind);
        told.map(|c| format!("{} {} {}", c.status, c.reason.unwrap_or_default(), c.message.unwrap_or_default()))
    };
    let remaining = "True SomeResourcesRemain Some resources are remaining: configmaps. has 1 resource instances";
    let waits = |namespace: Option<&Namespace>| {
        namespace.is_some_and(|n| told(n, "NamespaceContentRemaining").as_deref() == Some(remaining))
    };
    in_time("conditions", await_condition(namespaces.clone(), "dying", waits)).await.unwrap();
    let dying = namespaces.get("dying").await.unwrap();
    for (kind, said) in [
        ("NamespaceDeletionDiscoveryFailure", "False ResourcesDiscovered All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False ParsedGroupVersions All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            "False ContentDeleted All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceFinalizersRemaining",
            "True SomeFinalizersRemain Some content in the namespace has finalizers remaining: example.com/hold in 1 resource \
             instances",
        ),
    ] {
        assert_eq!(told(&dying, kind).as_deref(), Some(said));
    }
    let release = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    maps.patch("held", &PatchParams::default(), &release).await.unwrap();
    gone(&namespaces, &namespace).await;
}
