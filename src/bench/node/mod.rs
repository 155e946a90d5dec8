//! The node as its users feel it: how soon an exit is seen, what probes cost, how fast a chatty guest may write,
//! how fast streams are.
//!
//! The cluster is a process of its own, so that its processor time is its own; both share the machine.

mod exits;
pub mod guests;
mod logs;
mod probes;
mod streams;
pub mod target;

use crate::pull::scratch;
use target::Target;

/// Flags of `coracle bench node`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pods that end, and pods that are probed.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pods: u32,
    /// What one guest writes to its log, in MiB.
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    log_mib: u32,
    /// What each stream carries, in MiB.
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    stream_mib: u32,
}

/// Measures and prints.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let directory = scratch()?;
    let target = Target::start(directory.path()).await?;
    let outcome = async {
        logs::measure(&target, args.log_mib).await?;
        streams::measure(&target, args.stream_mib).await?;
        exits::measure(&target, args.pods).await?;
        probes::measure(&target, args.pods).await
    };
    let outcome = outcome.await;
    target.stop().await?;
    outcome
}
