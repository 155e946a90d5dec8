use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::WatchParams};
use serde_json::json;

use super::*;
use crate::fake_api::{FakeApi, Mode};

async fn probe(link: &Link, client: &Client) -> bool {
    link.probe(Api::<ConfigMap>::namespaced(client.clone(), "ns").get_opt("m")).await.is_ok()
}

#[tokio::test]
async fn signs_of_life_tell_whether_the_server_is_there() {
    let (link, api) = (Link::new(), FakeApi::default());
    let client = api.client();
    assert!(probe(&link, &client).await && link.is_up());
    api.set(Mode::Dead);
    assert!(!probe(&link, &client).await && !link.is_up());
    let back = tokio::spawn({
        let link = Arc::clone(&link);
        async move { link.up().await }
    });
    let before = link.returns();
    api.set(Mode::Here);
    assert!(probe(&link, &client).await);
    assert_eq!(link.returns(), before + 1);
    back.await.unwrap();
    link.returned(before).await;
    assert!(probe(&link, &client).await && link.returns() == before + 1);
}

#[tokio::test]
async fn a_server_that_hangs_is_away_too() {
    let (link, api) = (Link::new(), FakeApi::default());
    api.set(Mode::Hanging);
    let begun = Instant::now();
    assert!(!probe(&link, &api.client()).await && !link.is_up());
    assert!(begun.elapsed() >= PROBE_TIMEOUT && begun.elapsed() < PROBE_TIMEOUT * 3);
}

#[tokio::test]
async fn requests_fail_while_the_server_is_away_and_watches_wait() {
    let (link, api) = (Link::new(), FakeApi::default());
    let maps = |client| Api::<ConfigMap>::namespaced(client, "ns");
    let asking = maps(link.client(&api.client()));
    let watching = maps(link.watching_client(&api.client()));
    let mut stream = watching.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    // One that is under way when the server is lost, which nobody would answer.
    api.set(Mode::Hanging);
    let under_way = tokio::spawn({
        let asking = asking.clone();
        async move { asking.get("m").await }
    });
    // What takes long raises a doubt.
    link.doubted().await;
    link.give_up();
    assert!(is_unreachable(&under_way.await.unwrap().unwrap_err()));
    assert!(is_unreachable(&asking.get("m").await.unwrap_err()));
    assert!(stream.next().await.is_none(), "a watch ends with the link");
    let waiting = tokio::spawn(async move { watching.get("m").await });
    api.set(Mode::Here);
    api.put("configmaps/ns/m", json!({"metadata": {"name": "m", "namespace": "ns"}}));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished(), "nobody asks before a sign of life was answered");
    link.hear();
    assert_eq!(waiting.await.unwrap().unwrap().metadata.name.as_deref(), Some("m"));
    assert!(asking.get("m").await.is_ok());
}

#[tokio::test]
async fn a_server_in_the_same_process_is_never_away() {
    let (link, api) = (Link::steady(), FakeApi::default());
    api.set(Mode::Dead);
    assert!(!probe(&link, &api.client()).await && link.is_up());
}
