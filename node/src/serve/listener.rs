//! Accepts connections, reads who comes from their certificates, serves HTTP/1 and HTTP/2.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{Router, body::Body};
use coracle_listen::{Activity, Guest, Place, Places, Users};
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{authorities::Authorities, guard::Certified, user::User};

/// Connections at a time. Strangers make room; if there are none, whoever comes then waits.
const CONNECTIONS_LIMIT: usize = 1_024;
/// A TLS handshake that takes longer is dropped.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection ends unless a request comes within this time of the handshake (kubelet's `ReadHeaderTimeout`) ...
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(32);
/// ... or if there is none in progress for so long (kubelet's `IdleTimeout`).
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// A client over HTTP/1 that has begun a request's head ends it within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How often an HTTP/2 client is asked whether it is still there.
const PING_PERIOD: Duration = Duration::from_secs(30);
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
        self.run_with(CONNECTIONS_LIMIT, shutdown).await;
    }

    /// The same with so many connections at a time.
    async fn run_with(self, limit: usize, shutdown: CancellationToken) {
        let (places, connections) = (Places::new(limit, Users::Stay, || {}), TaskTracker::new());
        let acceptor = TlsAcceptor::from(self.tls);
        while let Some((stream, place)) = shutdown.run_until_cancelled(accept(&self.listener, &places)).await {
            let server = Server {
                acceptor: acceptor.clone(),
                router: self.router.clone(),
                authorities: Arc::clone(&self.authorities),
                patience: PATIENCE,
                shutdown: shutdown.clone(),
            };
            connections.spawn(async move {
                let serving = server.serve(stream, place.guest());
                place.gone.run_until_cancelled(serving).await;
            });
        }
        connections.close();
        if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
            tracing::debug!(open = connections.len(), "connections of the node API were still open at the end");
        }
    }
}

/// The next connection, and its place.
async fn accept(listener: &TcpListener, places: &Arc<Places>) -> (TcpStream, Place) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are written whole or in pieces that somebody waits for: never hold them back.
                let _ = stream.set_nodelay(true);
                return (stream, places.take().await);
            }
            Err(error) => {
                tracing::warn!(%error, "the node API cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
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

/// What serves one connection.
struct Server {
    acceptor: TlsAcceptor,
    router: Router,
    authorities: Arc<Authorities>,
    patience: Patience,
    shutdown: CancellationToken,
}

/// How long a connection without a request in progress is kept.
#[derive(Clone, Copy)]
struct Patience {
    first_request: Duration,
    idle: Duration,
}

const PATIENCE: Patience = Patience { first_request: FIRST_REQUEST_TIMEOUT, idle: IDLE_TIMEOUT };

impl Server {
    async fn serve<S>(self, stream: S, guest: Guest)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Server { acceptor, router, authorities, patience, shutdown } = self;
        let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => return,
        };
        let chain = stream.get_ref().1.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
        let peer = Peer { chain, authorities, user: OnceLock::new() };
        let activity = Activity::begin(patience.first_request, patience.idle);
        let (asked, closing) = (Arc::clone(&activity), shutdown.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let busy = asked.request();
            let extensions = request.extensions_mut();
            if let Some(user) = peer.user() {
                extensions.insert(Certified(user));
            }
            extensions.insert(guest.clone());
            // Ends connections into pods, which outlive their requests.
            extensions.insert(closing.clone());
            let answer = router.clone().oneshot(request.map(Body::new));
            async move { Ok::<_, Infallible>(answer.await?.map(|body| Body::new(busy.until_end_of(body)))) }
        });
        let builder = builder();
        let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut serving = std::pin::pin!(serving);
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            () = activity.over(&shutdown) => {
                serving.as_mut().graceful_shutdown();
                tokio::time::timeout(DRAIN, serving).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection to the node API ended early");
        }
    }
}

/// What both versions of HTTP hold a client to.
fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let head = HEADER_LIMIT_BYTES as usize;
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_LIMIT)
        .max_header_list_size(HEADER_LIMIT_BYTES)
        .keep_alive_interval(PING_PERIOD);
    builder
}

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;
