//! Services of WASI 0.3 over real sockets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use coracle_wasi_host::{Container, ExitReason, NetworkError, Preopen, Program, Stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{hello, letters};
use crate::support::{Broken, TestNetwork, container, exchange, get, pod, pod_with, until};

async fn serve(program: Program) -> (Container, SocketAddr) {
    let container = pod().start(container(program).0).await.unwrap();
    let address = container.address().unwrap();
    (container, address)
}

#[tokio::test]
async fn a_request_is_answered() {
    let (mut config, _) = container(hello());
    config.env = vec![("POD_NAME".into(), "web-0".into())];
    let container = pod().start(config).await.unwrap();
    let address = container.address().unwrap();
    for _ in 0..3 {
        let (status, body) = get(address, "/any?x=1").await.unwrap();
        assert_eq!(status, 200);
        assert!(body.contains("Hello from web-0 by WASI 0.3, you asked for /any?x=1\n"), "{body}");
    }
    until("all instances are gone", || container.usage().memory_bytes == 0).await;
    assert!(container.usage().cpu_time > Duration::ZERO);
    let exit = container.stop(Duration::from_secs(10)).await;
    assert_eq!((exit.code, exit.reason), (0, ExitReason::Terminated));
    assert!(get(address, "/").await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_body_that_is_there_at_once_has_its_length() {
    let (_container, address) = serve(hello()).await;
    let request = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    let last = "HEAD / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    let text = exchange(address, format!("{request}{request}{last}").as_bytes()).await.unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3, "{text}");
    assert!(text.contains("content-length: "), "{text}");
}

/// Sends the head of a request with a chunked body.
async fn begin(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads on until `text` ends with `end`.
async fn read_until(stream: &mut TcpStream, text: &mut String, end: &str) {
    while !text.ends_with(end) {
        let mut piece = [0; 1000];
        let read = tokio::time::timeout(crate::support::PATIENCE, stream.read(&mut piece)).await.unwrap().unwrap();
        assert!(read > 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
}

#[tokio::test]
async fn bodies_stream_both_ways_at_the_same_time() {
    for (path, one, two) in [("/shout", "ONE", "TWO"), ("/echo", "one", "two")] {
        let (_container, address) = serve(hello()).await;
        let mut stream = begin(address, path).await;
        let mut text = String::new();
        stream.write_all(b"3\r\none\r\n").await.unwrap();
        read_until(&mut stream, &mut text, &format!("{one}\r\n")).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
        read_until(&mut stream, &mut text, &format!("3\r\n{two}\r\n0\r\n\r\n")).await;
    }
}

#[tokio::test]
async fn large_bodies_arrive_whole() {
    let body = "abcdefghij".repeat(300_000);
    for (path, answer) in [("/echo", body.clone()), ("/shout", body.to_uppercase())] {
        let (container, address) = serve(hello()).await;
        let head = format!("POST {path} HTTP/1.0\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len());
        let text = exchange(address, format!("{head}{body}").as_bytes()).await.unwrap();
        let (_, received) = text.split_once("\r\n\r\n").unwrap();
        assert!(received == answer, "{path}: {} of {} bytes", received.len(), answer.len());
        until("its instance is gone", || container.usage().memory_bytes == 0).await;
    }
}

#[tokio::test]
async fn a_file_of_the_host_flows_while_its_instance_lives() {
    let directory = tempfile::tempdir().unwrap();
    let content = "0123456789".repeat(50_000);
    std::fs::write(directory.path().join("large"), &content).unwrap();
    std::fs::write(directory.path().join("small"), "small").unwrap();
    let (mut config, _) = container(hello());
    let host_path = directory.path().to_owned();
    config.preopens = vec![Preopen { host_path, guest_path: "/site".into(), read_only: true }];
    let container = pod().start(config).await.unwrap();
    let address = container.address().unwrap();
    for (name, content) in [("small", "small"), ("large", content.as_str())] {
        let text = exchange(address, format!("GET /files/{name} HTTP/1.0\r\nhost: test\r\n\r\n").as_bytes()).await;
        let text = text.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 ") && body == content, "{head}: {} bytes", body.len());
    }
    assert_eq!(get(address, "/files/none").await.unwrap().0, 404);
    assert_eq!(get(address, "/files/../../etc/hostname").await.unwrap().0, 404);
    until("all instances are gone", || container.usage().memory_bytes == 0).await;
}

#[tokio::test]
async fn an_upstream_is_asked_by_the_pods_own_names_and_routes() {
    let (_upstream, real) = serve(hello()).await;
    let service: SocketAddr = "10.96.0.7:80".parse().unwrap();
    let denied: SocketAddr = "10.96.0.9:80".parse().unwrap();
    let network = || TestNetwork {
        names: [("web".to_owned(), service.ip()), ("denied".to_owned(), denied.ip())].into(),
        routes: [(service, Ok(real)), (denied, Err(NetworkError::Denied))].into(),
    };
    for (upstream, status) in [("web:80", 200), ("denied:80", 500), ("nowhere:80", 500)] {
        let (mut config, log) = container(hello());
        config.env = vec![("UPSTREAM".into(), upstream.into())];
        let (pod, _) = pod_with(network(), None);
        let container = pod.start(config).await.unwrap();
        let (got, body) = get(container.address().unwrap(), "/upstream").await.unwrap();
        assert_eq!(got, status, "{upstream}: {body}");
        if status == 200 {
            assert!(body.contains("Hello from a pod without a name by WASI 0.3"), "{body}");
        } else {
            let said = log.text(Stream::Stderr);
            assert!(said.starts_with("the handler answered with an error: ErrorCode::D"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_trap_fails_its_request_alone() {
    let (config, log) = container(letters());
    let container = pod().start(config).await.unwrap();
    let address = container.address().unwrap();
    assert_eq!(get(address, "/trap").await.unwrap().0, 500);
    let said = log.text(Stream::Stderr);
    assert!(said.starts_with("wasm trap: wasm `unreachable` instruction executed\n"), "{said}");
    assert!(said.contains("trap_here"), "{said}");
    assert_eq!(get(address, "/").await.unwrap().0, 200);
}

#[tokio::test]
async fn an_error_of_the_handler_is_told_to_the_log() {
    let (config, log) = container(letters());
    let container = pod().start(config).await.unwrap();
    assert_eq!(get(container.address().unwrap(), "/error").await.unwrap(), (500, "the handler failed\n".into()));
    let said = log.text(Stream::Stderr);
    assert_eq!(said, "the handler answered with an error: ErrorCode::HttpProtocolError\n");
}

#[tokio::test]
async fn out_of_memory_ends_the_container() {
    let (mut config, _) = container(letters());
    config.memory_limit_bytes = Some(4 << 20);
    let container = pod().start(config).await.unwrap();
    let _ = get(container.address().unwrap(), "/grow").await;
    let exit = container.wait().await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::OutOfMemory));
    assert_eq!(container.usage().memory_bytes, 0);
}

#[tokio::test]
async fn requests_in_flight_are_answered_in_a_drain() {
    let (container, address) = serve(letters()).await;
    let slow = tokio::spawn(async move { get(address, "/wait").await });
    until("the request has its instance", || container.usage().memory_bytes > 0).await;
    let exit = container.stop(Duration::from_secs(20)).await;
    assert_eq!((exit.code, exit.reason), (0, ExitReason::Terminated));
    assert_eq!(slow.await.unwrap().unwrap().0, 200);
}

#[tokio::test]
async fn an_endless_handler_is_killed_when_its_grace_is_over() {
    let (container, address) = serve(letters()).await;
    let endless = tokio::spawn(async move { get(address, "/loop").await });
    until("the request has its instance", || container.usage().memory_bytes > 0).await;
    assert_eq!(get(address, "/").await.unwrap().0, 200, "the others are served meanwhile");
    let exit = container.stop(Duration::from_millis(50)).await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::Killed));
    assert!(endless.await.unwrap().is_err());
    until("its memory is returned", || container.usage().memory_bytes == 0).await;
}

#[tokio::test]
async fn a_stream_cut_off_by_the_end_of_the_grace_is_no_whole_body() {
    let (container, address) = serve(hello()).await;
    let mut stream = begin(address, "/shout").await;
    stream.write_all(b"3\r\none\r\n").await.unwrap();
    let mut text = String::new();
    read_until(&mut stream, &mut text, "ONE\r\n").await;
    assert_eq!(container.stop(Duration::from_millis(20)).await.reason, ExitReason::Killed);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{rest:?}");
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_handler_along() {
    let (container, address) = serve(letters()).await;
    let endless = tokio::spawn(async move { get(address, "/loop").await });
    until("the request has its instance", || container.usage().memory_bytes > 0).await;
    endless.abort();
    until("its handler is gone", || container.usage().memory_bytes == 0).await;
    for path in ["/shout", "/echo"] {
        let (container, address) = serve(hello()).await;
        let stream = begin(address, path).await;
        until("the request has its instance", || container.usage().memory_bytes > 0).await;
        drop(stream);
        until("its handler is gone", || container.usage().memory_bytes == 0).await;
    }
}

#[tokio::test]
async fn a_small_memory_limit_makes_a_burst_wait() {
    let (mut config, _) = container(letters());
    // Four instances of one page each, with as much again to grow.
    config.memory_limit_bytes = Some(8 << 16);
    let container = pod().start(config).await.unwrap();
    let address = container.address().unwrap();
    let burst: Vec<_> = (0..12).map(|_| tokio::spawn(async move { get(address, "/wait").await })).collect();
    for request in burst {
        assert_eq!(request.await.unwrap().unwrap().0, 200);
    }
    assert_eq!(container.stop(Duration::from_secs(10)).await.reason, ExitReason::Terminated);
}

#[tokio::test]
async fn a_fault_of_the_host_ends_the_server() {
    let (mut config, _) = container(letters());
    config.output = Arc::new(Broken);
    let container = pod().start(config).await.unwrap();
    // The trap's message is what the host fails to write.
    let _ = get(container.address().unwrap(), "/trap").await;
    let exit = container.wait().await;
    assert_eq!((exit.code, exit.reason), (139, ExitReason::HostPanic));
}
