//! The built-in image registry of `up`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use coracle_oci::{Registries, Registry};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::settings::Settings;
use super::{ClusterArgs, DataDir};

/// The name by which manifests may call the built-in registry, whatever port it has (`.internal` is reserved for
/// private use by ICANN).
pub const REGISTRY_NAME: &str = "registry.coracle.internal";
/// The usual port of a registry.
const DEFAULT_PORT: u16 = 5000;

/// Where the built-in registry answers.
#[derive(Debug, Clone, Copy)]
pub struct RegistryEndpoint(pub SocketAddr);

impl std::fmt::Display for RegistryEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Serves the registry on the loopback interface, and lets the node find it by [`REGISTRY_NAME`].
pub async fn serve(
    directory: &DataDir,
    args: &ClusterArgs,
    settings: &mut Settings,
    registries: &Arc<Registries>,
    tasks: &mut JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<RegistryEndpoint> {
    let listener = listen(args.registry_port, settings.registry_port).await?;
    let address = listener.local_addr().context("the registry's own address")?;
    settings.registry_port = Some(address.port());
    registries.add_alias(REGISTRY_NAME, &address.to_string(), true);
    let registry = Registry::open(&directory.path("registry"), coracle_oci::Limits::default())
        .context("cannot open the registry's directory")?;
    let token = shutdown.clone();
    tasks.spawn(async move {
        let serving = axum::serve(listener, registry.router());
        serving.with_graceful_shutdown(token.cancelled_owned()).await.context("the registry stopped")
    });
    Ok(RegistryEndpoint(address))
}

async fn listen(wanted: Option<u16>, before: Option<u16>) -> anyhow::Result<TcpListener> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = wanted {
        return bind(port)
            .await
            .with_context(|| format!("the registry cannot listen on port {port}; see --registry-port"));
    }
    match bind(before.unwrap_or(DEFAULT_PORT)).await {
        Ok(listener) => Ok(listener),
        Err(_) => bind(0).await.context("the registry finds no free port"),
    }
}
