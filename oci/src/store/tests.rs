//! What the store keeps, shares and forgets.

use std::sync::atomic::Ordering;

use serde_json::json;

use super::*;
use crate::testing::{Counter, Fixture};
use crate::{Registries, media_type as mt};

async fn put(fixture: &Fixture, name: &str, wasm: &[u8]) {
    fixture.image(name, (mt::WASM_CONFIG_V0, json!({})), (mt::WASM, wasm)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pulls_at_the_same_time_are_one_pull() {
    let fixture = Fixture::new().await;
    let wasm = vec![7; 1 << 20];
    put(&fixture, "same", &wasm).await;
    let pulls = (0..16).map(|_| fixture.pull("same"));
    let images = futures::future::try_join_all(pulls).await.unwrap();
    assert!(images.iter().all(|image| *image == images[0]));
    assert_eq!(fixture.server.count(&format!("GET /v2/same/blobs/{}", Digest::of(&wasm))), 1);
    assert_eq!(fixture.server.count("GET /v2/same/manifests"), 1);
    assert!(fixture.store.inner.pulls.lock().values().all(|pull| pull.upgrade().is_none()));
}

#[tokio::test]
async fn a_tag_is_asked_about_again_and_only_news_are_fetched() {
    let fixture = Fixture::new().await;
    put(&fixture, "moving", b"one").await;
    let one = fixture.pull("moving").await.unwrap();
    assert_eq!(fixture.pull("moving").await.unwrap(), one);
    let requests = |method: &str| fixture.server.count(&format!("{method} /v2/moving/manifests"));
    assert_eq!((requests("GET"), requests("HEAD")), (1, 1));

    put(&fixture, "moving", b"two").await;
    let two = fixture.pull("moving").await.unwrap();
    assert_eq!(fixture.store.module(&two).unwrap(), b"two"[..]);
    assert_eq!(fixture.store.list(), [two]);
    assert!(fixture.store.prune().unwrap() > 0, "the old blobs");
    assert!(fixture.store.module(&one).is_err());
}

#[tokio::test]
async fn images_survive_reopening_and_share_blobs() {
    let fixture = Fixture::new().await;
    put(&fixture, "a", b"shared").await;
    put(&fixture, "b", b"shared").await;
    let (a, b) = (fixture.pull("a").await.unwrap(), fixture.pull("b").await.unwrap());
    let store = ImageStore::open(&fixture.dir.path().join("images"), Limits::default()).unwrap();
    assert_eq!(store.list(), [a, b.clone()]);
    store.remove(&fixture.server.reference("a")).unwrap();
    assert_eq!(store.module(&b).unwrap(), b"shared"[..]);
    let again = store.remove(&fixture.server.reference("a")).unwrap_err();
    assert!(matches!(again, StoreError::NotFound { .. }));
    store.remove(&fixture.server.reference("b")).unwrap();
    assert_eq!(store.usage_bytes(), 0);
}

#[tokio::test]
async fn a_damaged_module_is_noticed_and_pulled_again() {
    let fixture = Fixture::new().await;
    put(&fixture, "x", b"module").await;
    let image = fixture.pull("x").await.unwrap();
    let blob = fixture.store.inner.blobs.path(&Digest::of(b"module"));
    fs::write(blob, "modulo").unwrap();
    let error = fixture.store.module(&image).unwrap_err();
    assert!(error.to_string().contains("damaged on disk"), "{error}");
    assert_eq!(fixture.store.resolve(&fixture.server.reference("x")), None);
    let image = fixture.pull("x").await.unwrap();
    assert_eq!(fixture.store.module(&image).unwrap(), b"module"[..]);
}

#[tokio::test]
async fn a_damaged_layer_of_a_compat_image_is_fetched_again() {
    let fixture = Fixture::new().await;
    let (bytes, diff_id) = crate::testing::layer(&[("main.wasm", b"module")]);
    let config = json!({ "os": "wasi", "architecture": "wasm", "config": { "Cmd": ["main.wasm"] },
        "rootfs": { "diff_ids": [diff_id] } });
    let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
    fixture.image("x", (mt::OCI_CONFIG, config), (media_type, &bytes)).await;
    let image = fixture.pull("x").await.unwrap();
    fs::remove_dir_all(image.rootfs.as_ref().unwrap()).unwrap();
    let blob = fixture.store.inner.blobs.path(&Digest::of(&bytes));
    fs::write(blob, vec![0; bytes.len()]).unwrap();
    assert_eq!(fixture.store.resolve(&fixture.server.reference("x")), None);
    assert!(matches!(fixture.pull("x").await, Err(PullError::Unpack { .. })));
    assert_eq!(fixture.pull("x").await.unwrap(), image);
}

#[tokio::test]
async fn what_a_pull_holds_is_not_swept() {
    let fixture = Fixture::new().await;
    let inner = &fixture.store.inner;
    let digest = inner.blobs.put(b"arriving").unwrap();
    let held = inner.hold(&digest);
    assert_eq!(fixture.store.prune().unwrap(), 0);
    drop(held);
    assert_eq!(fixture.store.prune().unwrap(), 8);
}

#[tokio::test]
async fn aliases_lead_elsewhere_and_fall_back() {
    let fixture = Fixture::new().await;
    put(&fixture, "app", b"aliased").await;
    let registries = Registries::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    registries.add_alias("registry.example.internal", &free.to_string(), true);
    registries.add_alias("registry.example.internal", &fixture.server.host, true);
    let options = PullOptions { registries: Arc::new(registries), ..PullOptions::default() };
    let reference: Reference = "registry.example.internal/app".parse().unwrap();
    let image = fixture.store.pull(&reference, &options).await.unwrap();
    assert_eq!(image.reference, "registry.example.internal/app:latest");
    assert_eq!(fixture.store.module(&image).unwrap(), b"aliased"[..]);
}

#[tokio::test]
async fn progress_adds_up() {
    let fixture = Fixture::new().await;
    put(&fixture, "p", &vec![1; 300_000]).await;
    let counter = Arc::new(Counter::default());
    let options = PullOptions { progress: Some(counter.clone()), ..PullOptions::default() };
    fixture.store.pull(&fixture.server.reference("p"), &options).await.unwrap();
    let counted = [&counter.total, &counter.bytes, &counter.finished].map(|n| n.load(Ordering::SeqCst));
    assert_eq!(counted, [300_000, 300_000, 1]);
}
