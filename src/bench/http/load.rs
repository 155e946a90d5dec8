//! Clients that ask as fast as they are answered.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};

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

/// A connection that stays.
struct Connection {
    address: SocketAddr,
    sender: SendRequest<Empty<Bytes>>,
    task: AbortHandle,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        Ok(Connection { address, sender, task: tokio::spawn(connection).abort_handle() })
    }

    async fn get(&mut self) -> anyhow::Result<()> {
        let request = hyper::Request::get("/").header("host", self.address.to_string()).body(Empty::new())?;
        let response = self.sender.send_request(request).await.with_context(|| self.address.to_string())?;
        anyhow::ensure!(response.status().is_success(), "{} answered {}", self.address, response.status());
        response.into_body().collect().await?;
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
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
