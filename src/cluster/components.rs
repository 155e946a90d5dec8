//! The components, each started as the client that it would be on a machine of its own.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context;
use coracle_controllers::ControllersConfig;
use coracle_node::{Node, NodeAddresses, NodeConfig};
use coracle_oci::{ImageStore, Registries};
use coracle_scheduler::SchedulerConfig;
use coracle_server::Server;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::block::Block;
use super::{ClusterArgs, DataDir, NodeArgs};

/// Name of the one node.
const NODE_NAME_FALLBACK: &str = "coracle";

pub(super) fn serve_api(
    server: &Server,
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    tasks: &mut JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) {
    let (server, shutdown) = (server.clone(), shutdown.clone());
    tasks.spawn(async move { server.serve(listener, tls, shutdown).await.context("the API server stopped") });
}

/// Keeps the issuers of ID tokens as the operator's file has them.
pub(super) fn follow_authentication(
    server: &Server,
    args: &ClusterArgs,
    own_issuer: String,
    tasks: &mut JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) {
    let following = args.authentication.clone().follow(server.clone(), own_issuer);
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        shutdown.run_until_cancelled(following).await;
        Ok(())
    });
}

pub(super) fn start_control_loops(
    server: &Server,
    config: ControllersConfig,
    tasks: &mut JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) {
    let client = server.client("system:kube-scheduler", &["system:authenticated"]);
    let token = shutdown.clone();
    tasks.spawn(async move {
        coracle_scheduler::run(client, SchedulerConfig::default(), token).await.context("the scheduler stopped")
    });
    let client = server.client("system:kube-controller-manager", &["system:authenticated"]);
    let token = shutdown.clone();
    tasks
        .spawn(async move { coracle_controllers::run(client, config, token).await.context("the controllers stopped") });
}

/// The node's configuration: its own directories, and the addresses and registries of the cluster.
pub fn node_config(
    directory: &DataDir,
    args: &NodeArgs,
    name: &str,
    block: &Block,
    registries: &Arc<Registries>,
) -> anyhow::Result<NodeConfig> {
    let images = ImageStore::open(&directory.path("images"), coracle_oci::Limits::default())
        .context("cannot open the image store")?;
    let addresses = NodeAddresses {
        node: IpAddr::V4(block.node_ip),
        pod_cidr: IpNet::V4(block.cluster_cidr),
        service_cidr: IpNet::V4(block.service_cidr),
    };
    let mut config = NodeConfig::new(name.to_string(), directory.path("node"), addresses, images);
    config.registries = registries.clone();
    args.apply(&mut config)?;
    Ok(config)
}

/// The node, as the client it would be on a machine of its own.
pub(super) async fn start_node(
    server: &Server,
    mut config: NodeConfig,
    shutdown: &CancellationToken,
) -> anyhow::Result<Node> {
    config.server_may_be_away = false;
    let user = format!("system:node:{}", config.name);
    let client = server.client(&user, &["system:nodes", "system:authenticated"]);
    Node::start(client, config, shutdown.clone()).await.context("cannot start the node")
}

/// The host's name as a node name: lower case, and only what a DNS name may have.
pub fn node_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let clean: String = host
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' })
        .collect();
    let clean = clean.trim_matches(|c| c == '-' || c == '.').to_string();
    if clean.is_empty() { NODE_NAME_FALLBACK.into() } else { clean }
}
