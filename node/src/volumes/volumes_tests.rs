//! Volumes made in a temporary directory out of fake objects, and kept while those change.

use std::fs;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{fake_api::FakeApi, link::Link, pods::PodAtHand, volumes::fake::Fake};

fn pod(volumes: Value) -> Arc<Pod> {
    let metadata = json!({"name": "p", "namespace": "shop", "uid": "u", "labels": {"a": "b"}});
    let pod = json!({"metadata": metadata, "spec": {"containers": [{"name": "c"}], "volumes": volumes}});
    Arc::new(serde_json::from_value(pod).unwrap())
}

fn keeper(api: &FakeApi) -> Arc<VolumeKeeper> {
    let (events, work) = crate::events::recorder(api.client(), "n");
    tokio::spawn(work);
    let (objects, host_ip) = (Arc::new(api.client()), "127.0.0.1".parse().unwrap());
    VolumeKeeper::new(objects, api.client(), Link::steady(), host_ip, Default::default(), Arc::new(events))
}

async fn make(
    dir: &Path,
    pod: &Arc<Pod>,
    objects: &dyn Objects,
    keeper: &Arc<VolumeKeeper>,
) -> Result<Volumes, (String, VolumeError)> {
    let [pod_ip, host_ip] = ["127.64.0.2", "127.0.0.1"].map(|ip| ip.parse().unwrap());
    let about = Downward { pod, pod_ip, host_ip, allocatable: &Default::default() };
    Volumes::set_up(&Setting { pod, about, objects, keeper, dir }).await
}

async fn set_up(dir: &Path, volume: Value) -> Result<Volumes, (String, VolumeError)> {
    let mut fake = Fake::default();
    let map = json!({"data": {"app.conf": "x=1", "other": "y"}, "binaryData": {"bin": "AAE="}});
    fake.config_maps.insert("settings".into(), serde_json::from_value(map).unwrap());
    fake.secrets.insert("keys".into(), serde_json::from_value(json!({"data": {"k": "c2VzYW1l"}})).unwrap());
    make(dir, &pod(json!([volume])), &fake, &keeper(&FakeApi::default())).await
}

#[tokio::test]
async fn files_come_from_objects_and_cannot_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let volume = json!({"name": "v", "configMap": {"name": "settings", "defaultMode": 0o600}});
        let volumes = set_up(dir.path(), volume).await.unwrap();
        let mounted = volumes.get("v").unwrap();
        assert!(mounted.read_only && mounted.nature == Nature::Payload);
        assert_eq!(fs::read(mounted.path.join("app.conf")).unwrap(), b"x=1");
        assert_eq!(fs::read(mounted.path.join("bin")).unwrap(), [0, 1]);
    }
    let volume = json!({"name": "v", "projected": {"sources": [
        {"secret": {"name": "keys", "items": [{"key": "k", "path": "deep/key", "mode": 0o400}]}},
        {"downwardAPI": {"items": [
            {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
            {"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "requests.cpu"}}]}},
        {"serviceAccountToken": {"path": "token", "audience": "api"}},
    ]}});
    set_up(dir.path(), volume).await.unwrap();
    for (path, content) in [("deep/key", "sesame"), ("labels", "a=\"b\""), ("cpu", "0"), ("token", "token 0 for api")] {
        assert_eq!(fs::read_to_string(dir.path().join("v").join(path)).unwrap(), content);
    }
    assert!(!dir.path().join("v/app.conf").exists(), "what is no longer there is gone");
}

#[tokio::test]
async fn what_is_missing_or_unsupported_is_named() {
    let cases = [
        (json!({"name": "v", "configMap": {"name": "none"}}), "configmap \"none\" not found"),
        (json!({"name": "v", "secret": {"secretName": "none"}}), "secret \"none\" not found"),
        (
            json!({"name": "v", "configMap": {"name": "settings", "items": [{"key": "k", "path": "k"}]}}),
            "configmap references non-existent config key: k",
        ),
        (
            json!({"name": "v", "secret": {"secretName": "keys", "items": [{"key": "x", "path": "k"}]}}),
            "references non-existent secret key: x",
        ),
        (
            json!({"name": "v", "configMap": {"name": "settings", "items": [{"key": "other", "path": "../k"}]}}),
            "invalid path \"../k\": must not contain '..'",
        ),
        (
            json!({"name": "v", "downwardAPI": {"items": [{"path": "x", "resourceFieldRef": {"containerName": "d", "resource": "limits.cpu"}}]}}),
            "container d not found",
        ),
        (
            json!({"name": "v", "projected": {"sources": [{"clusterTrustBundle": {"name": "b", "path": "p"}}]}}),
            "projected volume source clusterTrustBundle is not supported by this node",
        ),
        (
            json!({"name": "v", "nfs": {"server": "s", "path": "/"}}),
            "no volume plugin matched: volume type nfs is not supported by this node",
        ),
    ];
    // Some are waited for, so all at once.
    let checks = cases.map(|(volume, text)| async move {
        let dir = tempfile::tempdir().unwrap();
        let (name, error) = set_up(dir.path(), volume).await.unwrap_err();
        assert_eq!((&*name, &*error.to_string()), ("v", text));
    });
    futures::future::join_all(checks).await;
    let dir = tempfile::tempdir().unwrap();
    let optional = json!({"name": "v", "configMap": {"name": "none", "optional": true}});
    set_up(dir.path(), optional).await.unwrap();
}

/// Waits until the file has this content; empty means that it is not there.
async fn reads(path: &Path, wanted: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let found = fs::read_to_string(path).unwrap_or_default();
        if found == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{} has {found:?}, not {wanted:?}", path.display());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn volumes_follow_their_objects_and_their_pod() {
    let (dir, api) = (tempfile::tempdir().unwrap(), FakeApi::default());
    let keeper = keeper(&api);
    let shutdown = CancellationToken::new();
    tokio::spawn(Arc::clone(&keeper).run(shutdown.clone()));
    let map = |name: &str, data: Value| json!({"metadata": {"name": name, "namespace": "shop"}, "data": data});
    api.put("configmaps/shop/m", map("m", json!({"a": "1", "b": "1"})));
    let labels = json!({"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]});
    let pod = pod(json!([
        {"name": "map", "configMap": {"name": "m"}},
        {"name": "late", "secret": {"secretName": "s", "optional": true}},
        {"name": "labels", "downwardAPI": labels},
    ]));
    let volumes = make(dir.path(), &pod, &api.client(), &keeper).await.unwrap();
    let at = |name: &str| dir.path().join(name);
    reads(&at("map/a"), "1").await;
    api.put("configmaps/shop/m", map("m", json!({"a": "2"})));
    reads(&at("map/a"), "2").await;
    reads(&at("map/b"), "").await;
    api.put("configmaps/shop/other", map("other", json!({})));
    api.put("secrets/shop/s", json!({"metadata": {"name": "s", "namespace": "shop"}, "data": {"k": "c2VzYW1l"}}));
    reads(&at("late/k"), "sesame").await;
    api.remove("secrets/shop/s");
    reads(&at("late/k"), "").await;
    let mut changed = Pod::clone(&pod);
    changed.metadata.labels = Some([("a".to_owned(), "c".to_owned())].into());
    keeper.pod_changed("u", &PodAtHand::opened(Arc::new(changed)));
    reads(&at("labels/labels"), "a=\"c\"").await;
    drop(volumes);
    api.put("configmaps/shop/m", map("m", json!({"a": "3"})));
    let again = make(&at("again"), &pod, &api.client(), &keeper).await.unwrap();
    reads(&at("again/map/a"), "3").await;
    assert_eq!(fs::read(at("map/a")).unwrap(), b"2", "nobody keeps what is over");
    drop(again);
    shutdown.cancel();
}

#[tokio::test]
async fn an_object_made_beside_its_pod_is_waited_for() {
    let (dir, api) = (tempfile::tempdir().unwrap(), FakeApi::default());
    let keeper = keeper(&api);
    let (pod, client) = (pod(json!([{"name": "map", "configMap": {"name": "m"}}])), api.client());
    let making = make(dir.path(), &pod, &client, &keeper);
    let late = async {
        tokio::task::yield_now().await;
        api.put("configmaps/shop/m", json!({"metadata": {"name": "m", "namespace": "shop"}, "data": {"a": "1"}}));
    };
    let (made, ()) = tokio::join!(making, late);
    made.unwrap();
    reads(&dir.path().join("map/a"), "1").await;
}
