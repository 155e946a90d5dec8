//! Many pods on one node: how long until all are Ready, what they weigh, what they cost when nobody asks anything of
//! them, what is left when they are gone, and how soon they are back after a restart.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use super::load::get_once;
use super::memory::mib;
use super::node::guests;
use super::node::target::Target;
use super::process::Holdings;
use crate::pull::scratch;

/// Requests under way at once.
const AT_ONCE: usize = 32;
/// How long processor time is counted.
const WINDOW: Duration = Duration::from_secs(10);
/// What has begun, or ended, has settled after this time.
const SETTLE: Duration = Duration::from_secs(5);
/// What has not changed for so long does not any more.
const CALM: Duration = Duration::from_secs(1);
/// After a restart, the time until all pods have answered.
const BACK: Duration = Duration::from_secs(300);
/// An hour, in milliseconds: what a command waits.
const HOUR_MS: &str = "3600000";
/// What is to be there again after a restart of the node.
const POLICY: &str = "Always";
/// The server of the HTTP pods.
const SERVER: &str = "samples/hello/hello.wasm";

/// Flags of `coracle bench scale`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// HTTP pods; 0 leaves them out.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(0..=20_000))]
    pods: u32,
    /// Pods of a command that waits [default: as many]; 0 leaves them out.
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=20_000))]
    commands: Option<u32>,
    /// Does not restart the cluster while it has HTTP pods.
    #[arg(long)]
    no_restart: bool,
}

/// Measures and prints.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let commands = args.commands.unwrap_or(args.pods);
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    println!("this machine: vm.max_map_count {}, a guest that runs takes some four mappings", limit.trim());
    if args.pods > 0 {
        let directory = scratch()?;
        let flags = flags(args.pods);
        let target = Target::start_with(directory.path(), &flags).await?;
        let image = target.push("server", std::fs::read(SERVER)?).await?;
        let container = json!({ "name": "main", "image": image, "ports": [{ "containerPort": 8080 }] });
        many(&target, "HTTP pods", args.pods, &container).await?;
        let target =
            if args.no_restart { target } else { restart(target, directory.path(), &flags, args.pods).await? };
        gone(&target, args.pods).await?;
        target.stop().await?;
    }
    if commands > 0 {
        let directory = scratch()?;
        let target = Target::start_with(directory.path(), &flags(commands)).await?;
        let image = target.push("sleeper", guests::sleeper()).await?;
        let container = json!({ "name": "main", "image": image, "args": [HOUR_MS] });
        many(&target, "command pods", commands, &container).await?;
        gone(&target, commands).await?;
        target.stop().await?;
    }
    Ok(())
}

/// The node takes as many, and some that come to an end.
fn flags(pods: u32) -> Vec<String> {
    vec!["--max-pods".into(), (pods + 100).to_string()]
}

/// Makes them, one image for all, and says what they take.
async fn many(target: &Target, what: &str, pods: u32, container: &Value) -> anyhow::Result<()> {
    // The first one pulls and compiles.
    target.create_with(POLICY, "first", container.clone()).await?;
    target.wait("Running", 1).await?;
    tokio::time::sleep(SETTLE).await;
    let before = Holdings::of(target.up.pid()?)?;
    let begun = Instant::now();
    let create = |index: u32| {
        let container = container.clone();
        async move { target.create_with(POLICY, &format!("pod-{index}"), container).await }
    };
    futures::stream::iter(0..pods).map(create).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    let created = begun.elapsed().as_secs_f64();
    let ready = target.wait("Running", pods as usize + 1).await;
    let now = Holdings::of(target.up.pid()?)?;
    ready.with_context(|| {
        format!("not all {pods} run; the process has {} mappings, {}", now.mappings, descriptors(&now))
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{pods} {what}: created in {created:.1} s, all running after {seconds:.1} s ({:.0} a second)",
        f64::from(pods) / seconds
    );
    let events = told(target).await?;
    println!("  all their {events} Events written after {:.1} s", begun.elapsed().as_secs_f64());
    tokio::time::sleep(SETTLE).await;
    let cpu = target.up.cpu_time()?;
    tokio::time::sleep(WINDOW).await;
    let cpu = target.up.cpu_time()?.saturating_sub(cpu).as_secs_f64() / WINDOW.as_secs_f64();
    let after = Holdings::of(target.up.pid()?)?;
    let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / f64::from(pods) / 1024.0;
    println!(
        "  resident {} (before {}): {:.1} KiB a pod, PSS {:.1} KiB a pod; {:.1} mappings a pod ({}), {}",
        mib(after.rss_bytes),
        mib(before.rss_bytes),
        each(after.rss_bytes, before.rss_bytes),
        each(after.pss_bytes, before.pss_bytes),
        after.mappings.saturating_sub(before.mappings) as f64 / f64::from(pods),
        after.mappings,
        descriptors(&after)
    );
    println!("  when nobody asks anything: {:.1} % of a core", cpu * 100.0);
    Ok(())
}

/// Waits until no more Events come; gives their number.
async fn told(target: &Target) -> anyhow::Result<i64> {
    let events: Api<Event> = Api::all(target.client.clone());
    let mut before = None;
    let begun = Instant::now();
    loop {
        let one = events.list_metadata(&ListParams::default().limit(1)).await?;
        let count = one.items.len() as i64 + one.metadata.remaining_item_count.unwrap_or_default();
        if before.replace(count) == Some(count) {
            return Ok(count);
        }
        anyhow::ensure!(begun.elapsed() < BACK, "Events are still written after {} s", BACK.as_secs());
        tokio::time::sleep(CALM).await;
    }
}

/// `2034 descriptors (anon_inode 12, file 8, socket 2014)`
fn descriptors(holdings: &Holdings) -> String {
    let kinds: Vec<String> = holdings.descriptors.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    format!("{} descriptors ({})", holdings.descriptor_count(), kinds.join(", "))
}

/// Deletes them all and says what is left.
async fn gone(target: &Target, pods: u32) -> anyhow::Result<()> {
    let before = Holdings::of(target.up.pid()?)?;
    let begun = Instant::now();
    target.clear().await?;
    println!("  {pods} deleted in {:.1} s", begun.elapsed().as_secs_f64());
    tokio::time::sleep(SETTLE + WINDOW).await;
    let after = Holdings::of(target.up.pid()?)?;
    println!(
        "  left after them: resident {} of {}, {} mappings, {} threads, {}",
        mib(after.rss_bytes),
        mib(before.rss_bytes),
        after.mappings,
        after.threads,
        descriptors(&after)
    );
    Ok(())
}

/// Stops the cluster and starts it again: the time from the start until every pod has answered.
async fn restart(target: Target, directory: &Path, flags: &[String], pods: u32) -> anyhow::Result<Target> {
    let params = ListParams::default().labels("bench=node");
    let addresses: Vec<SocketAddr> = target
        .pods()
        .list(&params)
        .await?
        .items
        .into_iter()
        .filter_map(|pod| Some(SocketAddr::new(pod.status?.pod_ip?.parse().ok()?, 8080)))
        .collect();
    target.stop().await?;
    let begun = Instant::now();
    let target = Target::start_with(directory, flags).await?;
    let started = begun.elapsed().as_secs_f64();
    let answers = |address: SocketAddr| async move {
        while get_once(address).await.is_err() {
            if begun.elapsed() > BACK {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(begun.elapsed())
    };
    let asked = addresses.len();
    let all: Vec<Option<Duration>> =
        futures::stream::iter(addresses).map(answers).buffer_unordered(AT_ONCE).collect().await;
    let all: Vec<Duration> = all.into_iter().flatten().collect();
    anyhow::ensure!(all.len() == asked, "{} of {asked} pods do not answer after the restart", asked - all.len());
    let last = all.iter().max().copied().unwrap_or_default().as_secs_f64();
    println!(
        "  restart with {pods} pods: ready again after {started:.2} s, all {} had answered after {last:.2} s",
        all.len()
    );
    Ok(target)
}
