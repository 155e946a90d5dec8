//! Discovery, documents, health; and who may see what.

use coracle_server::User;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Cluster, MAPS, PODS, request};

async fn as_user(cluster: &Cluster, path: &str, user: Option<User>) -> (u16, String) {
    let mut request = Request::get(path).body(axum::body::Body::empty()).unwrap();
    request.extensions_mut().extend(
        user.map(|u| {
            let mut extensions = http::Extensions::new();
            extensions.insert(u);
            extensions
        })
        .unwrap_or_default(),
    );
    let answer = cluster.send(request).await;
    (answer.code, answer.message().to_string())
}

#[tokio::test]
async fn nobody_sees_health_and_version_only() {
    let cluster = Cluster::new().await;
    for path in ["/healthz", "/livez", "/readyz", "/version"] {
        assert_eq!(as_user(&cluster, path, None).await.0, 200, "{path}");
    }
    // Which parts there are is not for everybody.
    let refused = "forbidden: User \"system:anonymous\" cannot get path \"/readyz/store\"";
    assert_eq!(as_user(&cluster, "/readyz/store", None).await, (403, refused.into()));
    for path in ["/api", "/apis", "/metrics", "/openapi/v2", PODS, "/nonsense"] {
        assert_eq!(as_user(&cluster, path, None).await, (401, "Unauthorized".into()), "{path}");
    }
}

#[tokio::test]
async fn somebody_sees_discovery_and_is_told_what_is_missing() {
    let cluster = Cluster::new().await;
    let jane = || Some(User::new("jane", []));
    assert_eq!(as_user(&cluster, "/apis/apps/v1", jane()).await.0, 200);
    let refused =
        "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"";
    assert_eq!(as_user(&cluster, PODS, jane()).await, (403, refused.into()));
    let refused = "namespaces is forbidden: User \"jane\" cannot list resource \"namespaces\" in API group \"\" at the cluster scope";
    assert_eq!(as_user(&cluster, "/api/v1/namespaces", jane()).await, (403, refused.into()));
    assert_eq!(
        as_user(&cluster, "/metrics", jane()).await,
        (403, "forbidden: User \"jane\" cannot get path \"/metrics\"".into())
    );
}

#[tokio::test]
async fn discovery_lists_what_is_served() {
    let cluster = Cluster::new().await;
    assert_eq!(cluster.get("/api").await.ok()["versions"], json!(["v1"]));
    let core = cluster.get("/api/v1").await.ok();
    let names: Vec<&str> = core["resources"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"pods") && names.contains(&"pods/log"), "{names:?}");
    assert_eq!(cluster.get("/apis").await.ok()["kind"], "APIGroupList");
    assert_eq!(cluster.get("/apis/apps").await.ok()["kind"], "APIGroup");
    assert_eq!(cluster.get("/apis/nonsense/v1").await.code, 404);
    let aggregated = cluster
        .get_as("/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json")
        .await;
    assert_eq!(
        aggregated.headers["content-type"],
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    assert_eq!(aggregated.ok()["kind"], "APIGroupDiscoveryList");
}

#[tokio::test]
async fn documents() {
    let cluster = Cluster::new().await;
    let version = cluster.get("/version").await.ok();
    assert_eq!((&version["major"], &version["minor"]), (&json!("1"), &json!("36")));
    assert!(version["gitVersion"].as_str().unwrap().starts_with("v1.36.0+coracle"));
    let index = cluster.get("/openapi/v3").await.ok();
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap();
    let first = cluster.get(url).await;
    let tag = first.headers["etag"].clone();
    assert!(first.ok()["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"].is_object());
    let mut again = request(Method::GET, url, Value::Null);
    again.headers_mut().insert("if-none-match", tag);
    assert_eq!(cluster.send(again).await.code, 304);
    assert_eq!(cluster.get("/openapi/v2").await.ok()["swagger"], "2.0");
    let metrics = cluster.get("/metrics").await.text();
    assert!(metrics.contains("apiserver_request_total{verb=\"\""), "{metrics}");
    assert_eq!(cluster.get("/nonsense").await.code, 404);
    cluster.get("/apis/apps/v1/nonsense").await.leads_nowhere();
}

#[tokio::test]
async fn readiness_is_what_the_checks_say() {
    let cluster = Cluster::new().await;
    cluster.server.set_ready("node", Err("starting".into()));
    assert_eq!(cluster.get("/readyz").await.code, 500);
    assert_eq!(cluster.server.ready(), Err("node: starting".into()));
    cluster.server.set_ready("node", Ok(()));
    assert_eq!(cluster.get("/readyz").await.text(), "ok");
}

#[tokio::test]
async fn too_many_at_a_time_are_told_to_come_back() {
    let mut config = crate::support::config();
    config.limits.long_running = 1;
    let cluster = Cluster::with(config, |_| {}).await;
    let _held = cluster.watch(&format!("{MAPS}?watch=1")).await;
    let refused = cluster.get(&format!("{MAPS}?watch=1")).await;
    assert_eq!((refused.code, refused.headers["retry-after"].to_str().unwrap()), (429, "1"));
}
