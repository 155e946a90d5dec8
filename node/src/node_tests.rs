//! Pods from binding to deletion, on a whole node with a real registry and real sandboxes, beside a fake API server.

use serde_json::{Value, json};

use crate::test_world::{World, ask, http_status};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_runs_to_its_end_and_leaves_log_and_events() {
    let world = World::new("127.101.0.0/24").await;
    let node = world.node().await;
    world.create("done", "command:1", "Never", json!({}));
    world.create("trap", "command:1", "Never", json!({"args": ["x"]}));
    let phase = |pod: &Value, phase: &str| (pod["status"]["phase"] == phase).then(|| pod["status"].clone());
    let done = world.api.wait_for("pods/ns/done", |pod| phase(pod, "Succeeded")).await;
    assert_eq!(done["containerStatuses"][0]["state"]["terminated"]["reason"], "Completed");
    let trap = world.api.wait_for("pods/ns/trap", |pod| phase(pod, "Failed")).await;
    let terminated = &trap["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&terminated["exitCode"], &terminated["reason"]), (&json!(134), &json!("Error")));
    assert!(terminated["message"].as_str().unwrap().contains("unreachable"), "{terminated}");
    let router = node.router();
    assert_eq!(ask(&router, "/containerLogs/ns/done/c").await, (200, "hello\n".to_owned()));
    assert_eq!(ask(&router, "/containerLogs/ns/none/c").await.0, 404);
    assert_eq!(ask(&router, "/containerLogs/ns/done/c?previous=true").await.0, 400);
    assert!(world.event("done", "Pulled").await.starts_with("Successfully pulled image"));
    assert_eq!(world.event("done", "Created").await, "Created container: c");
    assert_eq!(world.event("done", "Started").await, "Started container c");
    assert_eq!(world.api.get("nodes//n1").unwrap()["status"]["nodeInfo"]["operatingSystem"], "linux");
    assert_eq!(
        world
            .api
            .wait_for("leases/kube-node-lease/n1", |lease| lease["spec"]["holderIdentity"].as_str().map(str::to_owned))
            .await,
        "n1"
    );
    world.delete("done").await;
    node.stop().await;
    // Whoever holds the API of a stopped node holds nothing of the node itself.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while ask(&router, "/metrics").await.0 != 503 {
        assert!(tokio::time::Instant::now() < deadline, "the stopped node is kept alive");
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert_eq!(ask(&router, "/containerLogs/ns/done/c").await, (503, "the node has stopped".to_owned()));
    assert_eq!(ask(&router, "/stats/summary").await.0, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_gets_ready_answers_survives_the_node_and_is_deleted() {
    let world = World::new("127.102.0.0/24").await;
    let node = world.node().await;
    let ports = json!({"ports": [{"containerPort": 8123}], "readinessProbe": {"tcpSocket": {"port": 8123}, "periodSeconds": 1}});
    world.create("web", "http:1", "Always", ports);
    let first = world.ready("web").await;
    let address = first["status"]["podIP"].as_str().unwrap().to_owned();
    assert!(address.starts_with("127.102.0."), "{address}");
    assert!(http_status(&format!("{address}:8123")).await.starts_with("HTTP/1.1 200"));
    node.stop().await;
    assert!(tokio::net::TcpStream::connect(format!("{address}:8123")).await.is_err());
    let node = world.node().await;
    let restarted = |pod: &Value| (pod["status"]["containerStatuses"][0]["restartCount"] == 1).then_some(());
    world.api.wait_for("pods/ns/web", restarted).await;
    assert_eq!(world.ready("web").await["status"]["podIP"], address.as_str());
    assert!(http_status(&format!("{address}:8123")).await.starts_with("HTTP/1.1 200"));
    world.delete("web").await;
    assert_eq!(world.event("web", "Killing").await, "Stopping container c");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_whose_post_start_hook_fails_is_killed_for_it() {
    let world = World::new("127.106.0.0/24").await;
    let node = world.node().await;
    // Nobody listens there.
    let hook = json!({"postStart": {"httpGet": {"port": 8124}}});
    for (name, policy) in [("once", "Never"), ("again", "Always")] {
        world.create(name, "http:1", policy, json!({"ports": [{"containerPort": 8123}], "lifecycle": hook}));
    }
    let state = |pod: &Value, state: &str| {
        let state = &pod["status"]["containerStatuses"][0]["state"][state];
        (!state.is_null()).then(|| state.clone())
    };
    // A server that is told to stop drains and ends with code 0, whoever tells it.
    let over = |pod: &Value| (pod["status"]["phase"] == "Succeeded").then(|| state(pod, "terminated")).flatten();
    let end = world.api.wait_for("pods/ns/once", over).await;
    assert_eq!((&end["exitCode"], &end["reason"]), (&json!(0), &json!("Completed")));
    assert_eq!(world.event("once", "FailedPostStartHook").await, "PostStartHook failed");
    assert_eq!(world.event("once", "Killing").await, "FailedPostStartHook");
    let looping = |pod: &Value| state(pod, "waiting").filter(|waiting| waiting["reason"] == "CrashLoopBackOff");
    world.api.wait_for("pods/ns/again", looping).await;
    world.delete("again").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_shown_as_in_kubernetes_and_can_be_deleted() {
    let world = World::new("127.103.0.0/24").await;
    let node = world.node().await;
    let waiting = async |name: &str, reason: &str| {
        let look = |pod: &Value| {
            let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
            (waiting["reason"] == reason).then(|| waiting["message"].as_str().unwrap_or_default().to_owned())
        };
        world.api.wait_for(&format!("pods/ns/{name}"), look).await
    };
    world.create("none", "none:1", "Always", json!({}));
    world.create("bad", "Bad::name", "Always", json!({}));
    world.create("env", "command:1", "Always", json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    world.create("crash", "command:1", "Always", json!({"args": ["x"]}));
    assert!(waiting("none", "ErrImagePull").await.contains("not found"));
    assert!(waiting("none", "ImagePullBackOff").await.starts_with("Back-off pulling image"));
    waiting("bad", "InvalidImageName").await;
    assert_eq!(waiting("env", "CreateContainerConfigError").await, "configmap \"settings\" not found");
    let crash = waiting("crash", "CrashLoopBackOff").await;
    assert!(crash.starts_with("back-off 10s restarting failed container=c pod=crash_ns("), "{crash}");
    assert!(
        world.event("crash", "BackOff").await.starts_with("Back-off restarting failed container c in pod crash_ns(")
    );
    let router = node.router();
    let (code, text) = ask(&router, "/containerLogs/ns/none/c").await;
    assert_eq!(
        (code, &*text),
        (400, "container \"c\" in pod \"none\" is waiting to start: trying and failing to pull image")
    );
    assert_eq!(ask(&router, "/containerLogs/ns/crash/c?previous=true&tailLines=1").await.0, 200);
    world.api.put(
        "configmaps/ns/settings",
        json!({"metadata": {"name": "settings", "namespace": "ns"}, "data": {"A": "1"}}),
    );
    let ran =
        |pod: &Value| pod["status"]["containerStatuses"][0]["imageID"].as_str().filter(|id| !id.is_empty()).map(drop);
    world.api.wait_for("pods/ns/env", ran).await;
    for name in ["none", "bad", "env", "crash"] {
        world.delete(name).await;
    }
    node.stop().await;
}
