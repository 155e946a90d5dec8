//! Programs that learn at run time what there is.

use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{self, Discovery, Scope, verbs};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::client;
use crate::harness::Cluster;

#[tokio::test]
async fn everything_that_can_be_listed_is_listed() {
    let cluster = Cluster::start();
    cluster.apply(crate::operator::site::DEFINITION);
    cluster.kubectl("wait --for=condition=established crd/sites.demo.example.com --timeout=30s").ok();
    let client = client(&cluster).await;
    let plain = Discovery::new(client.clone()).run().await.unwrap();
    let aggregated = Discovery::new(client.clone()).run_aggregated().await.unwrap();
    let kinds = |discovery: &Discovery| {
        let mut kinds = Vec::new();
        for group in discovery.groups_alphabetical() {
            for (resource, capabilities) in group.recommended_resources() {
                kinds.push((resource, capabilities.scope == Scope::Namespaced, capabilities.operations));
            }
        }
        kinds.sort_by_key(|(resource, ..)| (resource.api_version.clone(), resource.plural.clone()));
        kinds
    };
    let found = kinds(&plain);
    assert_eq!(found, kinds(&aggregated));
    assert!(found.len() > 50, "{}", found.len());
    let mut listed = 0;
    for (resource, _, operations) in &found {
        if operations.iter().any(|verb| verb == verbs::LIST) {
            let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
            let list = api.list(&ListParams::default().limit(5)).await;
            let list = list.unwrap_or_else(|error| panic!("{} {}: {error}", resource.api_version, resource.plural));
            // What is measured has no version, as with metrics-server.
            let measured = resource.group == "metrics.k8s.io";
            assert!(measured || list.metadata.resource_version.is_some(), "{}", resource.plural);
            listed += 1;
        }
    }
    assert!(listed > 45, "{listed}");
}

#[tokio::test]
async fn manifests_are_applied_without_types() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let discovery = Discovery::new(client.clone()).run().await.unwrap();
    let documents = [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a"}, "rules": []}),
    ];
    for document in documents {
        let object: DynamicObject = serde_json::from_value(document.clone()).unwrap();
        let gvk = GroupVersionKind::try_from(object.types.as_ref().unwrap()).unwrap();
        let (resource, capabilities) = discovery.resolve_gvk(&gvk).unwrap();
        let api: Api<DynamicObject> = match capabilities.scope {
            Scope::Cluster => Api::all_with(client.clone(), &resource),
            Scope::Namespaced => Api::default_namespaced_with(client.clone(), &resource),
        };
        let params = PatchParams::apply("kubectl-light").force();
        let applied = api.patch(&object.name_any(), &params, &Patch::Apply(document)).await.unwrap();
        assert_eq!(applied.types, object.types);
        assert_eq!(api.get("a").await.unwrap().uid(), applied.uid());
    }
    let gvk = GroupVersionKind::gvk("autoscaling", "v1", "HorizontalPodAutoscaler");
    let (pinned, _) = discovery::pinned_kind(&client, &gvk).await.unwrap();
    assert_eq!(pinned, ApiResource::from_gvk(&gvk));
    let group = discovery::group(&client, "autoscaling").await.unwrap();
    assert_eq!(group.preferred_version(), Some("v2"));
}
