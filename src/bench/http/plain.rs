//! The bare server: what HTTP costs without any Wasm.

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Serves one constant answer at all of the addresses.
pub async fn serve(addresses: Vec<SocketAddr>) -> anyhow::Result<()> {
    let mut servers = JoinSet::new();
    for address in addresses {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let router = Router::new().fallback(get(|| async { "Hello from a pod without a name, you asked for /\n" }));
        servers.spawn(async move { axum::serve(listener, router).await });
    }
    while let Some(ended) = servers.join_next().await {
        ended.context("a plain server panicked")?.context("a plain server ended")?;
    }
    Ok(())
}
