//! Connections: the endpoint of a Service or a host that DNS knows, then TLS in the name that the URL has.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use coracle_store::Store;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::Service;

use super::resolve::{Destination, ServiceRef, resolve};

/// A server that has not taken the connection by then is as good as down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes connections for one trust.
#[derive(Clone)]
pub(super) struct Dialer {
    store: Store,
    tls: Arc<rustls::ClientConfig>,
    /// Addresses that are not connected to.
    refused: Option<fn(IpAddr) -> bool>,
}

impl Dialer {
    pub(super) fn new(store: Store, tls: Arc<rustls::ClientConfig>) -> Self {
        Self { store, tls, refused: None }
    }

    /// Connects to no address of which this is true.
    pub(super) fn refusing(mut self, refused: fn(IpAddr) -> bool) -> Self {
        self.refused = Some(refused);
        self
    }

    async fn dial(self, uri: Uri) -> io::Result<Secured> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_string();
        let port = uri.port_u16().unwrap_or(443);
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        let connecting = async {
            let stream = connect(&self.store, (&host, port), self.refused).await?;
            // Requests are written whole: never hold them back.
            let _ = stream.set_nodelay(true);
            let stream = TlsConnector::from(self.tls).connect(name, stream).await.map_err(unknown_to_go)?;
            Ok(Secured(TokioIo::new(stream)))
        };
        let late = |_| io::Error::other("i/o timeout");
        tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(late)?
    }
}

async fn connect(
    store: &Store,
    (host, port): (&str, u16),
    refused: Option<fn(IpAddr) -> bool>,
) -> io::Result<TcpStream> {
    let destination = match ServiceRef::of_host(host, port) {
        Some(service) => resolve(store, &service).map_err(io::Error::other)?,
        None => Destination::Host(host.to_string(), port),
    };
    let (what, addresses) = match destination {
        Destination::Address(address) => (address.to_string(), vec![address]),
        Destination::Host(host, port) => {
            let found = tokio::net::lookup_host((host.as_str(), port)).await;
            let what = format!("{host}:{port}");
            let found = found.map_err(|error| io::Error::other(format!("dial tcp {what}: {error}")))?;
            (what, found.collect())
        }
    };
    // What is connected to is what was looked at: a name may lead elsewhere a moment later.
    if refused.is_some_and(|refused| addresses.iter().any(|address| refused(address.ip()))) {
        return Err(io::Error::other("address not allowed"));
    }
    TcpStream::connect(addresses.as_slice()).await.map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::ConnectionRefused => "connect: connection refused".to_string(),
            _ => error.to_string(),
        };
        io::Error::other(format!("dial tcp {what}: {why}"))
    })
}

/// What users search for is the text that Go has for an authority nobody knows.
fn unknown_to_go(error: io::Error) -> io::Error {
    let unknown = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some_and(|inner| {
        matches!(inner, rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer))
    });
    if unknown {
        return io::Error::other("tls: failed to verify certificate: x509: certificate signed by unknown authority");
    }
    io::Error::other(format!("tls: {error}"))
}

impl Service<Uri> for Dialer {
    type Response = Secured;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Secured>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}

/// A connection with TLS on it.
pub(super) struct Secured(TokioIo<TlsStream<TcpStream>>);

impl Connection for Secured {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Secured {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
