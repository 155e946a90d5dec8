//! `coracle node`: a node of a cluster that runs elsewhere, known by nothing but a kubeconfig.
//!
//! Invariant: the cluster may be anybody's. What is asked of it is public Kubernetes API.

mod args;
mod cluster;
mod login;
mod place;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use coracle_node::Node;
use coracle_oci::Registries;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cluster::{Claim, DataDir, node_config, node_name};
use login::Login;
use place::Place;

pub use args::Args;

/// What stopping may take, beside the time that pods have to end.
const STOP_TIMEOUT: Duration = Duration::from_millis(1900);

/// Where the node's certificates and keys are kept in the data directory, under kubelet's name for it.
const PKI: &str = "pki";

/// A node that runs, and what it holds.
struct Joined {
    node: Node,
    name: String,
    place: Place,
    login: Login,
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
    joined.login.end();
    let limit = STOP_TIMEOUT + joined.node.shutdown_grace();
    if tokio::time::timeout(limit, joined.node.stop()).await.is_err() {
        tracing::warn!("the node did not stop in time; its pods come back when it does");
    }
    Ok(ExitCode::SUCCESS)
}

/// Finds the node's place in the cluster, and starts it there.
async fn join(args: &Args) -> anyhow::Result<Joined> {
    let name = args.hostname_override.clone().unwrap_or_else(node_name);
    login::check(args)?;
    let directory = DataDir::open(args.data_dir.clone().unwrap_or_else(args::default_data_dir))?;
    let login = Login::new(args, &name, directory.path(PKI)).await?;
    let (place, claim) = place::find(&directory, args, &name, &login.client, &login.server).await?;
    let mut config = node_config(&directory, &args.node, &name, &place.block, &Arc::new(Registries::new()))?;
    config.labels = args.node_labels.iter().cloned().collect();
    config.taints = args.register_with_taints.clone();
    config.serve = Some(args.serve(place.block.node_ip, directory.path(PKI)));
    config.cluster_domain = args.cluster_domain.clone();
    let client = login.client.clone();
    let node = Node::start(client, config, CancellationToken::new()).await.context("cannot start the node")?;
    Ok(Joined { node, name, place, login, _claim: claim, _lock: directory })
}
