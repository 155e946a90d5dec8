//! Aggregation: local APIServices, remotes behind Services, what clients see of them.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use http::Method;
use serde_json::{Value, json};

use crate::crontabs::{condition, eventually};
use crate::remote::Remote;
use crate::support::{Cluster, request};

pub const API_SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";

/// A small server of its own group.
fn flunders() -> Router {
    let list = || async {
        axum::Json(json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "wardle.example.com/v1",
            "resources": [{
                "name": "flunders", "singularName": "flunder", "namespaced": true, "kind": "Flunder",
                "verbs": ["create", "get", "list"], "shortNames": ["fl"],
            }],
        }))
    };
    Router::new().route("/apis/wardle.example.com/v1", get(list)).fallback(echo)
}

/// Says what has arrived.
async fn echo(request: Request) -> axum::Json<Value> {
    let (parts, body) = request.into_parts();
    let text = |name: &str| -> Vec<String> {
        parts.headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_string()).collect()
    };
    let (user, groups) = (text("x-remote-user"), text("x-remote-group"));
    let (path, method) = (parts.uri.to_string(), parts.method.to_string());
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    axum::Json(json!({
        "user": user, "groups": groups, "path": path, "method": method, "body": String::from_utf8_lossy(&body),
    }))
}

pub fn api_service(bundle: &str) -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": { "name": "v1.wardle.example.com" },
        "spec": {
            "group": "wardle.example.com", "version": "v1", "groupPriorityMinimum": 2000, "versionPriority": 10,
            "service": { "namespace": "default", "name": "wardle" }, "caBundle": bundle,
        },
    })
}

pub async fn state(cluster: &Cluster) -> String {
    let path = format!("{API_SERVICES}/v1.wardle.example.com");
    condition(&cluster.get(&path).await.ok(), "Available")
}

#[tokio::test]
async fn what_is_served_here_has_local_api_services() {
    let cluster = Cluster::new().await;
    for name in ["v1.", "v1.apps"] {
        let object = cluster.get(&format!("{API_SERVICES}/{name}")).await.ok();
        assert_eq!(condition(&object, "Available"), "True Local", "{name}");
        assert_eq!(object["metadata"]["labels"]["kube-aggregator.kubernetes.io/automanaged"], "onstart");
    }
    assert_eq!(cluster.get(&format!("{API_SERVICES}/v1.apiregistration.k8s.io")).await.code, 404);
    let versions = vec![crate::crontabs::version("v1", true), crate::crontabs::version("v1beta1", false)];
    cluster.post(crate::crontabs::DEFINITIONS, crate::crontabs::definition(versions)).await.ok();
    let path = format!("{API_SERVICES}/v1.stable.example.com");
    eventually("the custom group is there", async || cluster.get(&path).await.code == 200).await;
    for version in ["v1", "v1beta1"] {
        let object = cluster.get(&format!("{API_SERVICES}/{version}.stable.example.com")).await.ok();
        let rank = (&object["spec"]["groupPriorityMinimum"], &object["spec"]["versionPriority"]);
        assert_eq!(rank, (&json!(1000), &json!(100)), "{version}");
        assert_eq!(object["metadata"]["labels"]["kube-aggregator.kubernetes.io/automanaged"], "true");
    }
    cluster.delete(crate::crontabs::DEFINITION).await.ok();
    eventually("the custom group is gone", async || cluster.get(&path).await.code == 404).await;
}

#[tokio::test]
async fn requests_reach_the_remote_with_the_users_name() {
    let cluster = Cluster::new().await;
    let map = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
    let authority = cluster.get(map).await.ok()["data"]["requestheader-client-ca-file"].as_str().unwrap().to_string();
    let remote = Remote::start("wardle.default.svc", Some(&authority), flunders()).await;
    remote.behind(&cluster, "wardle").await;
    cluster.post(API_SERVICES, api_service(&remote.bundle)).await.ok();
    eventually("it is available", async || state(&cluster).await == "True Passed").await;
    let path = "/apis/wardle.example.com/v1/namespaces/default/flunders?dryRun=All";
    let mut asked = request(Method::POST, path, json!({ "a": 1 }));
    asked.headers_mut().insert("x-remote-user", "somebody-else".parse().unwrap());
    let echoed = cluster.send(asked).await.ok();
    assert_eq!(echoed["user"], json!(["admin"]));
    assert!(echoed["groups"].as_array().unwrap().contains(&json!("system:masters")));
    assert_eq!((&echoed["path"], &echoed["body"]), (&json!(path), &json!("{\"a\":1}")));
    let groups = cluster.get("/apis").await.ok();
    let group = groups["groups"].as_array().unwrap().iter().find(|g| g["name"] == "wardle.example.com").cloned();
    assert_eq!(group.unwrap()["preferredVersion"]["groupVersion"], "wardle.example.com/v1");
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    eventually("aggregated discovery has it", async || {
        let aggregated = cluster.get_as("/apis", accept).await.ok();
        let items = aggregated["items"].as_array().unwrap();
        let found = items.iter().find(|item| item["metadata"]["name"] == "wardle.example.com").cloned();
        found.is_some_and(|group| group["versions"][0]["resources"][0]["shortNames"] == json!(["fl"]))
    })
    .await;
    let index = cluster.get("/openapi/v3").await.ok();
    assert!(index["paths"]["apis/wardle.example.com/v1"].is_object());
}

#[tokio::test]
async fn a_remote_that_is_not_there_is_503_and_its_condition_says_why() {
    let cluster = Cluster::new().await;
    cluster.post(API_SERVICES, api_service("")).await.ok();
    eventually("the condition is written", async || state(&cluster).await == "False ServiceNotFound").await;
    let answer = cluster.get("/apis/wardle.example.com/v1/flunders").await;
    assert_eq!((answer.code, answer.text().as_str()), (503, "service unavailable\n"));
    let remote = Remote::start("wardle.default.svc", None, Router::new()).await;
    remote.behind(&cluster, "wardle").await;
    cluster
        .merge(&format!("{API_SERVICES}/v1.wardle.example.com"), json!({ "spec": { "caBundle": remote.bundle } }))
        .await
        .ok();
    eventually("discovery fails", async || state(&cluster).await == "False FailedDiscoveryCheck").await;
}

#[tokio::test]
async fn a_user_without_rights_does_not_reach_the_remote() {
    let cluster = Cluster::new().await;
    cluster.post(API_SERVICES, api_service("")).await.ok();
    eventually("it is known", async || state(&cluster).await == "False ServiceNotFound").await;
    let mut asked = http::Request::get("/apis/wardle.example.com/v1/flunders").body(Body::empty()).unwrap();
    asked.extensions_mut().insert(coracle_server::User::new("jane", []));
    let refused = cluster.send(asked).await;
    let text = "flunders.wardle.example.com is forbidden: User \"jane\" cannot list resource \"flunders\" in API group \
                \"wardle.example.com\" at the cluster scope";
    refused.fails(403, text);
}

/// What a server behind this one needs to know is read by its account, once that is bound as its manifests say.
#[tokio::test]
async fn who_certifies_clients_is_read_by_leave() {
    let cluster = Cluster::new().await;
    let ask = async || {
        let map = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
        let mut asked = http::Request::get(map).body(Body::empty()).unwrap();
        asked.extensions_mut().insert(coracle_server::User::new("system:serviceaccount:kube-system:metrics", []));
        cluster.send(asked).await.code
    };
    assert_eq!(ask().await, 403);
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "metrics" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "extension-apiserver-authentication-reader" },
        "subjects": [{ "kind": "ServiceAccount", "name": "metrics", "namespace": "kube-system" }],
    });
    let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings";
    cluster.post(path, binding).await.ok();
    assert_eq!(ask().await, 200);
}
