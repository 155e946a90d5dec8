//! What a whole node needs in a test: a real registry with real programs, and a fake API server.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{Router, body::to_bytes, http::Request};
use coracle_oci::{ImageStore, Limits, PushOptions, Registries, Registry, push};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::{Node, NodeAddresses, NodeConfig, fake_api::FakeApi};

/// Prints a line and ends; traps if it is given an argument beyond its name.
const COMMAND: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "hello\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 8))
    (i32.store (i32.const 4) (i32.const 6))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
    (drop (call $args (i32.const 40) (i32.const 44)))
    (if (i32.gt_u (i32.load (i32.const 40)) (i32.const 1)) (then unreachable))))"#;
const HTTP: &str = include_str!("../../wasi-host/tests/guests/http.wat");

/// A registry, an API server and a directory for a node.
pub struct World {
    pub dir: tempfile::TempDir,
    pub api: FakeApi,
    registry: String,
    pods: String,
}

impl World {
    /// Pods of the node have addresses of `pods`.
    pub async fn new(pods: &str) -> World {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::open(&dir.path().join("registry"), Limits::default()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, registry.router()).await });
        let options = PushOptions { registries: Arc::new(Registries::new()), ..PushOptions::default() };
        for (name, text) in [("command", COMMAND), ("http", HTTP)] {
            push(text.into(), &format!("{host}/{name}:1").parse().unwrap(), &options).await.unwrap();
        }
        World { dir, api: FakeApi::default(), registry: host, pods: pods.to_owned() }
    }

    /// Starts the node.
    pub async fn node(&self) -> Node {
        let data: &Path = self.dir.path();
        let images = ImageStore::open(&data.join("images"), Limits::default()).unwrap();
        let addresses = NodeAddresses {
            node: "127.0.0.1".parse().unwrap(),
            pod_cidr: self.pods.parse().unwrap(),
            service_cidr: "127.111.0.0/24".parse().unwrap(),
        };
        let mut config = NodeConfig::new("n1".into(), data.join("node"), addresses, images);
        config.engine.max_instances = 100;
        // How full the disk of the machine is that runs the tests is not what they are about.
        config.eviction.hard = "memory.available<100Mi".parse().unwrap();
        Node::start(self.api.client(), config, CancellationToken::new()).await.unwrap()
    }

    /// A pod that is bound to the node.
    pub fn create(&self, name: &str, image: &str, policy: &str, extra: Value) {
        let mut container =
            json!({"name": "c", "image": format!("{}/{image}", self.registry), "imagePullPolicy": "IfNotPresent"});
        container.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap_or_default());
        self.api.put(&format!("pods/ns/{name}"), json!({
            "metadata": {"name": name, "namespace": "ns", "generation": 1},
            "spec": {"nodeName": "n1", "restartPolicy": policy, "terminationGracePeriodSeconds": 1, "containers": [container]},
            "status": {"phase": "Pending"},
        }));
    }

    /// Marks the pod as deleted, as the API server does; the node does the rest.
    pub async fn delete(&self, name: &str) {
        let path = format!("pods/ns/{name}");
        let mut pod = self.api.get(&path).unwrap();
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        pod["metadata"]["deletionGracePeriodSeconds"] = 1.into();
        self.api.put(&path, pod);
        self.api.wait_for(&path, |pod| pod.is_null().then_some(())).await;
    }

    /// The log of a run of the pod's container.
    pub fn log(&self, name: &str, run: i64) -> PathBuf {
        let pod = self.api.get(&format!("pods/ns/{name}")).unwrap();
        let uid = pod["metadata"]["uid"].as_str().unwrap();
        self.dir.path().join(format!("node/pods/ns_{name}_{uid}/c/{run}.log"))
    }

    /// Waits until something is so.
    pub async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        while !is_so() {
            assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Waits until the pod is ready.
    pub async fn ready(&self, name: &str) -> Value {
        let is_ready = |pod: &Value| {
            let conditions = pod["status"]["conditions"].as_array()?;
            let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
            (ready["status"] == "True").then(|| pod.clone())
        };
        self.api.wait_for(&format!("pods/ns/{name}"), is_ready).await
    }

    /// Waits for an event of this reason about the pod.
    pub async fn event(&self, pod: &str, reason: &str) -> String {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let events = self.api.list("events");
            let found = events.iter().find(|event| event["reason"] == reason && event["involvedObject"]["name"] == pod);
            if let Some(event) = found {
                return event["message"].as_str().unwrap().to_owned();
            }
            assert!(tokio::time::Instant::now() < deadline, "no event {reason}: {events:#?}");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
}

/// Asks the node API.
pub async fn ask(router: &Router, path: &str) -> (u16, String) {
    let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
    let answer = TowerToHyperService::new(router.clone()).call(request).await.unwrap();
    let code = answer.status().as_u16();
    (code, String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap())
}

/// The first line of what a server answers.
pub async fn http_status(address: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}
