//! What many specs have in common: discovery, one life from creation to deletion, waiting.

use std::fmt::Debug;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroup, APIGroupList};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

pub use crate::client::{in_time, object};
use crate::harness::Cluster;

/// A kind that the client knows at compile time.
pub trait Known: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + 'static {}

impl<K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + 'static> Known for K {}

/// An empty cluster and one kind of object, in the namespace `default` and in all.
pub async fn cluster_with<K>() -> (Cluster, Api<K>, Api<K>)
where
    K: Known + Resource<Scope = NamespaceResourceScope>,
{
    let cluster = Cluster::start();
    let client = crate::client::client(&cluster).await;
    (cluster, Api::default_namespaced(client.clone()), Api::all(client))
}

/// Creates an object as it would stand in a manifest.
pub async fn create<K: Known>(api: &Api<K>, json: serde_json::Value) -> K {
    api.create(&PostParams::default(), &object(json)).await.unwrap()
}

/// Namespace and name of what these labels choose.
pub async fn found<K: Known>(api: &Api<K>, labels: &str) -> Vec<(String, String)> {
    let list = api.list(&ListParams::default().labels(labels)).await.unwrap();
    list.iter().map(|item| (item.namespace().unwrap_or_default(), item.name_any())).collect()
}

/// The code of the server's refusal.
pub fn refused<T: Debug>(result: kube::Result<T>) -> u16 {
    match result.unwrap_err() {
        kube::Error::Api(status) => status.code,
        other => panic!("the server did not answer: {other}"),
    }
}

/// Waits until an object is there and as it should be.
pub async fn becomes<K: Known>(api: &Api<K>, name: &str, what: &str, check: impl Fn(&K) -> bool) -> K {
    let check = |object: Option<&K>| object.is_some_and(&check);
    in_time(what, await_condition(api.clone(), name, check)).await.unwrap().expect("the condition wants an object")
}

/// Fails unless discovery shows these resources of `GROUP/v1` on each of its three levels.
pub async fn discovered(client: &Client, group: &str, resources: &[&str]) {
    let has_v1 = |found: &APIGroup| found.versions.iter().any(|version| version.version == "v1");
    let groups: APIGroupList = client.list_api_groups().await.unwrap();
    assert!(groups.groups.iter().any(|found| found.name == group && has_v1(found)), "{groups:?}");
    let request = http::Request::get(format!("/apis/{group}")).body(Vec::new()).unwrap();
    let one: APIGroup = client.request(request).await.unwrap();
    assert!(one.name == group && has_v1(&one), "{one:?}");
    let listed = client.list_api_group_resources(&format!("{group}/v1")).await.unwrap();
    for resource in resources {
        assert!(listed.resources.iter().any(|found| found.name == *resource), "{resource}: {listed:?}");
    }
}

/// Creates three objects, gets and lists them, and patches and replaces the last while a watch of the `watched` looks on.
pub async fn created_read_changed_and_watched<K: Known>(
    api: &Api<K>,
    templates: [K; 3],
    listed: &ListParams,
    watched: impl FnOnce(&K) -> WatchParams,
) -> K {
    let mut last = None;
    for template in &templates {
        last = Some(api.create(&PostParams::default(), template).await.unwrap());
    }
    let created = last.expect("there are three");
    let name = created.name_any();
    assert_eq!(api.get(&name).await.unwrap().uid(), created.uid());
    let list = api.list(listed).await.unwrap();
    assert_eq!(list.items.len(), 3);
    let from = list.metadata.resource_version.expect("a list has a version");
    let mut events = api.watch(&watched(&created), &from).await.unwrap().boxed();

    let patch = Patch::Merge(json!({"metadata": {"annotations": {"patched": "true"}}}));
    let mut patched = api.patch(&name, &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(patched.annotations()["patched"], "true");
    patched.annotations_mut().insert("updated".into(), "true".into());
    let updated = api.replace(&name, &PostParams::default(), &patched).await.unwrap();
    assert_eq!(updated.annotations()["updated"], "true");

    // Nobody else changes the object, so the events are these two.
    for annotation in ["patched", "updated"] {
        match in_time("an event", events.try_next()).await.unwrap().expect("the watch goes on") {
            WatchEvent::Modified(seen) => {
                assert_eq!(seen.uid(), created.uid());
                assert_eq!(seen.annotations()[annotation], "true");
            }
            other => panic!("{other:?}"),
        }
    }
    updated
}

/// Deletes one of the three objects, then the others together.
pub async fn deleted_singly_and_together<K: Known>(api: &Api<K>, name: &str, listed: &ListParams) {
    api.delete(name, &DeleteParams::default()).await.unwrap();
    assert_eq!(refused(api.get(name).await), 404);
    assert_eq!(api.list(listed).await.unwrap().items.len(), 2);
    api.delete_collection(&DeleteParams::default(), listed).await.unwrap();
    assert!(api.list(listed).await.unwrap().items.is_empty());
}

/// Creates three objects with a label and deletes all that have it.
pub async fn a_collection_comes_and_goes<K: Known>(api: &Api<K>, label: &str, template: impl Fn(&str) -> K) {
    let selector = format!("{label}=true");
    for name in ["test-1", "test-2", "test-3"] {
        let mut wanted = template(name);
        wanted.labels_mut().insert(label.into(), "true".into());
        api.create(&PostParams::default(), &wanted).await.unwrap();
    }
    assert_eq!(found(api, &selector).await.len(), 3);
    api.delete_collection(&DeleteParams::default(), &ListParams::default().labels(&selector)).await.unwrap();
    assert!(found(api, &selector).await.is_empty());
}
