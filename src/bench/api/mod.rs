//! The API server as its clients see it, over HTTPS: each part prints a line with its figures.
//!
//! The server is a process of its own, so that its memory and processor time are its own; both share the machine with the
//! clients here. `--kubeconfig` runs the same load against any other Kubernetes API server.

mod access;
mod creates;
mod lists;
mod patches;
mod target;
mod watches;

use std::path::PathBuf;

use super::up::Up;
use crate::pull::scratch;
use target::Target;

/// Flags of `coracle bench api`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Measures the cluster of this kubeconfig instead of one of its own.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Pods that are stored and listed.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pods: u32,
    /// Watches at the same time.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    watchers: u32,
    /// Updates a second that they are told of.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    updates: u32,
}

/// Measures and prints.
pub async fn run(args: Args) -> anyhow::Result<()> {
    if let Some(kubeconfig) = &args.kubeconfig {
        return measure(&Target { kubeconfig: kubeconfig.clone(), process: None }, &args).await;
    }
    let directory = scratch()?;
    let (up, _) = Up::start(directory.path()).await?;
    let target = Target { kubeconfig: up.kubeconfig.clone(), process: Some(up) };
    measure(&target, &args).await?;
    if let Some(up) = target.process {
        up.stop().await?;
    }
    Ok(())
}

async fn measure(target: &Target, args: &Args) -> anyhow::Result<()> {
    let namespace = target.namespace().await?;
    let outcome = async {
        creates::measure(target, &namespace).await?;
        access::measure(target, &namespace).await?;
        patches::measure(target, &namespace).await?;
        watches::measure(target, &namespace, args.watchers, args.updates).await?;
        lists::measure(target, &namespace, args.pods).await
    };
    let outcome = outcome.await;
    target.connect().await?.delete(&format!("/api/v1/namespaces/{namespace}")).await?;
    outcome
}
