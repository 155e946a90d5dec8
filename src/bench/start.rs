//! How long `up` takes to take work, and what it then weighs.

use std::time::{Duration, Instant};

use super::memory::{mib, resident_bytes};
use super::statistics::Sample;
use crate::cluster::{Cluster, ClusterArgs};
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
    let cluster_args = ClusterArgs::for_bench(directory.path());
    let begun = Instant::now();
    let cluster = Cluster::start(&cluster_args).await?;
    println!("first start: {:.1} ms", begun.elapsed().as_secs_f64() * 1000.0);
    tokio::time::sleep(SETTLE).await;
    println!("resident when idle: {}", mib(resident_bytes()?));
    cluster.stop().await;
    let mut sample = Sample::default();
    for _ in 0..args.restarts {
        let begun = Instant::now();
        let cluster = Cluster::start(&cluster_args).await?;
        sample.push(begun.elapsed());
        cluster.stop().await;
    }
    println!("start again: {}", sample.summary());
    Ok(())
}
