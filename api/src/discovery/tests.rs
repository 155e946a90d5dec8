use serde_json::json;

use super::*;
use crate::catalog::Catalog;

#[test]
fn resources_are_listed_as_kubernetes_lists_them() {
    let catalog = Catalog::builtin();
    let core = api_resource_list(&catalog, "", "v1").unwrap();
    assert_eq!((&core["groupVersion"], core.get("apiVersion")), (&json!("v1"), None));
    let resources = core["resources"].as_array().unwrap();
    let pods = resources.iter().find(|entry| entry["name"] == "pods").unwrap();
    // The hash is the one every Kubernetes cluster shows.
    assert_eq!(pods["storageVersionHash"], "xPOwRZ+Yhw8=");
    assert_eq!(pods["singularName"], "pod");
    assert_eq!(pods["shortNames"], json!(["po"]));
    assert!(resources.is_sorted_by_key(|entry| entry["name"].as_str().map(str::to_string)));
    let binding = resources.iter().find(|entry| entry["name"] == "pods/binding").unwrap();
    assert_eq!((&binding["kind"], binding.get("group")), (&json!("Binding"), None));

    let apps = api_resource_list(&catalog, "apps", "v1").unwrap();
    let scale = apps["resources"].as_array().unwrap().iter().find(|entry| entry["name"] == "deployments/scale");
    assert_eq!(
        scale.unwrap(),
        &json!({
            "name": "deployments/scale", "singularName": "", "namespaced": true, "group": "autoscaling",
            "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"],
        })
    );
    assert_eq!(apps["groupVersion"], "apps/v1");
    assert!(api_resource_list(&catalog, "apps", "v1beta1").is_none());
}

#[test]
fn groups_are_listed_with_their_preferred_version() {
    let catalog = Catalog::builtin();
    let list = api_group_list(&catalog);
    assert!(list["groups"].as_array().unwrap().iter().all(|group| group["name"] != ""));
    assert_eq!(
        api_group(&catalog, "apps").unwrap(),
        json!({
            "kind": "APIGroup", "apiVersion": "v1", "name": "apps",
            "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
            "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
        })
    );
    assert!(api_group(&catalog, "nope").is_none());
    assert_eq!(api_versions("127.0.0.1:6443")["versions"], json!(["v1"]));
}

#[test]
fn aggregated_discovery_has_everything_that_the_legacy_one_has() {
    let catalog = Catalog::builtin();
    for version in [AggregatedVersion::V2, AggregatedVersion::V2Beta1] {
        let mut names = Vec::new();
        for document in [aggregated_core(&catalog, version), aggregated_groups(&catalog, version)] {
            for group in document["items"].as_array().unwrap() {
                let versions = group["versions"].as_array().unwrap().iter();
                for resource in versions.flat_map(|version| version["resources"].as_array().unwrap()) {
                    names.push((group["metadata"]["name"].clone(), resource["resource"].clone()));
                }
            }
        }
        assert_eq!(names.len(), catalog.rows().len());
    }
    let groups = aggregated_groups(&catalog, AggregatedVersion::V2);
    assert_eq!(groups["apiVersion"], "apidiscovery.k8s.io/v2");
    let apps = groups["items"].as_array().unwrap().iter().find(|group| group["metadata"]["name"] == "apps").unwrap();
    let resources = apps["versions"][0]["resources"].as_array().unwrap();
    let deployments = resources.iter().find(|entry| entry["resource"] == "deployments").unwrap();
    assert_eq!(deployments["responseKind"], json!({"group": "apps", "version": "v1", "kind": "Deployment"}));
    assert_eq!(deployments["scope"], "Namespaced");
    assert_eq!(deployments["subresources"][0]["responseKind"]["kind"], "Scale");
}
