//! The cluster that is measured, and pods in it.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use coracle_oci::{PushOptions, Reference, Registries};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::bench::up::Up;

/// What is waited for takes no longer, or something is broken rather than slow.
const PATIENCE: Duration = Duration::from_secs(300);

/// A cluster, and a client of it.
pub struct Target {
    pub up: Up,
    pub client: Client,
    registry: String,
}

impl Target {
    /// Starts it in `directory`.
    pub async fn start(directory: &Path) -> anyhow::Result<Target> {
        Self::start_with(directory, &[]).await
    }

    /// The same with further flags of `up`.
    pub async fn start_with(directory: &Path, flags: &[String]) -> anyhow::Result<Target> {
        let (up, _) = Up::start_with(directory, flags).await?;
        let kubeconfig = Kubeconfig::read_from(&up.kubeconfig).context("cannot read the kubeconfig")?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let registry = up.registry().context("`coracle up` printed no registry")?.to_owned();
        Ok(Target { up, client: Client::try_from(config)?, registry })
    }

    /// Ends it.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.up.stop().await.map(drop)
    }

    /// Pushes a program, as Wasm or as its text; its image is what manifests name.
    pub async fn push(&self, name: &str, program: Vec<u8>) -> anyhow::Result<String> {
        let image = format!("{}/bench/{name}:1", self.registry);
        let reference: Reference = image.parse()?;
        let registries = Arc::new(Registries::new());
        registries.allow_plain_http(&self.registry);
        let options = PushOptions { registries, ..PushOptions::default() };
        coracle_oci::push(program, &reference, &options).await?;
        Ok(image)
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::default_namespaced(self.client.clone())
    }

    /// Creates a pod of one container, which runs once.
    pub async fn create(&self, name: &str, container: Value) -> anyhow::Result<()> {
        self.create_with("Never", name, container).await
    }

    /// The same with another restart policy.
    pub async fn create_with(&self, policy: &str, name: &str, container: Value) -> anyhow::Result<()> {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "bench": "node" } },
            "spec": { "restartPolicy": policy, "terminationGracePeriodSeconds": 0, "containers": [container] },
        });
        self.pods().create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
        Ok(())
    }

    /// Shows every change of the bench's pods to `see`, until it has seen enough.
    pub async fn watch(&self, mut see: impl FnMut(&Pod) -> bool) -> anyhow::Result<()> {
        let pods = self.pods();
        let params = WatchParams::default().labels("bench=node").timeout(290);
        let mut events = pods.watch(&params, "0").await?.boxed();
        let work = async {
            while let Some(event) = events.try_next().await? {
                match event {
                    WatchEvent::Added(pod) | WatchEvent::Modified(pod) if see(&pod) => return Ok(()),
                    WatchEvent::Error(status) => bail!("the watch failed: {}", status.message),
                    _ => {}
                }
            }
            bail!("the watch ended early")
        };
        tokio::time::timeout(PATIENCE, work).await.context("the pods did not do what they should")?
    }

    /// Waits until so many pods have this phase.
    pub async fn wait(&self, phase: &str, count: usize) -> anyhow::Result<()> {
        let mut seen = std::collections::HashSet::new();
        self.watch(|pod| {
            let now = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            if now == Some(phase) {
                seen.insert(pod.metadata.name.clone());
            }
            seen.len() >= count
        })
        .await
    }

    /// The address of a pod that runs.
    pub async fn address(&self, name: &str) -> anyhow::Result<IpAddr> {
        let status = self.pods().get(name).await?.status.unwrap_or_default();
        Ok(status.pod_ip.context("the pod has no address")?.parse()?)
    }

    /// The name of its node.
    pub async fn node(&self) -> anyhow::Result<String> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let node = nodes.list_metadata(&ListParams::default().limit(1)).await?.items.into_iter().next();
        node.and_then(|node| node.metadata.name).context("the cluster has no node")
    }

    /// Deletes the bench's pods and waits until none is left.
    pub async fn clear(&self) -> anyhow::Result<()> {
        let params = ListParams::default().labels("bench=node");
        self.pods().delete_collection(&DeleteParams::default().grace_period(0), &params).await?;
        let begun = std::time::Instant::now();
        while !self.pods().list_metadata(&params.clone().limit(1)).await?.items.is_empty() {
            anyhow::ensure!(begun.elapsed() < PATIENCE, "pods are not deleted");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}
