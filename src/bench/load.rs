//! HTTP requests to pods.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks for `/` on a connection of its own, and tells how long it took to the last byte of the answer.
pub async fn get_once(address: SocketAddr) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let work = async { Connection::open(address).await?.get().await };
    let answered = tokio::time::timeout(PATIENCE, work).await;
    answered.with_context(|| format!("{address} did not answer in {} s", PATIENCE.as_secs()))??;
    Ok(begun.elapsed())
}

/// A connection that stays, for one request at a time.
pub struct Connection {
    address: SocketAddr,
    sender: SendRequest<Empty<Bytes>>,
    task: AbortHandle,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        Ok(Connection { address, sender, task: tokio::spawn(connection).abort_handle() })
    }

    /// Asks for `/` and reads the whole answer, which must be a success.
    pub async fn get(&mut self) -> anyhow::Result<()> {
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
