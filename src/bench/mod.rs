//! `coracle bench`: whole-system measurements, each on a cluster of its own in a temporary directory.

mod memory;
mod pods;
mod start;
mod statistics;

use std::process::ExitCode;

/// What can be measured.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// API create to Ready: one pod after the other, then many replicas; resident memory per pod.
    Pods(pods::Args),
    /// Time from nothing to /readyz, and resident memory when idle.
    Start(start::Args),
}

/// Runs the measurement and prints its figures.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Pods(args) => pods::run(args).await?,
        What::Start(args) => start::run(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}
