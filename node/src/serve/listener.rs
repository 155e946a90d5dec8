//! Accepts connections, reads who comes from their certificates, serves HTTP/1 and HTTP/2.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{Router, body::Body};
use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use rustls::pki_types::CertificateDer;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{authorities::Authorities, guard::Certified, user::User};

/// Connections at a time; whoever comes then waits in the kernel's queue.
const CONNECTIONS_LIMIT: usize = 1_024;
/// A TLS handshake that takes longer is dropped.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that has connected sends a request's head within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's head.
const HEADER_LIMIT_BYTES: u32 = 64 << 10;
/// Requests at a time on one connection of HTTP/2.
const STREAMS_LIMIT: u32 = 100;
/// How long connections may take to finish once the node stops.
const DRAIN: Duration = Duration::from_millis(500);
/// How long accepting rests after the kernel refused it (no descriptors, usually).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A port, and what answers there.
pub struct Listener {
    pub listener: TcpListener,
    pub tls: Arc<rustls::ServerConfig>,
    pub router: Router,
    pub authorities: Arc<Authorities>,
}

impl Listener {
    /// Serves until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let (room, connections) = (Arc::new(Semaphore::new(CONNECTIONS_LIMIT)), TaskTracker::new());
        let acceptor = TlsAcceptor::from(Arc::clone(&self.tls));
        while let Some((stream, permit)) = shutdown.run_until_cancelled(self.accept(&room)).await {
            let (router, authorities) = (self.router.clone(), Arc::clone(&self.authorities));
            let (acceptor, shutdown) = (acceptor.clone(), shutdown.clone());
            connections.spawn(async move {
                connection(stream, acceptor, router, authorities, shutdown).await;
                drop(permit);
            });
        }
        connections.close();
        if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
            tracing::debug!(open = connections.len(), "connections of the node API were still open at the end");
        }
    }

    /// The next connection, when there is room for one.
    async fn accept(&self, room: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
        // The semaphore is never closed, so there is always a permit in the end.
        let permit = Arc::clone(room).acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return (stream, permit),
                Err(error) => {
                    tracing::warn!(%error, "the node API cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Who has connected.
struct Peer {
    chain: Vec<CertificateDer<'static>>,
    authorities: Arc<Authorities>,
    user: OnceLock<User>,
}

impl Peer {
    /// Who that is by certificate. Somebody nobody certified yet may be known a moment later.
    fn user(&self) -> Option<User> {
        if self.user.get().is_none() {
            let _ = self.user.set(self.authorities.user(&self.chain)?);
        }
        self.user.get().cloned()
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    router: Router,
    authorities: Arc<Authorities>,
    shutdown: CancellationToken,
) {
    // Answers are written whole or in pieces that somebody waits for: never hold them back.
    let _ = stream.set_nodelay(true);
    let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => return,
    };
    let chain = stream.get_ref().1.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
    let peer = Arc::new(Peer { chain, authorities, user: OnceLock::new() });
    let closing = shutdown.clone();
    let service = router.map_request(move |mut request: Request<Incoming>| {
        if let Some(user) = peer.user() {
            request.extensions_mut().insert(Certified(user));
        }
        // Ends connections into pods, which outlive their requests.
        request.extensions_mut().insert(closing.clone());
        request.map(Body::new)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    let head = HEADER_LIMIT_BYTES as usize;
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_LIMIT)
        .max_header_list_size(HEADER_LIMIT_BYTES)
        .keep_alive_interval(HEADER_TIMEOUT);
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::time::timeout(DRAIN, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the node API ended early");
    }
}
