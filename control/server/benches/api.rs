//! What the API costs through its own router, without sockets: one durable create, a list of 10,000 pods, one change
//! told to 1,000 watchers.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use coracle_server::{NodeTransports, Server, ServerConfig, User};
use coracle_store::{Store, StoreConfig};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt;

const PODS: &str = "/api/v1/namespaces/default/pods";
const LISTED: usize = 10_000;
const WATCHERS: usize = 1_000;

struct Bench {
    router: Router,
    _directory: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(StoreConfig::new(directory.path()), coracle_server::lift()).await.expect("a store");
        let config = ServerConfig::new(([192, 0, 2, 1], 6443).into());
        let server = Server::new(store, config, NodeTransports::default()).await.expect("a server");
        Self { router: server.router(), _directory: directory }
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Response<Body> {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let mut request = Request::builder().method(method).uri(path).body(body).expect("a request");
        request.extensions_mut().insert(User::new("bench", ["system:masters".to_string()]));
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        assert!(response.status().is_success(), "{}", response.status());
        response
    }

    async fn create(&self) {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "generateName": "bench-", "labels": { "app": "bench" } },
            "spec": { "containers": [{ "name": "main", "image": "example.com/hello:1", "ports": [{ "containerPort": 8080 }] }] },
        });
        self.send(Method::POST, PODS, &pod).await;
    }
}

fn creates(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let bench = runtime.block_on(Bench::new());
    c.bench_function("create a pod", |b| b.to_async(&runtime).iter(|| bench.create()));
    let mut group = c.benchmark_group("create pods, 32 at a time");
    group.throughput(Throughput::Elements(32));
    group.bench_function("32", |b| {
        b.to_async(&runtime).iter(|| futures::future::join_all((0..32).map(|_| bench.create())));
    });
    group.finish();
}

fn lists(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let bench = runtime.block_on(async {
        let bench = Bench::new().await;
        futures::stream::iter(0..LISTED).for_each_concurrent(64, |_| bench.create()).await;
        bench
    });
    let read = async |path: &str| {
        let response = bench.send(Method::GET, path, &Value::Null).await;
        response.into_body().collect().await.expect("a body").to_bytes().len()
    };
    let mut group = c.benchmark_group("list 10,000 pods");
    group.sample_size(20);
    group.bench_function("all", |b| b.to_async(&runtime).iter(|| read(PODS)));
    group.bench_function("one by label", |b| {
        b.to_async(&runtime).iter(|| read("/api/v1/pods?labelSelector=app%3Dother"))
    });
    group.bench_function("in pages of 500", |b| b.to_async(&runtime).iter(|| read("/api/v1/pods?limit=500")));
    group.finish();
}

/// One change at a time, each waited for by every watcher.
async fn fan_out(bench: &Bench, changes: u64) -> Duration {
    let path = "/api/v1/namespaces/default/configmaps";
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "generateName": "m-" } });
    let mut streams = Vec::with_capacity(WATCHERS);
    let revision = {
        let response = bench.send(Method::GET, &format!("{path}?limit=1"), &Value::Null).await;
        let list: Value =
            serde_json::from_slice(&response.into_body().collect().await.expect("a body").to_bytes()).expect("JSON");
        list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_string()
    };
    for _ in 0..WATCHERS {
        let response =
            bench.send(Method::GET, &format!("{path}?watch=1&resourceVersion={revision}"), &Value::Null).await;
        streams.push(response.into_body().into_data_stream());
    }
    let started = Instant::now();
    for _ in 0..changes {
        bench.send(Method::POST, path, &map).await;
        for stream in &mut streams {
            stream.next().await.expect("an event").expect("a piece");
        }
    }
    started.elapsed()
}

fn watches(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let bench = runtime.block_on(Bench::new());
    let mut group = c.benchmark_group("one change told to watchers");
    group.sample_size(10);
    group.throughput(Throughput::Elements(WATCHERS as u64));
    group.bench_function("1,000", |b| b.to_async(&runtime).iter_custom(|changes| fan_out(&bench, changes)));
    group.finish();
}

criterion_group!(benches, creates, lists, watches);
criterion_main!(benches);
