//! The load: each worker makes a pod of every kind, asks, looks in, and deletes them again.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::StreamExt as _;
use http::Request;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, LogParams, PostParams};
use serde_json::json;

use super::kinds::{KINDS, Kind, Then};
use crate::bench::load::get_once;
use crate::bench::node::target::Target;

/// A pod that has not done in this time what it should is broken rather than slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a pod.
const POLL: Duration = Duration::from_millis(20);
/// Requests to each server.
const REQUESTS: usize = 50;
/// The ConfigMap that all pods have, with one word.
const SETTINGS: &str = "soak";

/// What has been done.
#[derive(Debug, Default)]
pub struct Counts {
    pods: AtomicU64,
    requests: AtomicU64,
    visits: AtomicU64,
    /// UIDs of all pods there were: the names of what they may leave behind.
    uids: Mutex<HashSet<String>>,
}

impl Counts {
    /// `1250 pods, 12500 requests, 750 visits`
    pub fn summary(&self) -> String {
        let [pods, requests, visits] =
            [&self.pods, &self.requests, &self.visits].map(|counter| counter.load(Ordering::Relaxed));
        format!("{pods} pods, {requests} requests, {visits} visits (exec, port-forward, logs)")
    }

    /// The pods that there is something of in a directory, by the names that the node gives it.
    pub fn left_in(&self, directory: &Path) -> usize {
        let uids = self.uids.lock().expect("nobody has panicked");
        let names = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let is_ours = |name: &str| name.strip_prefix("coracle-").is_some_and(|uid| uids.contains(uid));
        names.filter(|name| name.to_str().is_some_and(is_ours)).count()
    }

    fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }
}

/// Makes what all pods need.
pub async fn prepare(target: &Target) -> anyhow::Result<()> {
    let settings = json!({ "metadata": { "name": SETTINGS }, "data": { "word": "passed on" } });
    let all: Api<ConfigMap> = Api::default_namespaced(target.client.clone());
    all.create(&PostParams::default(), &serde_json::from_value(settings)?).await?;
    Ok(())
}

/// Works until the time is over. `images` are those of the kinds.
pub async fn worker(
    target: &Target,
    images: &[String],
    counts: &Counts,
    number: u32,
    end: Instant,
) -> anyhow::Result<()> {
    let mut turn = 0;
    while Instant::now() < end {
        turn += 1;
        let pods = KINDS.iter().zip(images).map(|(kind, image)| async move {
            let name = format!("soak-{number}-{turn}-{}", kind.name);
            pod(target, kind, image, &name, counts).await.with_context(|| format!("pod {name}"))
        });
        futures::future::try_join_all(pods).await?;
    }
    Ok(())
}

/// The life of one pod.
async fn pod(target: &Target, kind: &Kind, image: &str, name: &str, counts: &Counts) -> anyhow::Result<()> {
    create(target, kind, image, name, counts).await?;
    match kind.then {
        Then::Ask => ask(target, name, counts).await?,
        Then::Visit => visit(target, name, counts).await?,
        Then::Read => read(target, name, counts).await?,
        Then::End(phases) => until(target, name, phases).await?,
    }
    target.pods().delete(name, &DeleteParams::default().grace_period(0)).await?;
    Ok(())
}

/// A pod with a volume on disk, one in memory, one for a bucket and one of a ConfigMap.
async fn create(target: &Target, kind: &Kind, image: &str, name: &str, counts: &Counts) -> anyhow::Result<()> {
    let mounts =
        ["disk", "memory", "keyvalue", "config"].map(|it| json!({ "name": it, "mountPath": format!("/{it}") }));
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "bench": "node" } },
        "spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "main", "image": image, "args": kind.args, "ports": [{ "containerPort": 8080 }],
                "volumeMounts": mounts,
            }],
            "volumes": [
                { "name": "disk", "emptyDir": {} }, { "name": "memory", "emptyDir": { "medium": "Memory" } },
                { "name": "keyvalue", "emptyDir": {} }, { "name": "config", "configMap": { "name": SETTINGS } },
            ],
        },
    });
    if kind.isolated {
        pod["spec"]["runtimeClassName"] = "wasm-isolated".into();
    }
    let made = target.pods().create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    counts.uids.lock().expect("nobody has panicked").extend(made.metadata.uid);
    Counts::add(&counts.pods, 1);
    Ok(())
}

async fn until(target: &Target, name: &str, phases: &[&str]) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let status = target.pods().get_status(name).await?.status.unwrap_or_default();
        let now = status.phase.unwrap_or_default();
        if phases.contains(&now.as_str()) {
            return Ok(());
        }
        anyhow::ensure!(begun.elapsed() < PATIENCE, "pod {name} is {now} and not {}", phases.join(" or "));
        tokio::time::sleep(POLL).await;
    }
}

async fn ask(target: &Target, name: &str, counts: &Counts) -> anyhow::Result<()> {
    until(target, name, &["Running"]).await?;
    let address = SocketAddr::new(target.address(name).await?, 8080);
    for _ in 0..REQUESTS {
        get_once(address).await?;
    }
    Counts::add(&counts.requests, REQUESTS as u64);
    // The same by a forwarded connection: the client leaves while it is open.
    let request = Request::get(format!("/api/v1/namespaces/default/pods/{name}/portforward?ports=8080"));
    let mut socket = target.client.connect(request.body(Vec::new())?).await?.into_stream();
    let first = tokio::time::timeout(PATIENCE, socket.next()).await;
    first.context("a port-forward says nothing")?.context("a port-forward ended at once")??;
    socket.close(None).await?;
    Counts::add(&counts.visits, 1);
    Ok(())
}

/// Runs the program once more beside itself, where it writes a MiB.
async fn visit(target: &Target, name: &str, counts: &Counts) -> anyhow::Result<()> {
    until(target, name, &["Running"]).await?;
    let path = format!("/api/v1/namespaces/default/pods/{name}/exec?command=x&command=1&stdout=true");
    let socket = target.client.connect(Request::get(path).body(Vec::new())?).await?.into_stream();
    let reading = socket.for_each(|_| std::future::ready(()));
    tokio::time::timeout(PATIENCE, reading).await.context("an exec does not end")?;
    Counts::add(&counts.visits, 1);
    Ok(())
}

/// Reads what it has written.
async fn read(target: &Target, name: &str, counts: &Counts) -> anyhow::Result<()> {
    until(target, name, &["Succeeded"]).await?;
    let log = target.pods().logs(name, &LogParams::default()).await?;
    anyhow::ensure!(log.len() >= 1 << 20, "the log of {name} has {} bytes", log.len());
    Counts::add(&counts.visits, 1);
    Ok(())
}
