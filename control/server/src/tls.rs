//! The HTTPS listener: accepts connections, reads who the client is from its certificate, serves HTTP/1 and HTTP/2.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use coracle_listen::{Activity, Place, Places, Users};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::audit::Peer;
use crate::config::Limits;
use crate::hub::Hub;
use crate::identity::Proof;
use crate::pace::{PIECE_BYTES, Paced, Streams, paced};

/// How long connections may take to finish once the server stops. Ctrl-C has two seconds for everything.
pub(crate) const DRAIN: Duration = Duration::from_millis(500);

/// Bytes of request headers; Go's default is 1 MiB, client certificates do not travel in headers.
const MAX_HEADER_BYTES: u32 = 256 << 10;

/// Bytes of bodies that one HTTP/2 stream, and one connection, may send before somebody reads them (kube-apiserver's
/// `MaxUploadBufferPerStream`).
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

/// Bytes of an answer that wait inside of an HTTP/2 stream.
const SEND_BUFFER_BYTES: usize = 2 * PIECE_BYTES;

/// HTTP/2 streams that a client may open and reset at once, before anybody has looked at them, and such that it makes this
/// side reset; one more ends the connection (CVE-2023-44487, CVE-2025-8671). Heads in too many pieces end it as well: that
/// bound follows from the size of heads (CVE-2024-27316).
const MAX_PENDING_RESETS: usize = 20;
const MAX_LOCAL_RESETS: usize = 256;

/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// A pause after a failed accept, so that a process out of descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why the listener stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket's own address cannot be read: it is not a listening socket.
    #[error("cannot serve on this socket: {0}")]
    Listener(#[from] io::Error),
}

/// Serves until `shutdown`.
pub(crate) async fn serve(
    hub: &Arc<Hub>,
    router: Router,
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "serving the API");
    let metrics = hub.metrics.clone();
    let places = Places::new(hub.config.limits.connections, Users::Share, move || metrics.sent_away());
    let connections = TaskTracker::new();
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let (stream, place) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (hub, router, acceptor, shutdown) = (hub.clone(), router.clone(), acceptor.clone(), shutdown.clone());
        let open = hub.metrics.connected();
        connections.spawn(async move {
            let _open = open;
            tokio::select! {
                () = connection(&hub, router, acceptor, (stream, &place), shutdown) => {}
                () = place.gone.cancelled() => {}
            }
        });
    }
    drop(listener);
    hub.closing.cancel();
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        tracing::debug!(open = connections.len(), "connections were still open at the end");
    }
    Ok(())
}

/// The next connection, and its place.
async fn accept(listener: &TcpListener, places: &Arc<Places>) -> ((TcpStream, Peer), Place) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return ((stream, Peer(peer.ip())), places.take().await),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    hub: &Hub,
    router: Router,
    acceptor: TlsAcceptor,
    ((stream, peer), place): ((TcpStream, Peer), &Place),
    shutdown: CancellationToken,
) {
    // Answers are written whole or in pieces that somebody waits for: never hold them back.
    let _ = stream.set_nodelay(true);
    let limits = &hub.config.limits;
    let handshake = tokio::time::timeout(limits.handshake_timeout, acceptor.accept(stream)).await;
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            hub.metrics.handshake_failed();
            tracing::debug!(%error, "TLS handshake failed");
            return;
        }
        Err(_) => return hub.metrics.handshake_failed(),
    };
    let proof = stream.get_ref().1.peer_certificates().and_then(|chain| Proof::of(chain.first()?));
    let guest = place.guest();
    if let Some(user) = proof.as_ref().and_then(|proof| proof.user_at(Timestamp::now())) {
        guest.known(&user.name);
    }
    let activity = Activity::begin(limits.first_request, limits.idle);
    let asked = activity.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (busy, router) = (asked.request(), router.clone());
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(guest.clone());
        if let Some(proof) = &proof {
            request.extensions_mut().insert(proof.clone());
        }
        let answer = router.oneshot(request.map(Body::new));
        async move { Ok::<_, Infallible>(answer.await?.map(|body| Body::new(busy.until_end_of(Paced::new(body))))) }
    });
    let builder = builder(limits, hub);
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    // Over HTTP/1 the connection is what sends, over HTTP/2 each stream does, at a pace of its own.
    let ended = tokio::select! {
        ended = paced(limits.answer_stall, serving.as_mut()) => match ended {
            Some(ended) => ended,
            None => return hub.metrics.stalled(),
        },
        () = activity.over(&shutdown) => {
            serving.as_mut().graceful_shutdown();
            tokio::time::timeout(DRAIN, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// What both versions of HTTP hold a client to.
fn builder(limits: &Limits, hub: &Hub) -> Builder<Streams> {
    let mut builder = Builder::new(Streams { limit: limits.answer_stall, metrics: hub.metrics.clone() });
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(MAX_HEADER_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_LOCAL_RESETS)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
