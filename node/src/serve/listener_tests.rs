//! Connections over memory, and some over a port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{Extension, routing::get};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::{http1, http2};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::serve::certificates::{Shown, self_signed, tls};

/// Longer than anything here lasts that ends by itself.
const LONG: Duration = Duration::from_secs(60);
/// What ends soon, and what does not end within the test.
const SHORT: Duration = Duration::from_millis(50);
const NEVER: Duration = Duration::from_secs(3600);
/// Who has asked once has no time left for more.
const FOR_ONE: Patience = Patience { first_request: NEVER, idle: SHORT };

/// The two sides of TLS.
struct Sides {
    server: Arc<rustls::ServerConfig>,
    client: ClientConfig,
}

impl Sides {
    fn new(alpn: &[u8]) -> Sides {
        let identity = self_signed("node", IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(identity.0[0].clone()).unwrap();
        let mut client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = vec![alpn.to_vec()];
        Sides { server: Arc::new(tls(Shown::new(identity).unwrap()).unwrap()), client }
    }

    async fn dial<S: AsyncRead + AsyncWrite + Send + Unpin>(self, stream: S) -> TlsStream<S> {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(Arc::new(self.client)).connect(name, stream).await.unwrap()
    }
}

/// Answers at once, never to the end, or with a change of protocol.
fn router() -> Router {
    let endless = || Body::from_stream(futures::stream::pending::<Result<Bytes, Infallible>>());
    let upgraded = |mut request: Request<Body>| async move {
        let waiting = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(waiting.await.unwrap());
            let (mut word, _) = ([0; 4], stream.write_all(b"here").await);
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
        });
        (http::StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")])
    };
    Router::new()
        .route("/short", get(|| async { "done" }))
        .route("/endless", get(move || std::future::ready(endless())))
        .route("/upgraded", get(upgraded))
        .route("/let-in", get(|Extension(guest): Extension<Guest>| async move { guest.known("boss") }))
}

/// A connection over memory, and what serves it.
async fn connected(alpn: &[u8], patience: Patience) -> (TlsStream<tokio::io::DuplexStream>, JoinHandle<()>) {
    let (sides, (here, there)) = (Sides::new(alpn), tokio::io::duplex(64 << 10));
    let server = Server {
        acceptor: TlsAcceptor::from(Arc::clone(&sides.server)),
        router: router(),
        authorities: Arc::default(),
        patience,
        shutdown: CancellationToken::new(),
    };
    let serving = tokio::spawn(async move {
        let place = Places::new(1, Users::Stay, || {}).take().await;
        server.serve(there, place.guest()).await;
    });
    (sides.dial(here).await, serving)
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).header("host", "node").body(Empty::new()).unwrap()
}

async fn over_http2(stream: TlsStream<tokio::io::DuplexStream>) -> http2::SendRequest<Empty<Bytes>> {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Waits until it is served no longer.
async fn ends(serving: JoinHandle<()>) {
    timeout(LONG, serving).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn who_asks_nothing_is_not_kept() {
    let patience = Patience { first_request: SHORT, idle: NEVER };
    for alpn in [&b"h2"[..], b"http/1.1"] {
        let (silent, serving) = connected(alpn, patience).await;
        ends(serving).await;
        drop(silent);
    }
    // One that answers pings says nothing either.
    let (stream, serving) = connected(b"h2", patience).await;
    let _sender = over_http2(stream).await;
    ends(serving).await;
}

#[tokio::test]
async fn who_asks_no_more_is_not_kept() {
    let (stream, serving) = connected(b"h2", FOR_ONE).await;
    let mut sender = over_http2(stream).await;
    let answer = sender.send_request(request("/short")).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "done");
    ends(serving).await;
}

#[tokio::test]
async fn an_answer_without_end_keeps_its_connection() {
    let (stream, mut serving) = connected(b"h2", FOR_ONE).await;
    let mut sender = over_http2(stream).await;
    let answer = sender.send_request(request("/endless")).await.unwrap();
    assert!(timeout(10 * SHORT, &mut serving).await.is_err());
    drop(answer);
    ends(serving).await;
}

#[tokio::test]
async fn a_connection_that_has_changed_its_protocol_lives_on() {
    let (stream, serving) = connected(b"http/1.1", FOR_ONE).await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    let mut asking = request("/upgraded");
    asking.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
    asking.headers_mut().insert("upgrade", http::HeaderValue::from_static("echo"));
    let answer = sender.send_request(asking).await.unwrap();
    assert_eq!(answer.status(), http::StatusCode::SWITCHING_PROTOCOLS);
    let mut stream = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    let mut word = [0; 4];
    stream.read_exact(&mut word).await.unwrap();
    tokio::time::sleep(10 * SHORT).await;
    stream.write_all(b"echo").await.unwrap();
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"echo");
    ends(serving).await;
}

/// A port with one place.
async fn narrow() -> (Sides, SocketAddr, CancellationToken) {
    let (sides, shutdown) = (Sides::new(b"http/1.1"), CancellationToken::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tls, authorities) = (Arc::clone(&sides.server), Arc::default());
    tokio::spawn(Listener { listener, tls, router: router(), authorities }.run_with(1, shutdown.clone()));
    (sides, address, shutdown)
}

#[tokio::test]
async fn a_stranger_makes_room_for_who_comes() {
    let (sides, address, shutdown) = narrow().await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let asks = async {
        let stream = sides.dial(TcpStream::connect(address).await.unwrap()).await;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request("/let-in")).await.unwrap().status()
    };
    // Sooner than the stranger's handshake is given up.
    let status = timeout(HANDSHAKE_TIMEOUT / 2, asks).await.expect("there is room");
    assert_eq!(status, http::StatusCode::OK);
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
    shutdown.cancel();
}

#[tokio::test]
async fn who_was_let_in_does_not() {
    let (sides, address, shutdown) = narrow().await;
    let stream = sides.dial(TcpStream::connect(address).await.unwrap()).await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut ask = async |path: &str| sender.send_request(request(path)).await.map(|answer| answer.into_body());
    ask("/let-in").await.unwrap().collect().await.unwrap();
    for _ in 0..3 {
        let _stranger = TcpStream::connect(address).await.unwrap();
        let body = ask("/short").await.unwrap().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "done");
    }
    shutdown.cancel();
}
