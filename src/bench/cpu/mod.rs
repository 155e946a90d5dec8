//! CPU time as pods get it: limits, shares, fairness.
//!
//! The cluster is a process of its own. What pods have used is what the node tells of them (`/stats/summary`).

mod crowd;
mod limits;
mod shares;
mod usage;

use std::time::Duration;

use super::node::guests;
use super::node::target::Target;
use crate::pull::scratch;

/// What has begun has settled after this time.
const SETTLE: Duration = Duration::from_secs(2);

/// Flags of `coracle bench cpu`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Guests that compute for ever at the same time; 0 leaves this part out.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(0..=5_000))]
    busy: u32,
    /// Windows in which a limit is looked at.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=60))]
    windows: u32,
    /// How long CPU time is counted each time, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
}

/// Measures and prints.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let directory = scratch()?;
    let target = Target::start(directory.path()).await?;
    let window = Duration::from_secs(u64::from(args.seconds));
    let outcome = async {
        let image = target.push("spinner", guests::spinner()).await?;
        limits::measure(&target, &image, args.windows, window).await?;
        shares::measure(&target, &image, window).await?;
        if args.busy > 0 {
            crowd::measure(&target, &image, args.busy, window).await?;
        }
        Ok(())
    };
    let outcome = outcome.await;
    target.stop().await?;
    outcome
}
