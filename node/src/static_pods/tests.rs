//! A node that finds no API server and runs its own pods all the same.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response},
};
use coracle_oci::{ImageStore, Limits, PushOptions, Registries, Registry, push};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Node, NodeAddresses, NodeConfig};

/// Ends at once.
const QUICK: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// A client of nobody.
#[derive(Clone)]
struct Nobody;

impl tower::Service<Request<kube::client::Body>> for Nobody {
    type Response = Response<Body>;
    type Error = io::Error;
    type Future = std::future::Ready<Result<Self::Response, io::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<kube::client::Body>) -> Self::Future {
        std::future::ready(Err(io::ErrorKind::ConnectionRefused.into()))
    }
}

async fn ask(router: &Router, path: &str) -> String {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = TowerToHyperService::new(router.clone()).call(request).await.unwrap();
    String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn static_pods_run_without_an_api_server() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(&dir.path().join("registry"), Limits::default()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, registry.router()).await });
    let options = PushOptions { registries: Arc::new(Registries::new()), ..PushOptions::default() };
    push(QUICK.into(), &format!("{host}/quick:1").parse().unwrap(), &options).await.unwrap();
    let manifests = dir.path().join("manifests");
    std::fs::create_dir(&manifests).unwrap();
    let manifest = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: own}}\nspec: {{restartPolicy: Never, containers: [{{name: c, image: '{host}/quick:1'}}]}}"
    );
    std::fs::write(manifests.join("own.yaml"), manifest).unwrap();
    let addresses = NodeAddresses {
        node: "127.0.0.1".parse().unwrap(),
        pod_cidr: "127.109.0.0/24".parse().unwrap(),
        service_cidr: "127.111.0.0/24".parse().unwrap(),
    };
    let images = ImageStore::open(&dir.path().join("images"), Limits::default()).unwrap();
    let mut config = NodeConfig::new("n1".into(), dir.path().join("node"), addresses, images);
    config.engine.max_instances = 10;
    let client = kube::Client::new(Nobody, "default");
    assert!(Node::start(client.clone(), config.clone(), CancellationToken::new()).await.is_err());
    config.pod_manifest_path = Some(manifests);
    let node = Node::start(client, config, CancellationToken::new()).await.unwrap();
    let router = node.router();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ask(&router, "/metrics").await.contains("kubelet_started_containers_total 1") {
        assert!(Instant::now() < deadline, "the static pod did not start: {}", ask(&router, "/pods").await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(ask(&router, "/pods").await.contains("\"name\":\"own-n1\""));
    node.stop().await;
}
