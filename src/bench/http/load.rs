//! Clients that ask as fast as they are answered.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::task::JoinSet;

use crate::bench::load::Connection;
use crate::bench::statistics::Sample;

/// Loads the servers from so many clients, each with one request under way; how long each request took.
///
/// With more servers than clients, a client goes round among its share of them; with fewer, several have one server.
pub async fn load(servers: &[SocketAddr], clients: u32, duration: Duration) -> anyhow::Result<Sample> {
    let clients = clients as usize;
    let end = Instant::now() + duration;
    let mut running = JoinSet::new();
    for client in 0..clients {
        let mut share: Vec<SocketAddr> = servers.iter().skip(client).step_by(clients).copied().collect();
        if share.is_empty() {
            share.push(servers[client % servers.len()]);
        }
        running.spawn(ask(share, end));
    }
    let mut all = Sample::default();
    while let Some(done) = running.join_next().await {
        all.extend(done.context("a client panicked")??);
    }
    Ok(all)
}

async fn ask(servers: Vec<SocketAddr>, end: Instant) -> anyhow::Result<Sample> {
    let mut connections = Vec::with_capacity(servers.len());
    for address in servers {
        connections.push(Connection::open(address).await?);
    }
    let mut sample = Sample::default();
    loop {
        for connection in &mut connections {
            let begun = Instant::now();
            if begun >= end {
                return Ok(sample);
            }
            connection.get().await?;
            sample.push(begun.elapsed());
        }
    }
}
