//! The load: each worker makes a server, a command that ends, one that traps, one that writes, and one that waits; asks,
//! looks in, and deletes them again.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::StreamExt as _;
use http::Request;
use kube::api::{DeleteParams, LogParams, PostParams};
use serde_json::json;

use crate::bench::load::get_once;
use crate::bench::node::guests;
use crate::bench::node::target::Target;

/// A pod that has not done in this time what it should is broken rather than slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a pod.
const POLL: Duration = Duration::from_millis(20);
/// Requests to each server.
const REQUESTS: usize = 50;
/// The server.
const SERVER: &str = "samples/hello/hello.wasm";

/// What has been done.
#[derive(Debug, Default)]
pub struct Counts {
    pods: AtomicU64,
    requests: AtomicU64,
    visits: AtomicU64,
}

impl Counts {
    /// `1250 pods, 12500 requests, 750 visits`
    pub fn summary(&self) -> String {
        let [pods, requests, visits] =
            [&self.pods, &self.requests, &self.visits].map(|counter| counter.load(Ordering::Relaxed));
        format!("{pods} pods, {requests} requests, {visits} visits (exec, port-forward, logs)")
    }

    fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }
}

/// The programs.
pub struct Images {
    server: String,
    sleeper: String,
    talker: String,
    faulty: String,
}

impl Images {
    pub async fn push(target: &Target) -> anyhow::Result<Images> {
        Ok(Images {
            server: target.push("server", std::fs::read(SERVER)?).await?,
            sleeper: target.push("sleeper", guests::sleeper()).await?,
            talker: target.push("talker", guests::talker()).await?,
            faulty: target.push("faulty", guests::faulty()).await?,
        })
    }
}

/// Works until the time is over.
pub async fn worker(
    target: &Target,
    images: &Images,
    counts: &Counts,
    number: u32,
    end: Instant,
) -> anyhow::Result<()> {
    let mut turn = 0;
    while Instant::now() < end {
        turn += 1;
        let name = |what: &str| format!("soak-{number}-{turn}-{what}");
        let (server, ends, traps, writes, waits) =
            (name("server"), name("ends"), name("traps"), name("writes"), name("waits"));
        create(target, &server, &images.server, "").await?;
        create(target, &ends, &images.sleeper, "50").await?;
        create(target, &traps, &images.faulty, "").await?;
        create(target, &writes, &images.talker, "1").await?;
        create(target, &waits, &images.talker, "0").await?;
        Counts::add(&counts.pods, 5);
        tokio::try_join!(
            ask(target, &server, counts),
            visit(target, &waits, counts),
            read(target, &writes, counts),
            until(target, &ends, &["Failed", "Succeeded"]),
            until(target, &traps, &["Failed"]),
        )?;
        for name in [server, ends, traps, writes, waits] {
            target.pods().delete(&name, &DeleteParams::default().grace_period(0)).await?;
        }
    }
    Ok(())
}

/// A pod with a volume on disk and one in memory.
async fn create(target: &Target, name: &str, image: &str, arg: &str) -> anyhow::Result<()> {
    let args: Vec<&str> = Some(arg).filter(|arg| !arg.is_empty()).into_iter().collect();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "bench": "node" } },
        "spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "main", "image": image, "args": args, "ports": [{ "containerPort": 8080 }],
                "volumeMounts": [{ "name": "disk", "mountPath": "/disk" }, { "name": "memory", "mountPath": "/memory" }],
            }],
            "volumes": [{ "name": "disk", "emptyDir": {} }, { "name": "memory", "emptyDir": { "medium": "Memory" } }],
        },
    });
    target.pods().create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
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
