//! Requests that guests send (`wasi:http/outgoing-handler`, in 0.3 `wasi:http/client`): names, routes and source addresses are the pod's.

mod body;
#[cfg(test)]
mod tests;
mod tls;

use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{Request, Response, Uri, uri::Scheme};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

pub(crate) use self::tls::open_trust_store;

use self::body::TimedBody;
use crate::{NetworkError, descriptors::DescriptorBudget, limits, pod::Pod};

/// How an instance sends requests.
pub(crate) struct OutgoingHttp {
    pod: Arc<Pod>,
    descriptors: Arc<DescriptorBudget>,
}

type Connection = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Connection), Error>;

impl OutgoingHttp {
    pub(crate) fn new(pod: Arc<Pod>, descriptors: Arc<DescriptorBudget>) -> OutgoingHttp {
        OutgoingHttp { pod, descriptors }
    }

    pub(crate) fn pod(&self) -> &Arc<Pod> {
        &self.pod
    }
}

impl WasiHttpHooks for OutgoingHttp {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Connection,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (pod, leave) = (self.pod.clone(), self.descriptors.take());
        Box::new(async move {
            let leave = leave.ok_or(Error::ConnectionLimitReached)?;
            let (response, connection) = send(&pod, request, options.unwrap_or_default()).await?;
            let connection = async move {
                let _leave = leave;
                Box::into_pin(connection).await
            };
            Ok((response, Box::new(connection) as Connection))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        limits::HTTP_BODY_CHUNK_BYTES
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        limits::P3_BODY_CHUNK_BYTES
    }
}

async fn send(pod: &Pod, mut request: Request<WasiBody>, options: RequestOptions) -> Sent {
    let is_tls = request.uri().scheme() == Some(&Scheme::HTTPS);
    let host = request.uri().host().ok_or(Error::HttpRequestUriInvalid)?.to_owned();
    let port = request.uri().port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let connect_timeout = options.connect_timeout.unwrap_or(limits::OUTGOING_TIMEOUT);
    let connect = async {
        let stream = dial(pod, &host, port).await?;
        if is_tls { handshake(tls::connect(&host, stream).await?).await } else { handshake(stream).await }
    };
    let (mut sender, connection) = timeout(connect_timeout, connect).await.map_err(|_| Error::ConnectionTimeout)??;
    // Only a request to a proxy carries scheme and authority on its first line (RFC 9112, 3.2.1).
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    let first_byte = options.first_byte_timeout.unwrap_or(limits::OUTGOING_TIMEOUT);
    let response =
        timeout(first_byte, sender.send_request(request)).await.map_err(|_| Error::ConnectionReadTimeout)??;
    let between = options.between_bytes_timeout.unwrap_or(limits::OUTGOING_TIMEOUT);
    Ok((response.map(|body| TimedBody::new(body, between).boxed_unsync()), Box::new(connection)))
}

/// A TCP connection from the pod to the first address of `host` that answers.
async fn dial(pod: &Pod, host: &str, port: u16) -> Result<TcpStream, Error> {
    let addresses = pod.resolve(host).await.map_err(error)?;
    let mut failure = Error::DestinationNotFound;
    for address in addresses {
        match dial_one(pod, address, port).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn dial_one(pod: &Pod, address: IpAddr, port: u16) -> Result<TcpStream, Error> {
    let target = pod.route(SocketAddr::new(address, port)).map_err(error)?;
    let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(Error::Connect)?;
    if let Some(source) = pod.source(target.ip()) {
        socket.bind(source).map_err(Error::Connect)?;
    }
    let stream = socket.connect(target).await.map_err(refused)?;
    stream.set_nodelay(true).map_err(Error::Connect)?;
    Ok(stream)
}

type Handshaken = (http1::SendRequest<WasiBody>, std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>);

/// Begins HTTP/1.1 on `stream`. The connection works in a task of its own, which ends when its handle is dropped.
async fn handshake(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Handshaken, Error> {
    let (sender, connection) =
        http1::Builder::new().max_buf_size(limits::HTTP_HEADER_LIMIT_BYTES).handshake(TokioIo::new(stream)).await?;
    let connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let finished = async move {
        match connection.await {
            Ok(result) => result.map_err(Error::Hyper),
            Err(_) => Err(Error::ConnectionTerminated),
        }
    };
    Ok((sender, Box::pin(finished)))
}

fn refused(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        std::io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => Error::DestinationIpUnroutable,
        _ => Error::Connect(error),
    }
}

fn error(error: NetworkError) -> Error {
    match error {
        NetworkError::NotFound => Error::DnsError { rcode: Some("NXDOMAIN".into()), info_code: None },
        NetworkError::TemporaryFailure => Error::DnsError { rcode: Some("SERVFAIL".into()), info_code: None },
        NetworkError::Refused => Error::ConnectionRefused,
        NetworkError::Denied => Error::DestinationIpProhibited,
        NetworkError::Unreachable => Error::DestinationIpUnroutable,
    }
}
