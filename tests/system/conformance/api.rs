//! `[sig-api-machinery] Discovery`, `Namespaces`, `Servers with support for Table transformation` and `server version`.

use k8s_openapi::api::core::v1::{Namespace, Service, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroup, APIGroupList};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use regex::Regex;
use serde_json::{Value, json};

use super::steps::{becomes, create, refused};
use super::waits::{gone, until};
use crate::client::client;
use crate::harness::Cluster;

async fn get<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> T {
    client.request(http::Request::get(path).body(Vec::new()).unwrap()).await.unwrap()
}

/// `[sig-api-machinery] Discovery should validate PreferredVersion for each APIGroup [Conformance]`
#[tokio::test]
async fn discovery_should_validate_preferred_version_for_each_api_group() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let list: APIGroupList = get(&client, "/apis/").await;
    assert!(!list.groups.is_empty());
    for listed in &list.groups {
        let group: APIGroup = get(&client, &format!("/apis/{}/", listed.name)).await;
        let preferred = group.preferred_version.expect(&listed.name);
        let mut versions = group.versions.iter();
        assert!(versions.any(|version| *version == preferred), "{}: {preferred:?}", listed.name);
    }
}

/// `[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not
/// implement metadata [Conformance]`
#[tokio::test]
async fn servers_should_return_a_406_for_a_backend_which_does_not_implement_metadata() {
    let cluster = Cluster::start();
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}},
    });
    let client = client(&cluster).await;
    let ask = async |accept: &str| -> kube::Result<Value> {
        let request = http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .header("Content-Type", "application/json")
            .header("Accept", accept)
            .body(review.to_string().into_bytes());
        client.request(request.unwrap()).await
    };
    assert_eq!(ask("application/json").await.unwrap()["status"]["allowed"], true);
    assert_eq!(refused(ask("application/json;as=Table;v=v1;g=meta.k8s.io").await), 406);
}

/// `[sig-api-machinery] server version should find the server version [Conformance]`
#[tokio::test]
async fn server_version_should_find_the_server_version() {
    let cluster = Cluster::start();
    let version = client(&cluster).await.apiserver_version().await.unwrap();
    assert!(Regex::new("^[1-9]$").unwrap().is_match(&version.major), "{version:?}");
    assert!(Regex::new("^[0-9]+[^0-9]*$").unwrap().is_match(&version.minor), "{version:?}");
}

/// `[sig-api-machinery] Namespaces [Serial] should ensure that all services are removed when a namespace is deleted
/// [Conformance]`
#[tokio::test]
async fn namespaces_should_ensure_that_all_services_are_removed_when_a_namespace_is_deleted() {
    let cluster = Cluster::start();
    let client = client(&cluster).await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "nsdeletetest");
    let services: Api<Service> = Api::namespaced(client, "nsdeletetest");
    let namespace = json!({"metadata": {"name": "nsdeletetest"}});
    let first = create(&namespaces, namespace.clone()).await;
    becomes(&accounts, "default", "the default account", |_| true).await;
    let service = json!({
        "metadata": {"name": "test-service"},
        "spec": {"selector": {"foo": "bar", "baz": "blah"}, "ports": [{"port": 80, "targetPort": 80}]},
    });
    create(&services, service).await;

    namespaces.delete("nsdeletetest", &DeleteParams::default()).await.unwrap();
    gone(&namespaces, &first).await;
    assert_eq!(refused(namespaces.get("nsdeletetest").await), 404);
    create(&namespaces, namespace).await;
    assert_eq!(refused(services.get("test-service").await), 404);
    until("life goes on", async || accounts.get_opt("default").await.unwrap()).await;
    assert_eq!(refused(services.get("test-service").await), 404);
}

/// `[sig-api-machinery] Namespaces [Serial] should patch a Namespace [Conformance]`
#[tokio::test]
async fn namespaces_should_patch_a_namespace() {
    let cluster = Cluster::start();
    let namespaces: Api<Namespace> = Api::all(client(&cluster).await);
    create(&namespaces, json!({"metadata": {"name": "nspatchtest"}})).await;
    let patch = Patch::Strategic(json!({"metadata": {"labels": {"testLabel": "testValue"}}}));
    namespaces.patch("nspatchtest", &PatchParams::default(), &patch).await.unwrap();
    let labels = namespaces.get("nspatchtest").await.unwrap().metadata.labels.unwrap();
    assert_eq!(labels["testLabel"], "testValue");
    assert_eq!(labels["kubernetes.io/metadata.name"], "nspatchtest");
}
