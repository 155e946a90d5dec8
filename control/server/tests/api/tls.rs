//! The HTTPS listener: who a client certificate makes you.

use std::sync::Arc;
use std::time::Duration;

use coracle_server::pki::{Authority, Identity};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::support::{Cluster, PATIENCE, PODS, config};
use crate::wire::{HTTP1, HTTP2, Site, Stream};

fn connector(authority: &Authority, identity: Option<&Identity>, protocol: &[u8]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = vec![CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn ask(connector: TlsConnector, address: std::net::SocketAddr, http2: bool) -> u16 {
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = connector.connect(ServerName::from(address.ip()), stream).await.unwrap();
    let request = Request::get(format!("https://{address}{PODS}")).header("host", address.to_string());
    let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = if http2 {
        let (mut send, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        send.send_request(request).await.unwrap()
    } else {
        let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        send.send_request(request).await.unwrap()
    };
    let code = response.status().as_u16();
    response.into_body().collect().await.unwrap();
    code
}

#[tokio::test]
async fn a_certificate_says_who_you_are() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::load_or_create(directory.path()).unwrap();
    let server = authority.server("apiserver", &["127.0.0.1".into()]).unwrap();
    let admin = authority.client("admin", "admin", "system:masters").unwrap();
    let jane = authority.client("jane", "jane", "").unwrap();
    let cluster = Cluster::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = {
        let (server, tls, shutdown) = (cluster.server.clone(), authority.tls(&server).unwrap(), shutdown.clone());
        tokio::spawn(async move { server.serve(listener, tls, shutdown).await })
    };
    for (http2, protocol) in [(false, &b"http/1.1"[..]), (true, b"h2")] {
        assert_eq!(ask(connector(&authority, None, protocol), address, http2).await, 401);
        assert_eq!(ask(connector(&authority, Some(&jane), protocol), address, http2).await, 403);
        assert_eq!(ask(connector(&authority, Some(&admin), protocol), address, http2).await, 200);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger =
        Authority::load_or_create(elsewhere.path()).unwrap().client("admin", "admin", "system:masters").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let connected =
        connector(&authority, Some(&stranger), b"http/1.1").connect(ServerName::from(address.ip()), stream).await;
    // With TLS 1.3 a client learns of its refusal when it first reads.
    if let Ok(mut stream) = connected {
        let mut byte = [0; 1];
        assert!(tokio::io::AsyncReadExt::read_exact(&mut stream, &mut byte).await.is_err());
    }
    shutdown.cancel();
    tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap().unwrap();
}

/// kube-apiserver verifies a client's certificate with every request, so no connection makes it last.
#[tokio::test]
async fn a_certificate_is_good_for_its_time_and_not_for_its_connections() {
    let site = Site::start(config()).await;
    for http2 in [false, true] {
        let brief = site.identity("brief", "system:masters", Duration::from_secs(3));
        let stream = site.connect(Some(&brief), if http2 { HTTP2 } else { HTTP1 }).await.unwrap();
        let mut client = Client::new(stream, http2).await;
        let watch = client.send("/api/v1/namespaces?watch=1").await;
        assert_eq!(watch.status(), 200);
        let mut other = match http2 {
            // A watch has an HTTP/1 connection for itself.
            false => Client::new(site.connect(Some(&brief), HTTP1).await.unwrap(), http2).await,
            true => client,
        };
        assert_eq!(other.code(PODS).await, 200);
        let expiring = async {
            while other.code(PODS).await == 200 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, expiring).await.expect("it expires");
        for path in [PODS, "/version", "/healthz"] {
            assert_eq!(other.code(path).await, 401, "{path}");
        }
        // And nobody gets in with it again.
        if let Ok(mut late) = site.connect(Some(&brief), HTTP1).await {
            let mut byte = [0; 1];
            assert!(tokio::io::AsyncReadExt::read_exact(&mut late, &mut byte).await.is_err());
        }
    }
}

/// A connection of either version.
enum Client {
    Http1(hyper::client::conn::http1::SendRequest<Empty<bytes::Bytes>>),
    Http2(hyper::client::conn::http2::SendRequest<Empty<bytes::Bytes>>),
}

impl Client {
    async fn new(stream: Stream, http2: bool) -> Self {
        let io = TokioIo::new(stream);
        if http2 {
            let (send, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            return Self::Http2(send);
        }
        let (send, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        Self::Http1(send)
    }

    async fn send(&mut self, path: &str) -> http::Response<hyper::body::Incoming> {
        let request = Request::get(format!("https://127.0.0.1{path}")).header("host", "x").body(Empty::new()).unwrap();
        match self {
            Self::Http1(send) => {
                send.ready().await.unwrap();
                send.send_request(request).await.unwrap()
            }
            Self::Http2(send) => {
                send.ready().await.unwrap();
                send.send_request(request).await.unwrap()
            }
        }
    }

    async fn code(&mut self, path: &str) -> u16 {
        let answer = self.send(path).await;
        let code = answer.status().as_u16();
        answer.into_body().collect().await.unwrap();
        code
    }
}
