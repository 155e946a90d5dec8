//! `[sig-api-machinery] CustomResourceDefinition resources`

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionCondition,
};
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::GroupVersionKind;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::steps::{create, discovered, in_time, refused};
use super::waits::{gone, until};
use crate::client::client;
use crate::harness::Cluster;

const GROUP: &str = "conformance.example.com";
const VERSION: &str = "v1beta1";

/// An empty cluster and its definitions.
async fn cluster_with_definitions() -> (Cluster, Client, Api<CustomResourceDefinition>) {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    (cluster, client.clone(), Api::all(client))
}

/// The definition of a kind that stands outside of namespaces and keeps what its schema doesn't know.
fn definition(kind: &str, properties: &Value) -> Value {
    let singular = kind.to_lowercase();
    let plural = format!("{singular}s");
    let schema = json!({
        "type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": properties,
    });
    json!({
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": "Cluster",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "singular": singular, "plural": plural},
            "versions": [{"name": VERSION, "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    })
}

/// The objects of a defined kind.
fn objects(client: &Client, kind: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk(GROUP, VERSION, kind);
    let plural = format!("{}s", kind.kind.to_lowercase());
    Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, &plural))
}

/// Creates a definition and waits until its objects can be listed.
async fn define(client: &Client, definition: Value) -> CustomResourceDefinition {
    let definitions = Api::all(client.clone());
    let created: CustomResourceDefinition = create(&definitions, definition).await;
    let name = created.name_any();
    in_time(&name, await_condition(definitions, &name, is_crd_established())).await.unwrap();
    let objects = objects(client, &created.spec.names.kind);
    until(&name, async || objects.list(&ListParams::default()).await.ok()).await;
    created
}

/// A patch of JSON operations.
async fn patch_json(client: &Client, path: &str, operations: Value) -> CustomResourceDefinition {
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{path}");
    let request = http::Request::patch(path).header("Content-Type", "application/json-patch+json");
    client.request(request.body(operations.to_string().into_bytes()).unwrap()).await.unwrap()
}

/// `[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition
/// creating/deleting custom resource definition objects works [Conformance]`
#[tokio::test]
async fn creating_deleting_custom_resource_definition_objects_works() {
    let (_cluster, client, definitions) = cluster_with_definitions().await;
    let created = define(&client, definition("Simple", &json!({}))).await;
    // It is recognised and available: there can be objects, and a watch shows them.
    let simples = objects(&client, "Simple");
    let simple: DynamicObject = serde_json::from_value(json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "Simple", "metadata": {"name": "one"},
    }))
    .unwrap();
    simples.create(&PostParams::default(), &simple).await.unwrap();
    let there = |object: Option<&DynamicObject>| object.is_some();
    in_time("a watch", await_condition(simples.clone(), "one", there)).await.unwrap();

    definitions.delete(&created.name_any(), &DeleteParams::default()).await.unwrap();
    gone(&definitions, &created).await;
    assert_eq!(refused(simples.list(&ListParams::default()).await), 404);
}

/// `[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition
/// listing custom resource definition objects works [Conformance]`
#[tokio::test]
async fn listing_custom_resource_definition_objects_works() {
    let (_cluster, client, definitions) = cluster_with_definitions().await;
    let mut created = Vec::new();
    for number in 0..10 {
        let mut wanted = definition(&format!("Listed{number}"), &json!({}));
        wanted["metadata"]["labels"] = json!({"listed": "true"});
        created.push(define(&client, wanted).await);
    }
    let other = define(&client, definition("Unlisted", &json!({}))).await;

    let labelled = ListParams::default().labels("listed=true");
    let list = definitions.list(&labelled).await.unwrap();
    assert_eq!(list.items.len(), created.len());
    for listed in &list {
        let name = listed.name_any();
        let wanted = created.iter().find(|definition| definition.name_any() == name).expect("it was created");
        assert_eq!(listed.spec, wanted.spec);
    }

    definitions.delete_collection(&DeleteParams::default(), &labelled).await.unwrap();
    for definition in &created {
        gone(&definitions, definition).await;
    }
    assert!(definitions.list(&labelled).await.unwrap().items.is_empty());
    assert_eq!(definitions.get(&other.name_any()).await.unwrap().uid(), other.uid());
}

/// `[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition
/// getting/updating/patching custom resource definition status sub-resource works [Conformance]`
#[tokio::test]
async fn getting_updating_patching_custom_resource_definition_status_sub_resource_works() {
    let (_cluster, client, definitions) = cluster_with_definitions().await;
    let created = define(&client, definition("Stated", &json!({}))).await;
    let name = created.name_any();
    let condition = |message: &str| CustomResourceDefinitionCondition {
        message: Some(message.into()),
        ..CustomResourceDefinitionCondition::default()
    };
    let has = |definition: &CustomResourceDefinition, message: &str| {
        let mut conditions = definition.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.any(|found| *found == condition(message))
    };

    // The server writes conditions of its own: who comes second tries again.
    let updated = until("the update", async || {
        let mut wanted = definitions.get_status(&name).await.unwrap();
        assert_eq!(wanted.spec, created.spec);
        let status = wanted.status.get_or_insert_default();
        status.conditions.get_or_insert_default().push(condition("updated"));
        match definitions.replace_status(&name, &PostParams::default(), &wanted).await {
            Err(kube::Error::Api(status)) if status.code == 409 => None,
            other => Some(other.unwrap()),
        }
    })
    .await;
    assert!(has(&updated, "updated"), "{:?}", updated.status);
    assert!(has(&definitions.get_status(&name).await.unwrap(), "updated"));

    let operations = json!([{"op": "add", "path": "/status/conditions", "value": [{"message": "patched"}]}]);
    let patched = patch_json(&client, &format!("{name}/status"), operations).await;
    assert!(has(&patched, "patched") && !has(&patched, "updated"), "{:?}", patched.status);
    assert!(has(&definitions.get_status(&name).await.unwrap(), "patched"));
}

/// `[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] should include custom resource
/// definition resources in discovery documents [Conformance]`
#[tokio::test]
async fn should_include_custom_resource_definition_resources_in_discovery_documents() {
    let (_cluster, client, _) = cluster_with_definitions().await;
    discovered(&client, "apiextensions.k8s.io", &["customresourcedefinitions"]).await;
    let listed = client.list_api_group_resources("apiextensions.k8s.io/v1").await.unwrap();
    assert_eq!(listed.group_version, "apiextensions.k8s.io/v1");
}

/// `[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] custom resource defaulting for
/// requests and from storage works [Conformance]`
#[tokio::test]
async fn custom_resource_defaulting_for_requests_and_from_storage_works() {
    let (_cluster, client, _) = cluster_with_definitions().await;
    let properties = json!({"a": {"type": "string"}, "b": {"type": "string"}});
    let name = define(&client, definition("Defaulted", &properties)).await.name_any();
    let objects = objects(&client, "Defaulted");
    let wanted = |name: &str| -> DynamicObject {
        let types = json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": "Defaulted"});
        let mut wanted: DynamicObject = serde_json::from_value(types).unwrap();
        wanted.metadata.name = Some(name.into());
        wanted
    };
    let stored = objects.create(&PostParams::default(), &wanted("first")).await.unwrap();
    assert_eq!(stored.data.get("a"), None);

    let path = |property: &str| format!("/spec/versions/0/schema/openAPIV3Schema/properties/{property}/default");
    patch_json(&client, &name, json!([{"op": "add", "path": path("a"), "value": "A"}])).await;
    let a = until("a", async || objects.get("first").await.unwrap().data.get("a").cloned()).await;
    assert_eq!(a, "A", "what was stored without it is read with it");

    let stored = objects.create(&PostParams::default(), &wanted("second")).await.unwrap();
    assert_eq!(stored.data["a"], "A");

    let operations = json!([{"op": "remove", "path": path("a")}, {"op": "add", "path": path("b"), "value": "B"}]);
    patch_json(&client, &name, operations).await;
    until("b", async || {
        let read = objects.get("second").await.unwrap();
        assert_eq!(read.data.get("a"), Some(&json!("A")), "it was stored, so it stays");
        let b = read.data.get("b")?;
        assert_eq!(b, "B");
        Some(())
    })
    .await;
}
