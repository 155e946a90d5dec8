//! A server to ask, and short ways to ask it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use coracle_server::{NodeTransports, Server, ServerConfig};
use coracle_store::{Store, StoreConfig};
use futures::StreamExt;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// Longer than anything here takes, unless it never comes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server of one test.
pub struct Cluster {
    pub server: Server,
    pub nodes: NodeTransports,
    pub store: Store,
    router: Router,
    _directory: Arc<tempfile::TempDir>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub code: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    pub body: Value,
}

impl Answer {
    /// `message` of a Status.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// The body, if all went well.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.code), "{}: {}", self.code, self.body);
        self.body
    }

    /// Checks the error: its code, and the whole message.
    #[track_caller]
    pub fn fails(self, code: u16, message: &str) {
        assert_eq!((self.code, self.message()), (code, message), "{}", self.body);
    }

    /// Checks that the path is nobody's, which is said without a Status.
    #[track_caller]
    pub fn leads_nowhere(self) {
        assert_eq!((self.code, self.text().as_str()), (404, "404 page not found\n"));
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn warnings(&self) -> Vec<String> {
        self.headers.get_all("warning").iter().map(|w| w.to_str().unwrap().to_string()).collect()
    }
}

/// The configuration of the tests' servers.
pub fn config() -> ServerConfig {
    let mut config = ServerConfig::new("192.0.2.1:6443".parse().unwrap());
    config.service_cidr = "10.96.0.0/24".parse().unwrap();
    config.node_port_range = 30_000..=30_009;
    config
}

impl Cluster {
    pub async fn new() -> Self {
        Self::with(config(), |_| {}).await
    }

    pub async fn with(config: ServerConfig, tune: impl FnOnce(&mut StoreConfig)) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let mut store = StoreConfig::new(directory.path());
        tune(&mut store);
        let store = Store::open(store, coracle_server::lift()).await.unwrap();
        let nodes = NodeTransports::default();
        let server = Server::new(store.clone(), config, nodes.clone()).await.unwrap();
        Self { router: server.router(), server, nodes, store, _directory: directory }
    }

    /// The same store with a new server, as after a restart of the process.
    pub async fn restarted(self) -> Self {
        self.server.close();
        self.store.shutdown().await.unwrap();
        let store = StoreConfig::new(self._directory.path());
        let store = Store::open(store, coracle_server::lift()).await.unwrap();
        let nodes = NodeTransports::default();
        let server = Server::new(store.clone(), config(), nodes.clone()).await.unwrap();
        Self { router: server.router(), server, nodes, store, _directory: self._directory.clone() }
    }

    /// Sends a request as an administrator (or as nobody, or somebody else).
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.open(request).await;
        let (parts, body) = response.into_parts();
        let bytes = tokio::time::timeout(PATIENCE, body.collect()).await.unwrap().unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { code: parts.status.as_u16(), headers: parts.headers, bytes, body }
    }

    /// The same, with the body still to come.
    pub async fn open(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, Value::Null)).await
    }

    pub async fn get_as(&self, path: &str, accept: &str) -> Answer {
        let mut request = request(Method::GET, path, Value::Null);
        request.headers_mut().insert(ACCEPT, accept.parse().unwrap());
        self.send(request).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(request(Method::POST, path, body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(request(Method::PUT, path, body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(request(Method::DELETE, path, Value::Null)).await
    }

    pub async fn delete_with(&self, path: &str, options: Value) -> Answer {
        self.send(request(Method::DELETE, path, options)).await
    }

    pub async fn patch(&self, path: &str, kind: &str, body: Value) -> Answer {
        let mut request = request(Method::PATCH, path, body);
        request.headers_mut().insert(CONTENT_TYPE, format!("application/{kind}").parse().unwrap());
        self.send(request).await
    }

    /// Merge patch.
    pub async fn merge(&self, path: &str, body: Value) -> Answer {
        self.patch(path, "merge-patch+json", body).await
    }

    /// A watch in progress.
    pub async fn watch(&self, path: &str) -> Lines {
        let response = self.open(request(Method::GET, path, Value::Null)).await;
        Lines::new(response)
    }
}

/// A request of an administrator.
pub fn request(method: Method, path: &str, body: Value) -> Request<Body> {
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let mut request = Request::builder().method(method).uri(path).body(body).unwrap();
    request.extensions_mut().insert(admin());
    request
}

pub fn admin() -> coracle_server::User {
    coracle_server::User::new("admin", ["system:masters".to_string()])
}

/// Events as they come.
pub struct Lines {
    pub code: u16,
    stream: futures::stream::BoxStream<'static, Bytes>,
    buffer: Vec<u8>,
}

impl Lines {
    pub fn new(response: Response<Body>) -> Self {
        let code = response.status().as_u16();
        let stream = response.into_body().into_data_stream().filter_map(|piece| async { piece.ok() }).boxed();
        Self { code, stream, buffer: Vec::new() }
    }

    /// The next event; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let piece = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("an event in time")?;
            self.buffer.extend_from_slice(&piece);
        }
    }

    /// The next event as `TYPE name`.
    pub async fn brief(&mut self) -> String {
        match self.next().await {
            Some(event) => {
                let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default();
                format!("{} {name}", event["type"].as_str().unwrap_or_default())
            }
            None => "end".into(),
        }
    }
}

pub const MAPS: &str = "/api/v1/namespaces/default/configmaps";
pub const PODS: &str = "/api/v1/namespaces/default/pods";
pub const SERVICES: &str = "/api/v1/namespaces/default/services";
pub const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

pub fn map(name: &str, labels: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": labels }, "data": { "k": "v" } })
}

pub fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": { "containers": [{ "name": "main", "image": "example.com/x:1" }] },
    })
}

pub fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "main", "image": "example.com/x:1" }] },
            },
        },
    })
}

pub fn service(name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": spec })
}
