//! Asking by gRPC: one `Check` of the health checking protocol (grpc.health.v1) over a connection of its own.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

/// The most that is read of an answer: a status has two bytes.
const ANSWER_LIMIT_BYTES: usize = 16 * 1024;
/// Precedes a message: no compression, and its length (gRPC over HTTP/2, Length-Prefixed-Message).
const PREFIX_BYTES: usize = 5;
/// How long after a connection that was refused the next is tried (Go's client: `BaseDelay`).
const CONNECT_AGAIN: Duration = Duration::from_secs(1);
const UNIMPLEMENTED: usize = 12;
/// Status codes by number, as Go's client names them.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// `grpc.health.v1.HealthCheckRequest`
#[derive(Clone, PartialEq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`
#[derive(Clone, PartialEq, Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// What the server may say it is.
const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const SERVING: i32 = 1;

/// Asks once whether `service` (empty: the server as a whole) is served; errors are in the words of kubelet.
pub async fn check(host: &str, port: u16, service: &str, limit: Duration) -> Result<(), String> {
    let address = format!("{host}:{port}");
    let connected = timeout(limit, connect(&address)).await;
    let stream = connected.map_err(|_| {
        format!("timeout: failed to connect service {address:?} within {limit:?}: context deadline exceeded")
    })?;
    let answered = timeout(limit, call(stream, &address, service)).await;
    let answer = answered.map_err(|_| format!("timeout: health rpc did not complete within {limit:?}"))??;
    if answer == SERVING {
        return Ok(());
    }
    let name = usize::try_from(answer).ok().and_then(|at| STATUSES.get(at)).copied();
    Err(format!("service unhealthy (responded with {:?})", name.map_or_else(|| answer.to_string(), str::to_owned)))
}

/// Connects, again and again until somebody is there, as Go's client does that is told to wait for its connection.
async fn connect(address: &str) -> TcpStream {
    loop {
        match TcpStream::connect(address).await {
            Ok(stream) => return stream,
            Err(_) => sleep(CONNECT_AGAIN).await,
        }
    }
}

async fn call(stream: TcpStream, address: &str, service: &str) -> Result<i32, String> {
    let failed = |why: String| format!("error: health rpc probe failed: {why}");
    let said = |error: hyper::Error| failed(error.to_string());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(said)?;
    // It ends with its last request: when `sender` and the answer are dropped.
    let _connection = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::post(format!("http://{address}/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, super::http::USER_AGENT)
        .body(framed(&HealthCheckRequest { service: service.to_owned() }))
        .map_err(|error| failed(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(said)?;
    let status = response.status();
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_LIMIT_BYTES).collect().await.map_err(|error| failed(error.to_string()))?;
    if !status.is_success() {
        return Err(failed(format!("unexpected HTTP status code received from server: {status}")));
    }
    // A server that has nothing else to say puts the outcome among the headers.
    let trailers = body.trailers().cloned().unwrap_or_default();
    outcome(if trailers.contains_key("grpc-status") { &trailers } else { &parts.headers })?;
    let bytes = body.to_bytes();
    let message = bytes.get(PREFIX_BYTES..).unwrap_or_default();
    HealthCheckResponse::decode(message).map(|answer| answer.status).map_err(|error| failed(error.to_string()))
}

/// Whether the call was one that worked.
fn outcome(trailers: &HeaderMap) -> Result<(), String> {
    let failed =
        |code: &str, why: &str| Err(format!("error: health rpc probe failed: rpc error: code = {code} desc = {why}"));
    let text = |name| trailers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (status, message) = (text("grpc-status"), text("grpc-message"));
    match status.parse::<usize>() {
        Ok(0) => Ok(()),
        Ok(UNIMPLEMENTED) => Err(format!(
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {message}"
        )),
        Ok(code) => failed(CODES.get(code).copied().unwrap_or(&format!("Code({code})")), message),
        Err(_) if status.is_empty() => failed("Internal", "server closed the stream without sending trailers"),
        Err(_) => failed("Internal", &format!("transport: malformed grpc-status: {status}")),
    }
}

fn framed(message: &impl Message) -> Full<Bytes> {
    let body = message.encode_to_vec();
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(&body);
    Full::new(framed.into())
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, net::SocketAddr};

    use hyper::{Response, body::Incoming, server::conn::http2 as server, service::service_fn};

    use super::*;

    /// A server that answers every call with this status in its trailers, and this message.
    async fn serve(status: &'static str, message: Option<i32>) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(move |request: Request<Incoming>| async move {
                assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
                let asked = request.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(HealthCheckRequest::decode(&asked[PREFIX_BYTES..]).unwrap().service, "db");
                let body = match message {
                    Some(status) => framed(&HealthCheckResponse { status }),
                    None => Full::default(),
                };
                let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.parse().unwrap())]);
                Ok::<_, Infallible>(Response::new(body.with_trailers(std::future::ready(Some(Ok(trailers))))))
            });
            let _ = server::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
        address
    }

    #[tokio::test]
    async fn a_server_is_healthy_if_it_says_that_it_serves() {
        let limit = Duration::from_secs(10);
        let ask = async |status, message| {
            let address = serve(status, message).await;
            check("127.0.0.1", address.port(), "db", limit).await
        };
        assert_eq!(ask("0", Some(SERVING)).await, Ok(()));
        assert_eq!(ask("0", Some(2)).await.unwrap_err(), "service unhealthy (responded with \"NOT_SERVING\")");
        let unimplemented = ask("12", None).await.unwrap_err();
        assert!(unimplemented.starts_with("error: this server does not implement the grpc health"), "{unimplemented}");
        let refused = ask("5", None).await.unwrap_err();
        assert_eq!(refused, "error: health rpc probe failed: rpc error: code = NotFound desc = ");
        let silent = outcome(&HeaderMap::new()).unwrap_err();
        assert!(
            silent.ends_with("code = Internal desc = server closed the stream without sending trailers"),
            "{silent}"
        );
    }

    #[tokio::test]
    async fn nobody_there_and_nobody_who_answers() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let slow = check("127.0.0.1", port, "", Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(slow, "timeout: health rpc did not complete within 50ms");
        drop(listener);
        let refused = check("127.0.0.1", port, "", Duration::from_millis(50)).await.unwrap_err();
        let wanted = format!("timeout: failed to connect service \"127.0.0.1:{port}\" within 50ms");
        assert_eq!(refused, format!("{wanted}: context deadline exceeded"));
    }
}
