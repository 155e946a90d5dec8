//! What the tests of this crate share: servers on the loopback, and artifacts made by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::{Auth, ImageStore, Limits, PullOptions, Reference, Registries, Registry, media_type};

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn serve(router: Router) -> Server {
    crate::registries::install_crypto_provider();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = requests.clone();
    let router = router.layer(from_fn(move |request: Request, next: Next| {
        log.lock().push(format!("{} {}", request.method(), request.uri().path()));
        next.run(request)
    }));
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Server { host, requests, task }
}

impl Server {
    pub(crate) fn count(&self, part: &str) -> usize {
        self.requests.lock().iter().filter(|request| request.contains(part)).count()
    }

    pub(crate) fn reference(&self, path: &str) -> Reference {
        format!("{}/{path}", self.host).parse().unwrap()
    }
}

/// The built-in registry and an image store, each in a directory of its own.
pub(crate) struct Fixture {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) server: Server,
    pub(crate) store: ImageStore,
    pub(crate) http: reqwest::Client,
}

impl Fixture {
    pub(crate) async fn new() -> Fixture {
        Fixture::with(Limits::default()).await
    }

    /// The limits are the store's; the registry takes everything.
    pub(crate) async fn with(limits: Limits) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::open(&dir.path().join("registry"), Limits::default()).unwrap();
        let server = serve(registry.router()).await;
        let store = ImageStore::open(&dir.path().join("images"), limits).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
        Fixture { dir, server, store, http }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.host)
    }

    /// Uploads a blob in one request and describes it.
    pub(crate) async fn blob(&self, name: &str, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        let url = self.url(&format!("/v2/{name}/blobs/uploads/?digest={digest}"));
        let response = self.http.post(url).body(bytes.to_vec()).send().await.unwrap();
        assert_eq!(response.status(), 201);
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    /// Puts any document under a tag; returns a descriptor of it.
    pub(crate) async fn manifest(&self, name: &str, tag: &str, document: &Value) -> Value {
        let media_type = document["mediaType"].as_str().unwrap_or(media_type::OCI_MANIFEST);
        let url = self.url(&format!("/v2/{name}/manifests/{tag}"));
        let body = document.to_string();
        let put = self.http.put(url).header("content-type", media_type).body(body.clone());
        let response = put.send().await.unwrap();
        let status = response.status();
        assert_eq!(status, 201, "{}", response.text().await.unwrap());
        json!({ "mediaType": media_type, "digest": Digest::of(body.as_bytes()), "size": body.len() })
    }

    /// An image of one layer, with the media types and configuration given.
    pub(crate) async fn image(
        &self,
        name: &str,
        (config_type, config): (&str, Value),
        (layer_type, layer): (&str, &[u8]),
    ) -> Value {
        let config = self.blob(name, config_type, config.to_string().as_bytes()).await;
        let layer = self.blob(name, layer_type, layer).await;
        let document = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
            "config": config, "layers": [layer] });
        self.manifest(name, "latest", &document).await
    }

    pub(crate) fn options(&self) -> PullOptions {
        PullOptions { auth: Auth::Anonymous, registries: Arc::new(Registries::new()), progress: None }
    }

    pub(crate) async fn pull(&self, path: &str) -> Result<crate::Image, crate::PullError> {
        self.store.pull(&self.server.reference(path), &self.options()).await
    }
}

/// A gzipped archive with these files, and the digest of the archive before it was compressed.
pub(crate) fn layer(files: &[(&str, &[u8])]) -> (Vec<u8>, Digest) {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    let archive = builder.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, &archive).unwrap();
    (gzip.finish().unwrap(), Digest::of(&archive))
}

/// Adds up what it is told.
#[derive(Default)]
pub(crate) struct Counter {
    pub(crate) total: AtomicUsize,
    pub(crate) bytes: AtomicUsize,
    pub(crate) finished: AtomicUsize,
}

impl crate::Progress for Counter {
    fn start(&self, _what: &str, total_bytes: Option<u64>) {
        self.total.fetch_add(total_bytes.unwrap() as usize, Ordering::SeqCst);
    }

    fn advance(&self, bytes: u64) {
        self.bytes.fetch_add(bytes as usize, Ordering::SeqCst);
    }

    fn finish(&self) {
        self.finished.fetch_add(1, Ordering::SeqCst);
    }
}
