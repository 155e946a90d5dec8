//! Clients of an HTTP component that mean it harm: what reaches the guest, and what stays behind when they are gone.

use std::{net::SocketAddr, time::Duration};

use coracle_wasi_host::{Container, Engine, EngineConfig, ExitReason, Program, limits};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    DEADLINE, kill,
    support::{HTTP, TestNetwork, container, get, http_program, pod, pod_of, until},
};

async fn serve() -> (Container, SocketAddr) {
    let container = pod().start(container(http_program()).0).await.unwrap();
    let address = container.address().unwrap();
    (container, address)
}

/// Sends bytes and gives the status of the answer. 0: the connection was closed without one.
async fn status(address: SocketAddr, request: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close while there is more to send, and may do so with a reset.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = async {
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&answer).contains("\r\n\r\n") {
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(length) => answer.extend_from_slice(&piece[..length]),
            }
        }
    };
    tokio::time::timeout(DEADLINE, read).await.expect("an answer or an end");
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

async fn is_well(address: SocketAddr) {
    assert_eq!(get(address, "/").await.unwrap().0, 200);
}

#[tokio::test]
async fn floods_of_headers_are_refused() {
    let (container, address) = serve().await;
    let fields = |count: usize| -> String { (0..count).map(|n| format!("x-{n}: y\r\n")).collect() };
    let request = |fields: &str| format!("GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{fields}\r\n");
    assert_eq!(status(address, request(&fields(limits::HTTP_HEADERS - 10)).as_bytes()).await, 200);
    for hostile in [
        fields(limits::HTTP_HEADERS + 1),
        fields(40_000),
        format!("x: {}\r\n", "y".repeat(limits::HTTP_HEADER_LIMIT_BYTES + 1)),
        format!("{}: y\r\n", "x".repeat(limits::HTTP_HEADER_LIMIT_BYTES + 1)),
        "x: y\r\n".repeat(40_000),
    ] {
        let status = status(address, request(&hostile).as_bytes()).await;
        assert!(matches!(status, 431 | 400 | 0), "{status} for {} bytes", hostile.len());
    }
    let long = format!("GET /{} HTTP/1.1\r\nhost: test\r\n\r\n", "p".repeat(limits::HTTP_HEADER_LIMIT_BYTES));
    assert!(matches!(status(address, long.as_bytes()).await, 414 | 431 | 400 | 0));
    is_well(address).await;
    kill(&container).await;
}

/// Whose length is in doubt is refused: a proxy before the node might see another request in it.
#[tokio::test]
async fn requests_of_two_minds_are_refused() {
    let (container, address) = serve().await;
    for fields in [
        "content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "content-length: 3, 4\r\n\r\nabcd",
        "content-length: -1\r\n\r\n",
        "content-length: +3\r\n\r\nabc",
        "content-length: 99999999999999999999999\r\n\r\n",
        "content-length: 0x3\r\n\r\nabc",
        "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "bad name: x\r\n\r\n",
        "x: a\0b\r\n\r\n",
        "x\r\n\r\n",
        " folded: x\r\n\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nhost: test\r\n{fields}");
        let status = status(address, request.as_bytes()).await;
        assert!(matches!(status, 400 | 0), "{status} for {fields:?}");
    }
    for line in ["GET  / HTTP/1.1", "GET / HTTP/9.9", "G\0T / HTTP/1.1", "", "\x16\x03\x01\x02\x00", "GET / HTTP/1.1 x"]
    {
        let request = format!("{line}\r\nhost: test\r\n\r\n");
        // An empty line before the request is allowed (RFC 9112, 2.2), but then a request must follow.
        assert!(matches!(status(address, request.as_bytes()).await, 400 | 0), "{line:?}");
    }
    is_well(address).await;
    kill(&container).await;
}

#[tokio::test]
async fn a_request_with_both_lengths_is_one_request() {
    let (container, address) = serve().await;
    // Chunked counts (RFC 9112, 6.3); what follows the body is garbage and never a request of its own.
    let smuggled = "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /trap HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(smuggled.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.expect("an end");
    if read.is_ok() {
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answers <= 2, "{answer}");
    }
    is_well(address).await;
    kill(&container).await;
}

#[tokio::test]
async fn floods_in_chunks_end_the_connection() {
    let (container, address) = serve().await;
    let head = "POST /wait HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
    for chunk in [
        format!("1;{}\r\nx\r\n", "e".repeat(100_000)),
        "1;e=1\r\nx\r\n".repeat(20_000),
        "ffffffffffffffffff\r\n".to_owned(),
        "-1\r\n".to_owned(),
        format!("0\r\n{}\r\n", "t: x\r\n".repeat(40_000)),
        format!("0\r\nt: {}\r\n\r\n", "x".repeat(200_000)),
        "1\r\nxx\r\n".to_owned(),
    ] {
        let _ = status(address, format!("{head}{chunk}").as_bytes()).await;
        is_well(address).await;
    }
    until("all instances are gone", || container.usage().memory_bytes == 0).await;
    kill(&container).await;
}

#[tokio::test]
async fn a_body_too_large_is_refused_before_it_is_sent() {
    let (container, address) = serve().await;
    let request =
        format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", limits::HTTP_BODY_LIMIT_BYTES + 1);
    assert_eq!(status(address, request.as_bytes()).await, 413);
    kill(&container).await;
}

#[tokio::test]
async fn clients_that_leave_leave_nothing_behind() {
    leave_by_the_thousand(http_program()).await;
}

/// Thousands of clients that go away: in their request, in the guest's work, before their answer.
pub async fn leave_by_the_thousand(program: Program) {
    let container = pod().start(container(program).0).await.unwrap();
    let address = container.address().unwrap();
    for round in 0..40 {
        let mut leaving = Vec::new();
        for n in 0..50 {
            let request: &[u8] = match (round + n) % 6 {
                0 => b"GET /wait HTTP/1.1\r\nhost: test\r\n\r\n",
                1 => b"GET /loop HTTP/1.1\r\nhost: test\r\n\r\n",
                2 => b"POST /wait HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n\r\nsome",
                3 => b"POST /n HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe",
                4 => b"GET /nothing HTTP/1.1\r\nhost: test\r\n\r\n",
                _ => b"GET / HT",
            };
            leaving.push(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let _ = stream.write_all(request).await;
                tokio::time::sleep(Duration::from_millis(n % 5)).await;
            });
        }
        tokio::time::timeout(DEADLINE, futures::future::join_all(leaving)).await.expect("clients come through");
    }
    until("all instances are gone", || container.usage().memory_bytes == 0).await;
    is_well(address).await;
    let exit = tokio::time::timeout(DEADLINE, container.stop(DEADLINE)).await.expect("it drains");
    assert_eq!(exit.reason, ExitReason::Terminated, "no task is left that a drain would wait for");
}

/// Streams of HTTP/2 that are opened and reset at once (CVE-2023-44487), by hand: a client library would behave.
#[tokio::test]
async fn rapid_resets_end_the_connection_or_are_borne() {
    let (container, address) = serve().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    for n in 0..20_000_u32 {
        let id = 2 * n + 1;
        // :method GET, :scheme http, :path /, :authority x, from the static table.
        bytes.extend(frame(1, 5, id, &[0x82, 0x86, 0x84, 0x41, 1, b'x']));
        bytes.extend(frame(3, 0, id, &8_u32.to_be_bytes()));
    }
    let (mut read, mut write) = stream.split();
    let send = async {
        let _ = write.write_all(&bytes).await;
        let _ = write.shutdown().await;
    };
    let receive = async {
        let mut sink = [0; 4096];
        while read.read(&mut sink).await.is_ok_and(|length| length > 0) {}
    };
    tokio::time::timeout(DEADLINE, futures::future::join(send, receive)).await.expect("the connection ends");
    until("all instances are gone", || container.usage().memory_bytes == 0).await;
    is_well(address).await;
    kill(&container).await;
}

/// A header section that never ends (CVE-2024-27316).
#[tokio::test]
async fn endless_continuations_end_the_connection() {
    let (container, address) = serve().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    bytes.extend(frame(1, 0, 1, &[0x82, 0x86, 0x84]));
    // A literal field without indexing: name "x", a value of 100 bytes.
    let field = [&[0, 1, b'x', 100][..], &[b'y'; 100]].concat();
    let more = frame(9, 0, 1, &field.repeat(100));
    let flood = async {
        stream.write_all(&bytes).await?;
        for _ in 0..1_000 {
            stream.write_all(&more).await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let flooded = tokio::time::timeout(DEADLINE, flood).await.expect("the server reads or closes");
    assert!(flooded.is_err(), "ten megabytes of header fields are taken");
    is_well(address).await;
    kill(&container).await;
}

/// A frame of HTTP/2 (RFC 9113, 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Clients that connect and say nothing, or not enough to know which HTTP they speak, take all the places of a server and
/// leave them again.
#[tokio::test]
async fn idle_connections_are_bounded() {
    let config =
        EngineConfig { max_instances: 10, http_idle_timeout: Duration::from_secs(2), ..EngineConfig::default() };
    let engine = Engine::new(config).unwrap();
    let program = engine.compile(HTTP.as_bytes()).unwrap();
    let (pod, _) = pod_of(&engine, TestNetwork::default(), None);
    let container = pod.start(container(program).0).await.unwrap();
    let address = container.address().unwrap();
    // Both ends are this process's.
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
    let mut idle = Vec::new();
    for number in 0..limits::HTTP_CONNECTIONS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(b"PRI * HTTP/2.0").await.unwrap();
        }
        idle.push(stream);
    }
    // Served only when one of those has lost its place.
    is_well(address).await;
    let mut rest = Vec::new();
    let ended = idle[0].read_to_end(&mut rest);
    tokio::time::timeout(DEADLINE, ended).await.expect("it is told that it is over").unwrap_or_default();
    drop(idle);
    let exit = tokio::time::timeout(DEADLINE, container.stop(DEADLINE)).await.expect("it drains");
    assert_eq!(exit.reason, ExitReason::Terminated);
}

#[tokio::test]
async fn a_host_that_is_no_text_is_refused_before_there_is_an_instance() {
    let (container, address) = serve().await;
    assert_eq!(status(address, b"GET / HTTP/1.1\r\nHost: caf\xc3\xa9\r\n\r\n").await, 400);
    is_well(address).await;
    kill(&container).await;
}
