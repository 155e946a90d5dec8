//! Asking once: a GET or a connection, with the words kubelet uses for what went wrong.

use std::{error::Error, io, sync::Arc, time::Duration};

use reqwest::{Client, StatusCode, header, redirect};
use tokio::{net::TcpStream, sync::Semaphore};

use super::spec::{Action, Probe};

/// Redirects followed, on the same host only (kubelet's `maxRespBodyLength` companion: Go's client stops after 10).
const REDIRECTS_LIMIT: usize = 10;
/// Probes under way at once on the node; the rest wait their turn, so that ten thousand probes with one period don't
/// open ten thousand connections in one moment.
const CONCURRENT_LIMIT: usize = 512;
/// How kubelet introduces itself.
const USER_AGENT: &str = "kube-probe/1.36";

/// Asks containers. One for the whole node.
pub struct Prober {
    client: Client,
    turns: Semaphore,
}

impl Prober {
    /// Makes the prober. Certificates aren't verified: what is asked is whether it answers, not who (API reference).
    pub fn new() -> Result<Arc<Prober>, reqwest::Error> {
        // Another part of the process may have installed it; then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let same_host = redirect::Policy::custom(|attempt| {
            let first = attempt.previous().first().and_then(|url| url.host_str());
            if attempt.previous().len() > REDIRECTS_LIMIT || first != attempt.url().host_str() {
                attempt.stop()
            } else {
                attempt.follow()
            }
        });
        let client = Client::builder()
            .danger_accept_invalid_certs(true)
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(same_host)
            .user_agent(USER_AGENT)
            .build()?;
        Ok(Arc::new(Prober { client, turns: Semaphore::new(CONCURRENT_LIMIT) }))
    }

    /// Asks once.
    pub async fn ask(&self, probe: &Probe) -> Result<(), String> {
        let _turn = self.turns.acquire().await;
        match &probe.action {
            Action::Http { url, headers } => self.get(url, headers, probe.timeout).await,
            Action::Tcp { host, port } => connect(host, *port, probe.timeout).await,
            Action::Impossible(why) => Err(why.clone()),
        }
    }

    /// A GET; any status from 200 to 399 is a success.
    pub async fn get(&self, url: &str, headers: &[(String, String)], timeout: Duration) -> Result<(), String> {
        let mut request = self.client.get(url).timeout(timeout).header(header::ACCEPT, "*/*");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let status = request.send().await.map_err(|error| describe(url, &error))?.status();
        if (StatusCode::OK..StatusCode::BAD_REQUEST).contains(&status) {
            Ok(())
        } else {
            Err(format!("HTTP probe failed with statuscode: {}", status.as_u16()))
        }
    }
}

fn describe(url: &str, error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("Get {url:?}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    }
    let (mut deepest, mut cause): (String, Option<&(dyn Error + 'static)>) = (error.to_string(), error.source());
    while let Some(error) = cause {
        deepest = match error.downcast_ref::<io::Error>() {
            Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
            _ => error.to_string(),
        };
        cause = error.source().filter(|_| deepest != "connect: connection refused");
    }
    let host = url.split('/').nth(2).unwrap_or_default();
    let dial = if error.is_connect() { format!("dial tcp {host}: ") } else { String::new() };
    format!("Get {url:?}: {dial}{deepest}")
}

async fn connect(host: &str, port: u16, timeout: Duration) -> Result<(), String> {
    match tokio::time::timeout(timeout, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(format!("dial tcp {host}:{port}: connect: connection refused"))
        }
        Ok(Err(error)) => Err(format!("dial tcp {host}:{port}: {error}")),
        Err(_) => Err(format!("dial tcp {host}:{port}: i/o timeout")),
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::StatusCode, response::Redirect, routing::get};

    use super::*;

    async fn serve() -> String {
        let router = Router::new()
            .route("/ok", get(|| async { "ok" }))
            .route("/bad", get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "bad") }))
            .route("/slow", get(std::future::pending::<()>))
            .route("/moved", get(|| async { Redirect::temporary("/bad") }))
            .route("/away", get(|| async { Redirect::temporary("http://192.0.2.1/") }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn answers_count_as_kubelet_counts_them() {
        let (prober, base) = (Prober::new().unwrap(), serve().await);
        let ask = async |path: &str| prober.get(&format!("{base}{path}"), &[], Duration::from_millis(500)).await;
        assert_eq!(ask("/ok").await, Ok(()));
        assert_eq!(ask("/bad").await.unwrap_err(), "HTTP probe failed with statuscode: 500");
        assert_eq!(ask("/moved").await.unwrap_err(), "HTTP probe failed with statuscode: 500");
        assert_eq!(ask("/away").await, Ok(()), "a redirect elsewhere is not followed, and no failure");
        assert!(ask("/slow").await.unwrap_err().contains("context deadline exceeded"));
    }

    #[tokio::test]
    async fn nobody_there_is_a_refused_connection() {
        let prober = Prober::new().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = format!("dial tcp {free}: connect: connection refused");
        let url = format!("http://{free}/");
        let failure = prober.get(&url, &[], Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(failure, format!("Get {url:?}: {refused}"));
        assert_eq!(connect("127.0.0.1", free.port(), Duration::from_secs(1)).await, Err(refused));
    }
}
