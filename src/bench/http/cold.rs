//! Cold start: from nothing to the first answer.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{WatchEvent, WatchParams};
use serde_json::json;
use tokio::process::Command;

use super::fleet;
use crate::bench::load::get_once;
use crate::bench::node::target::Target;
use crate::bench::statistics::Sample;
use crate::pull::scratch;

/// Starts each server so many times and prints how long its first answer took.
pub async fn measure(wasm: &[u8], times: u32, wasmtime: Option<&Path>) -> anyhow::Result<()> {
    println!("from the start of a process to its first answer:");
    let directory = scratch()?;
    let file = directory.path().join("component.wasm");
    std::fs::write(&file, wasm)?;
    processes("coracle run", times, |address| fleet::coracle(&file, address)).await?;
    processes("hyper, no Wasm", times, |address| fleet::plain(&[address])).await?;
    if let Some(program) = wasmtime {
        processes("wasmtime serve", times, |address| Ok(fleet::wasmtime(program, &file, address))).await?;
    }
    println!("from the request that creates a pod to its first answer, image cached:");
    pods(wasm, times).await
}

async fn processes(
    name: &str,
    times: u32,
    command: impl Fn(SocketAddr) -> anyhow::Result<Command>,
) -> anyhow::Result<()> {
    let mut sample = Sample::default();
    for address in fleet::free_addresses(times).await? {
        let command = command(address)?;
        let begun = Instant::now();
        let mut process = fleet::start(command, &[address]).await.context(name.to_owned())?;
        get_once(address).await?;
        sample.push(begun.elapsed());
        process.kill().await.context("cannot stop the server")?;
    }
    println!("  {name}: {}", sample.summary());
    Ok(())
}

async fn pods(wasm: &[u8], times: u32) -> anyhow::Result<()> {
    let directory = scratch()?;
    let target = Target::start(directory.path()).await?;
    let image = target.push("cold", wasm.to_vec()).await?;
    let container = json!({ "name": "main", "image": image, "ports": [{ "containerPort": 8080 }] });
    // The first one pulls and compiles.
    target.create("first", container.clone()).await?;
    target.wait("Running", 1).await?;
    let mut sample = Sample::default();
    for number in 0..times {
        let name = format!("cold-{number}");
        let params = WatchParams::default().fields(&format!("metadata.name={name}"));
        let pods = target.pods();
        let mut events = pods.watch(&params, "0").await?.boxed();
        let begun = Instant::now();
        target.create(&name, container.clone()).await?;
        let address = loop {
            let event = events.try_next().await?.context("the watch ended before the pod ran")?;
            let (WatchEvent::Added(pod) | WatchEvent::Modified(pod)) = event else { continue };
            let status = pod.status.unwrap_or_default();
            if status.phase.as_deref() == Some("Running") {
                break status.pod_ip.context("a pod that runs has no address")?;
            }
        };
        get_once(SocketAddr::new(address.parse()?, 8080)).await?;
        sample.push(begun.elapsed());
    }
    println!("  coracle pod: {}", sample.summary());
    target.stop().await
}
