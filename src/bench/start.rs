//! How long `up` takes to take work, what it then weighs, and how long it takes to stop.
//!
//! Each cluster is a process of its own, started as a user starts it: what is measured includes loading the program
//! and leaves out whatever an earlier cluster left behind in this one.

use std::time::Duration;

use super::memory::mib;
use super::statistics::Sample;
use super::up::Up;
use crate::pull::scratch;

/// Idle means: everything that start-up left behind has settled.
const SETTLE: Duration = Duration::from_secs(3);

/// Flags of `coracle bench start`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Starts on a data directory that exists already, after a first one on an empty directory.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    restarts: u32,
}

/// Measures and prints.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let directory = scratch()?;
    let (mut starts, mut stops) = (Sample::default(), Sample::default());
    let (cluster, first) = Up::start(directory.path()).await?;
    println!("first start: {:.1} ms", first.as_secs_f64() * 1000.0);
    tokio::time::sleep(SETTLE).await;
    println!("resident when idle: {}", mib(cluster.resident_bytes()?));
    stops.push(cluster.stop().await?);
    for _ in 0..args.restarts {
        let (cluster, duration) = Up::start(directory.path()).await?;
        starts.push(duration);
        stops.push(cluster.stop().await?);
    }
    println!("start again: {}", starts.summary());
    println!("stop: {}", stops.summary());
    Ok(())
}
