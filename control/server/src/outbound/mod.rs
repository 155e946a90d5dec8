//! Calls that the server makes itself: to webhooks, and to the servers behind APIServices.
//!
//! A name that ends in `.svc` is a Service: it is resolved to one of its ready endpoints in the store, so that neither
//! DNS nor a proxy is in the way. Everything goes over TLS.
//!
//! Invariant: nothing here is retried. Whoever calls knows whether its request may be sent twice.

mod dial;
pub(crate) mod reach;
mod resolve;
mod trust;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use coracle_store::Store;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use dial::Dialer;
pub(crate) use resolve::{ServiceRef, ready, resolve};
pub(crate) use trust::{Trust, TrustError};

/// Connections that wait for another request to the same server, and how long they do.
const MAX_IDLE_CONNECTIONS: usize = 8;
const IDLE: Duration = Duration::from_secs(60);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    /// No connection, or it broke.
    #[error("{0}")]
    Send(String),
    /// It took longer than the caller waits.
    #[error("context deadline exceeded")]
    Timeout,
    /// The answer is larger than the caller takes.
    #[error("the answer could not be read: {0}")]
    Body(String),
}

/// A client for one trust: which servers it believes, and which certificate it shows them.
#[derive(Clone)]
pub(crate) struct Outbound {
    client: Client<Dialer, Body>,
}

impl Outbound {
    /// A client that resolves Services from `store`.
    pub(crate) fn new(store: Store, trust: &Trust) -> Result<Self, TrustError> {
        Ok(Self::over(Dialer::new(store, Arc::new(trust.client_config()?))))
    }

    /// One that connects to no address of which `refused` is true, whatever name has led there.
    pub(crate) fn guarded(store: Store, trust: &Trust, refused: fn(IpAddr) -> bool) -> Result<Self, TrustError> {
        Ok(Self::over(Dialer::new(store, Arc::new(trust.client_config()?)).refusing(refused)))
    }

    fn over(dialer: Dialer) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .build(dialer);
        Self { client }
    }

    /// Sends a request and returns when the head of the answer is there.
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, OutboundError> {
        self.client.request(request).await.map_err(|error| OutboundError::Send(innermost(&error)))
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn exchange(
        &self,
        request: Request<Body>,
        timeout: Duration,
        limit_bytes: usize,
    ) -> Result<Response<bytes::Bytes>, OutboundError> {
        let work = async {
            let (parts, body) = self.send(request).await?.into_parts();
            let bytes = crate::http::read_bytes(Body::new(body), limit_bytes).await;
            let bytes = bytes.map_err(|error| OutboundError::Body(error.message))?;
            Ok(Response::from_parts(parts, bytes))
        };
        tokio::time::timeout(timeout, work).await.map_err(|_| OutboundError::Timeout)?
    }
}

/// The cause at the bottom: what hyper wraps around it says nothing to a user.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    // An error chain is a handful of wrappers; the bound is against one that runs in a circle.
    for _ in 0..16 {
        match deepest.source() {
            Some(source) => deepest = source,
            None => break,
        }
    }
    deepest.to_string()
}
