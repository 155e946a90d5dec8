//! The in-process client: what controllers, scheduler and node work with.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchParams};
use kube::core::WatchEvent;
use serde_json::json;

use crate::support::{Cluster, map, pod};

#[tokio::test]
async fn typed_objects_go_there_and_back() {
    let cluster = Cluster::new().await;
    let client = cluster.server.client("system:kube-controller-manager", &[]);
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let created = maps
        .create(&PostParams::default(), &serde_json::from_value(map("a", json!({ "x": "y" }))).unwrap())
        .await
        .unwrap();
    let patch = Patch::Merge(json!({ "data": { "more": "1" } }));
    maps.patch("a", &PatchParams::default(), &patch).await.unwrap();
    let list = maps.list(&ListParams::default().labels("x=y")).await.unwrap();
    assert_eq!(list.items[0].metadata.uid, created.metadata.uid);
    assert_eq!(list.items[0].data.as_ref().unwrap()["more"], "1");
    let metadata = maps.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(metadata.items[0].metadata.name.as_deref(), Some("a"));
    assert!(maps.delete("a", &DeleteParams::default()).await.unwrap().is_right());
    assert!(maps.get_opt("a").await.unwrap().is_none());
    let pods: Api<Pod> = Api::default_namespaced(client);
    let created = pods.create(&PostParams::default(), &serde_json::from_value(pod("p")).unwrap()).await.unwrap();
    assert_eq!(created.spec.unwrap().service_account_name.as_deref(), Some("default"));
}

#[tokio::test]
async fn watches_stream() {
    let cluster = Cluster::new().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.server.client("system:kube-scheduler", &[]));
    let revision = maps.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let mut events = maps.watch(&WatchParams::default(), &revision).await.unwrap().boxed();
    maps.create(&PostParams::default(), &serde_json::from_value(map("a", json!({}))).unwrap()).await.unwrap();
    assert!(
        matches!(events.try_next().await.unwrap(), Some(WatchEvent::Added(added)) if added.metadata.name.as_deref() == Some("a"))
    );
}

#[tokio::test]
async fn somebody_else_inside_may_nothing() {
    let cluster = Cluster::new().await;
    let maps: Api<ConfigMap> = Api::all(cluster.server.client("jane", &[]));
    let refused = maps.list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 403));
}
