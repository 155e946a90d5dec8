//! Many pods: what each weighs, and how fast all of them are listed.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::stream;
use serde_json::json;

use super::target::Target;
use crate::bench::memory::mib;
use crate::bench::statistics::Sample;

/// Lists of each kind.
const LISTS: u32 = 20;
/// Creates at the same time.
const CLIENTS: u32 = 16;
/// Memory is read when it has settled.
const SETTLE: Duration = Duration::from_secs(3);

pub async fn measure(target: &Target, namespace: &str, pods: u32) -> anyhow::Result<()> {
    let path = format!("/api/v1/namespaces/{namespace}/pods");
    tokio::time::sleep(SETTLE).await;
    let before = target.resident_bytes()?;
    store(target, &path, pods).await?;
    tokio::time::sleep(SETTLE).await;
    let (one, _) = target.connect().await?.get(&format!("{path}/pod-0")).await?;
    if let (Some(before), Some(after)) = (before, target.resident_bytes()?) {
        let each = after.saturating_sub(before) / u64::from(pods);
        let (before, after, json) = (mib(before), mib(after), one.len());
        println!("resident: {before} before, {after} with {pods} pods: {each} bytes per pod of {json} bytes of JSON");
    }
    list(target, "list of all pods", &path).await?;
    list(target, "list in pages of 500, the first", &format!("{path}?limit=500")).await?;
    list(target, "list of nothing by label", &format!("{path}?labelSelector=app%3Dother")).await
}

/// Pods that no scheduler takes, so that they are stored and nothing more.
async fn store(target: &Target, path: &str, pods: u32) -> anyhow::Result<()> {
    let connections = target.connections(CLIENTS).await?;
    let create = |index: u32| {
        let connection = &connections[(index % CLIENTS) as usize];
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": format!("pod-{index}"), "labels": { "app": "bench" } },
            "spec": { "schedulerName": "nobody", "containers": [{
                "name": "main", "image": "example.com/hello:1", "ports": [{ "containerPort": 8080 }],
            }] },
        });
        async move { connection.create(path, &pod).await.map(drop) }
    };
    stream::iter((0..pods).map(create)).buffer_unordered(CLIENTS as usize).try_collect().await
}

async fn list(target: &Target, what: &str, path: &str) -> anyhow::Result<()> {
    let connection = target.connect().await?;
    let (answer, _) = connection.get(path).await?;
    let (begun, cpu) = (Instant::now(), target.cpu_time()?);
    let mut sample = Sample::default();
    for _ in 0..LISTS {
        sample.push(connection.get(path).await?.1);
    }
    let rate = answer.len() as f64 * f64::from(LISTS) / begun.elapsed().as_secs_f64() / 1e6;
    let cpu = match (cpu, target.cpu_time()?) {
        (Some(before), Some(after)) => {
            format!(", {:.1} ms of the server's CPU each", (after - before).as_secs_f64() * 1000.0 / f64::from(LISTS))
        }
        _ => String::new(),
    };
    println!("{what} ({} bytes): {rate:.0} MB/s{cpu}, {}", answer.len(), sample.summary());
    Ok(())
}
