//! The server that is measured, and connections to it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::bench::up::Up;

/// What is measured.
pub struct Target {
    pub kubeconfig: PathBuf,
    /// The server's process, if it is ours.
    pub process: Option<Up>,
}

impl Target {
    /// A client with a connection of its own.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        Ok(Connection { client: Client::try_from(self.config().await?)? })
    }

    /// The same, as whoever has this token.
    pub async fn connect_with_token(&self, token: &str) -> anyhow::Result<Connection> {
        let mut config = self.config().await?;
        config.auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
        Ok(Connection { client: Client::try_from(config)? })
    }

    async fn config(&self) -> anyhow::Result<Config> {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).context("cannot read the kubeconfig")?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        // What is measured must not give up on what is slow.
        config.read_timeout = None;
        config.write_timeout = None;
        Ok(config)
    }

    /// Several of them.
    pub async fn connections(&self, count: u32) -> anyhow::Result<Vec<Connection>> {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(self.connect().await?);
        }
        Ok(connections)
    }

    /// A namespace for what the measurements leave behind.
    pub async fn namespace(&self) -> anyhow::Result<String> {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "generateName": "bench-" } });
        let created = self.connect().await?.create("/api/v1/namespaces", &namespace).await?;
        let created: Value = serde_json::from_slice(&created)?;
        Ok(created["metadata"]["name"].as_str().context("a namespace without a name")?.to_string())
    }

    /// The processor time that the server has used, if it can be told.
    pub fn cpu_time(&self) -> anyhow::Result<Option<Duration>> {
        self.process.as_ref().map(Up::cpu_time).transpose()
    }

    /// What the server weighs, if it can be told.
    pub fn resident_bytes(&self) -> anyhow::Result<Option<u64>> {
        self.process.as_ref().map(Up::resident_bytes).transpose()
    }
}

/// One client.
#[derive(Clone)]
pub struct Connection {
    client: Client,
}

impl Connection {
    /// Sends a request; its answer must be a success.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        (media, body): (&'static str, Vec<u8>),
    ) -> anyhow::Result<Response<Body>> {
        let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, media).body(Body::from(body))?;
        let response = self.client.send(request).await?;
        let status = response.status();
        if !status.is_success() {
            let body = response.into_body().collect().await?.to_bytes();
            anyhow::bail!("{path}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(response)
    }

    /// The same, with the whole answer, and how long it took.
    pub async fn timed(
        &self,
        method: Method,
        path: &str,
        body: (&'static str, Vec<u8>),
    ) -> anyhow::Result<(Bytes, Duration)> {
        let begun = Instant::now();
        let answer = self.send(method, path, body).await?.into_body().collect().await?.to_bytes();
        Ok((answer, begun.elapsed()))
    }

    pub async fn create(&self, path: &str, object: &Value) -> anyhow::Result<Bytes> {
        let (answer, _) = self.timed(Method::POST, path, ("application/json", object.to_string().into())).await?;
        ensure!(!answer.is_empty(), "{path}: an empty answer");
        Ok(answer)
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<(Bytes, Duration)> {
        self.timed(Method::GET, path, ("application/json", Vec::new())).await
    }

    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.timed(Method::DELETE, path, ("application/json", Vec::new())).await.map(drop)
    }
}
