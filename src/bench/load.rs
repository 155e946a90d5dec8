//! Single HTTP requests to pods.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks for `/` on a connection of its own, and tells how long it took to the last byte of the answer.
pub async fn get_once(address: SocketAddr) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let work = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = hyper::Request::get("/").header("host", address.to_string()).body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        anyhow::ensure!(response.status().is_success(), "{address} answered {}", response.status());
        response.into_body().collect().await?;
        connection.abort();
        Ok(())
    };
    let answered = tokio::time::timeout(PATIENCE, work).await;
    answered.with_context(|| format!("{address} did not answer in {} s", PATIENCE.as_secs()))??;
    Ok(begun.elapsed())
}
