//! `coracle node`: a node of a cluster that runs elsewhere, known by nothing but a kubeconfig.
//!
//! Invariant: the cluster may be anybody's. What is asked of it is public Kubernetes API.

mod args;
mod cluster;
mod place;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use coracle_node::Node;
use coracle_oci::Registries;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cluster::{Claim, DataDir, node_config, node_name};
use place::Place;

pub use args::Args;

/// What stopping may take, beside the time that pods have to end.
const STOP_TIMEOUT: Duration = Duration::from_millis(1900);

/// A node that runs, and what it holds.
struct Joined {
    node: Node,
    name: String,
    place: Place,
    _claim: Option<Claim>,
    _lock: DataDir,
}

/// Runs the node until Ctrl-C.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    // Before anything is started: a signal in the middle of a start must stop it cleanly as well.
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let joined = tokio::select! {
        joined = join(&args) => joined?,
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
    };
    say!("node: {}", joined.name);
    say!("address: {}", joined.place.block.node_ip);
    say!("pods: {}", joined.place.block.cluster_cidr);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    let limit = STOP_TIMEOUT + joined.node.shutdown_grace();
    if tokio::time::timeout(limit, joined.node.stop()).await.is_err() {
        tracing::warn!("the node did not stop in time; its pods come back when it does");
    }
    Ok(ExitCode::SUCCESS)
}

/// Finds the node's place in the cluster, and starts it there.
async fn join(args: &Args) -> anyhow::Result<Joined> {
    let config = client_config(args).await?;
    let server = config.cluster_url.clone();
    let client = kube::Client::try_from(config).with_context(|| args.kubeconfig.display().to_string())?;
    let name = args.hostname_override.clone().unwrap_or_else(node_name);
    let directory = DataDir::open(args.data_dir.clone().unwrap_or_else(args::default_data_dir))?;
    let (place, claim) = place::find(&directory, args, &name, &client, &server).await?;
    let mut config = node_config(&directory, &args.node, &name, &place.block, &Arc::new(Registries::new()))?;
    config.labels = args.node_labels.iter().cloned().collect();
    config.taints = args.register_with_taints.clone();
    config.serve = Some(args.serve(place.block.node_ip));
    config.cluster_domain = args.cluster_domain.clone();
    let node = Node::start(client, config, CancellationToken::new()).await.context("cannot start the node")?;
    Ok(Joined { node, name, place, _claim: claim, _lock: directory })
}

async fn client_config(args: &Args) -> anyhow::Result<kube::Config> {
    let file = args.kubeconfig.display();
    let kubeconfig = Kubeconfig::read_from(&args.kubeconfig).with_context(|| format!("cannot read {file}"))?;
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    config.with_context(|| format!("{file} names no usable cluster"))
}
