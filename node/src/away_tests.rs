//! A node whose API server goes away and comes back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    fake_api::Mode,
    test_world::{World, http_status},
};

/// The number of restarts of the pod's container.
fn restarts(pod: &Value) -> i64 {
    pod["status"]["containerStatuses"][0]["restartCount"].as_i64().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_while_the_server_was_dead_is_told_when_it_is_back() {
    absence(Mode::Dead, "127.107.0.0/24").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_while_the_server_hung_is_told_when_it_is_back() {
    absence(Mode::Hanging, "127.108.0.0/24").await;
}

async fn absence(mode: Mode, addresses: &str) {
    let world = World::new(addresses).await;
    let node = world.node().await;
    world.create("crash", "command:1", "Always", json!({"args": ["x"]}));
    for name in ["web", "gone"] {
        world.create(name, "http:1", "Always", json!({"ports": [{"containerPort": 8123}]}));
    }
    let is_backing_off = |pod: &Value| {
        (!pod["status"]["containerStatuses"][0]["state"]["waiting"].is_null() && restarts(pod) > 0).then_some(())
    };
    world.api.wait_for("pods/ns/crash", is_backing_off).await;
    let address = world.ready("web").await["status"]["podIP"].as_str().unwrap().to_owned();
    world.ready("gone").await;
    world.api.set(mode);
    let (before, writes) = (restarts(&world.api.get("pods/ns/crash").unwrap()), world.api.writes("pods/ns/crash"));
    let log = world.log("crash", before + 1);
    // After a back-off of ten seconds, which is seen by nobody.
    world.until("the container is started again without the server", || log.exists()).await;
    world.until("the node has noticed", || !node.link().is_up()).await;
    assert!(http_status(&format!("{address}:8123")).await.starts_with("HTTP/1.1 200"));
    assert_eq!(restarts(&world.api.get("pods/ns/crash").unwrap()), before);
    // Somebody deletes a pod, and takes another one for dead, while the node can't hear of it.
    let mut gone = world.api.get("pods/ns/gone").unwrap();
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    gone["metadata"]["deletionGracePeriodSeconds"] = 1.into();
    world.api.put("pods/ns/gone", gone);
    let mut web = world.api.get("pods/ns/web").unwrap();
    web["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
    world.api.put("pods/ns/web", web);
    world.api.set(Mode::Here);
    world.api.wait_for("pods/ns/crash", |pod| (restarts(pod) > before).then_some(())).await;
    assert_eq!(world.api.writes("pods/ns/crash"), writes + 1, "only the newest status is written");
    world.api.wait_for("pods/ns/gone", |pod| pod.is_null().then_some(())).await;
    world.ready("web").await;
    let is_told = |event: &Value| {
        event["involvedObject"]["name"] == "crash" && event["reason"] == "BackOff" && event["count"].as_i64() > Some(1)
    };
    world.until("events come late rather than never", || world.api.list("events").iter().any(is_told)).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_come_back_without_the_server() {
    let world = World::new("127.109.0.0/24").await;
    let node = world.node().await;
    world.api.put("configmaps/ns/m", json!({"metadata": {"name": "m", "namespace": "ns"}, "data": {"A": "1"}}));
    let inputs = json!({"ports": [{"containerPort": 8123}], "envFrom": [{"configMapRef": {"name": "m"}}],
        "imagePullPolicy": "Always"});
    for name in ["web", "gone", "other"] {
        world.create(name, "http:1", "Always", inputs.clone());
    }
    world.create("done", "command:1", "Never", json!({}));
    world.api.wait_for("pods/ns/done", |pod| (pod["status"]["phase"] == "Succeeded").then_some(())).await;
    let before = world.ready("web").await;
    let address = before["status"]["podIP"].as_str().unwrap().to_owned();
    for name in ["gone", "other"] {
        world.ready(name).await;
    }
    world.api.set(Mode::Hanging);
    node.stop().await;
    let begun = tokio::time::Instant::now();
    let node = world.node().await;
    world.until("the pod serves again", || std::net::TcpStream::connect(format!("{address}:8123")).is_ok()).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(http_status(&format!("{address}:8123")).await.starts_with("HTTP/1.1 200"));
    assert!(world.log("done", 0).exists() && !world.log("done", 1).exists(), "what is over stays over");
    // One pod is deleted meanwhile, and one replaced.
    let gone = world.api.remove("pods/ns/gone").unwrap();
    let mut other = world.api.remove("pods/ns/other").unwrap();
    other["metadata"]["uid"] = "another".into();
    other["status"] = json!({"phase": "Pending"});
    world.api.put("pods/ns/other", other);
    world.api.set(Mode::Here);
    let restarted = |pod: &Value| (restarts(pod) == 1).then(|| pod.clone());
    world.api.wait_for("pods/ns/web", restarted).await;
    let after = world.ready("web").await;
    for field in ["startTime", "podIP"] {
        assert_eq!(after["status"][field], before["status"][field]);
    }
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(world.ready("other").await["metadata"]["uid"], "another");
    let address = gone["status"]["podIP"].as_str().unwrap();
    world
        .until("a pod that was deleted ends", || std::net::TcpStream::connect(format!("{address}:8123")).is_err())
        .await;
    node.stop().await;
}
