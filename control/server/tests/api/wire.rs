//! A server on a real socket, and clients that know their protocols too well: bytes and frames as they like.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use coracle_server::ServerConfig;
use coracle_server::pki::{Authority, Identity};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{Cluster, MAPS, PATIENCE, config};

pub const HTTP1: &[u8] = b"http/1.1";
pub const HTTP2: &[u8] = b"h2";

/// How long it takes until everybody who waits for a limit of a test has been waited for.
const PAUSE: Duration = Duration::from_millis(20);

pub type Stream = TlsStream<TcpStream>;

/// A server that listens for as long as the test.
pub struct Site {
    pub cluster: Cluster,
    pub address: SocketAddr,
    pub admin: Identity,
    authority: Authority,
    _directory: tempfile::TempDir,
    _serving: DropGuard,
}

/// The tests' configuration, changed.
pub fn tuned(tune: impl FnOnce(&mut ServerConfig)) -> ServerConfig {
    let mut config = config();
    tune(&mut config);
    config
}

impl Site {
    pub async fn start(config: ServerConfig) -> Self {
        Self::over(Cluster::with(config, |_| {}).await).await
    }

    /// Listens for a cluster.
    pub async fn over(cluster: Cluster) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::load_or_create(directory.path()).unwrap();
        let server = authority.server("apiserver", &["127.0.0.1".into()]).unwrap();
        let admin = authority.client("admin", "admin", "system:masters").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tls, shutdown) = (authority.tls(&server).unwrap(), CancellationToken::new());
        let (serving, stop) = (cluster.server.clone(), shutdown.clone());
        tokio::spawn(async move { serving.serve(listener, tls, stop).await });
        Self { cluster, address, admin, authority, _directory: directory, _serving: shutdown.drop_guard() }
    }

    /// Somebody, for a time.
    pub fn identity(&self, user: &str, group: &str, lifetime: Duration) -> Identity {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, user);
        if !group.is_empty() {
            parameters.distinguished_name.push(DnType::OrganizationName, group);
        }
        let key = KeyPair::generate().unwrap();
        let request = parameters.serialize_request(&key).unwrap().pem().unwrap();
        let certificate_pem = self.authority.sign(&request, &["client auth".into()], lifetime).unwrap();
        Identity { certificate_pem, key_pem: key.serialize_pem() }
    }

    pub async fn connect(&self, identity: Option<&Identity>, protocol: &[u8]) -> std::io::Result<Stream> {
        let stream = TcpStream::connect(self.address).await?;
        self.connector(identity, protocol).connect(ServerName::from(self.address.ip()), stream).await
    }

    fn connector(&self, identity: Option<&Identity>, protocol: &[u8]) -> TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.certificate_pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.unwrap().with_root_certificates(roots);
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

    /// What an honest client is told, who comes now and asks once.
    pub async fn honest(&self) -> u16 {
        let asking = async {
            let stream = self.connect(Some(&self.admin), HTTP1).await.unwrap();
            let (mut send, connection) =
                hyper::client::conn::http1::handshake::<_, Empty<bytes::Bytes>>(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            ask(&mut send, MAPS).await
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("an answer in time")
    }

    /// A value of `/metrics`: of the first line that begins so.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.cluster.get("/metrics").await.text();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Waits until a metric is as wanted.
    pub async fn until(&self, name: &str, wanted: impl Fn(f64) -> bool) {
        let looking = async {
            while !wanted(self.metric(name).await) {
                tokio::time::sleep(PAUSE).await;
            }
        };
        if tokio::time::timeout(PATIENCE, looking).await.is_err() {
            panic!("{name} is {}", self.metric(name).await);
        }
    }
}

/// The code of the answer to a GET.
pub async fn ask(send: &mut hyper::client::conn::http1::SendRequest<Empty<bytes::Bytes>>, path: &str) -> u16 {
    let request = Request::get(path).header("host", "x").body(Empty::new()).unwrap();
    send.ready().await.unwrap();
    let answer = send.send_request(request).await.unwrap();
    let code = answer.status().as_u16();
    answer.into_body().collect().await.unwrap();
    code
}

/// Reads until the connection ends, however that is.
pub async fn ends(stream: &mut Stream) {
    let reading = async {
        let mut buffer = vec![0; 1 << 16];
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the connection ends");
}

/// Kinds of frames (RFC 9113 §6).
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// One frame.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error that a RST_STREAM or GOAWAY tells.
    pub fn error(&self) -> u32 {
        let at = if self.kind == kind::GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// An HTTP/2 connection whose client says what it likes.
pub struct Frames {
    pub stream: Stream,
}

impl Frames {
    /// With the preface, and settings: pairs of a number and a value.
    pub async fn open(site: &Site, identity: Option<&Identity>, settings: &[(u16, u32)]) -> Self {
        let mut stream = site.connect(identity, HTTP2).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut frames = Self { stream };
        let pairs: Vec<u8> =
            settings.iter().flat_map(|(n, v)| [&n.to_be_bytes()[..], &v.to_be_bytes()].concat()).collect();
        frames.send(kind::SETTINGS, 0, 0, &pairs).await.unwrap();
        frames
    }

    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(&frame(kind, flags, stream, payload)).await
    }

    /// The head of a GET, whole.
    pub async fn get(&mut self, stream: u32, path: &str) -> std::io::Result<()> {
        self.send(kind::HEADERS, END_HEADERS | END_STREAM, stream, &head("GET", path)).await
    }

    /// The next frame; `None` at the end.
    pub async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        let reading = async {
            self.stream.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await.ok()?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            Some(Frame { kind: head[3], flags: head[4], stream, payload })
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("a frame, or the end")
    }

    /// The first frame of which something is true. Those before it are forgotten; `None`: the connection has ended.
    pub async fn find(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            match self.next().await {
                Some(found) if wanted(&found) => return Some(found),
                Some(_) => {}
                None => return None,
            }
        }
    }
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head[..], &stream.to_be_bytes(), payload].concat()
}

/// The head of a request, each field a literal that nobody is to remember (RFC 7541 §6.2.2).
pub fn head(method: &str, path: &str) -> Vec<u8> {
    let fields = [(":method", method), (":scheme", "https"), (":authority", "x"), (":path", path)];
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

pub fn field(name: &str, value: &str) -> Vec<u8> {
    [&[0][..], &length(name.len()), name.as_bytes(), &length(value.len()), value.as_bytes()].concat()
}

/// A length in a prefix of seven bits (RFC 7541 §5.1).
fn length(value: usize) -> Vec<u8> {
    if value < 127 {
        return vec![u8::try_from(value).unwrap()];
    }
    let (mut bytes, mut rest) = (vec![127], value - 127);
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128 + 128).unwrap());
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

/// A ConfigMap of about so many bytes.
pub fn large(name: &str, bytes: usize) -> Value {
    let mut map = crate::support::map(name, serde_json::json!({}));
    map["data"]["k"] = "x".repeat(bytes).into();
    map
}
