//! The HTTPS listener: accepts connections, reads who the client is from its certificate, serves HTTP/1 and HTTP/2.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::audit::Peer;
use crate::hub::Hub;
use crate::identity::user_of;
use crate::idle::Activity;

/// How long connections may take to finish once the server stops. Ctrl-C has two seconds for everything.
pub(crate) const DRAIN: Duration = Duration::from_millis(500);

/// A client that has connected sends a request's head within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Streams on one HTTP/2 connection; Go's client opens another connection beyond it.
const MAX_STREAMS: u32 = 1_000;

/// Bytes of request headers; Go's default is 1 MiB, client certificates do not travel in headers.
const MAX_HEADER_BYTES: u32 = 256 << 10;

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
    let room = Arc::new(Semaphore::new(hub.config.limits.connections.min(Semaphore::MAX_PERMITS)));
    let connections = TaskTracker::new();
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let (stream, permit) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let (hub, router, acceptor, shutdown) = (hub.clone(), router.clone(), acceptor.clone(), shutdown.clone());
        connections.spawn(async move {
            connection(&hub, router, acceptor, stream, shutdown).await;
            drop(permit);
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

/// The next connection, when there is room for one.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> ((TcpStream, Peer), Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed, so there is always a permit in the end.
    let permit = room.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return ((stream, Peer(peer.ip())), permit),
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
    (stream, peer): (TcpStream, Peer),
    shutdown: CancellationToken,
) {
    // Answers are written whole or in pieces that somebody waits for: never hold them back.
    let _ = stream.set_nodelay(true);
    let handshake = tokio::time::timeout(hub.config.limits.handshake_timeout, acceptor.accept(stream)).await;
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            hub.metrics.handshake_failed();
            tracing::debug!(%error, "TLS handshake failed");
            return;
        }
        Err(_) => return hub.metrics.handshake_failed(),
    };
    let user = stream.get_ref().1.peer_certificates().and_then(|chain| user_of(chain.first()?));
    let activity = Activity::begin();
    let asked = activity.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (busy, router) = (asked.request(), router.clone());
        request.extensions_mut().insert(peer);
        if let Some(user) = &user {
            request.extensions_mut().insert(user.clone());
        }
        async move { Ok::<_, Infallible>(router.oneshot(request.map(Body::new)).await?.map(|body| busy.until_end_of(body))) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .keep_alive_interval(Duration::from_secs(30));
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let over = async {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = activity.idle() => {}
        }
    };
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = over => {
            serving.as_mut().graceful_shutdown();
            tokio::time::timeout(DRAIN, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
