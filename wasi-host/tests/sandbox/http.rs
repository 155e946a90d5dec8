//! HTTP components over real sockets.

use std::time::Duration;

use bytes::Bytes;
use coracle_wasi_host::{Container, ExitReason, StartError, Stream};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::{
    Broken, TestNetwork, container, engine, exchange, get, http_program, module, pod, pod_with, until,
};

async fn serve() -> Container {
    pod().start(container(http_program()).0).await.unwrap()
}

const HELLO: &str = "hello, world\n";

/// The body of a response, whichever way its length was told.
fn is_hello((status, body): (u16, String)) -> bool {
    status == 200 && body.contains(HELLO)
}

#[tokio::test]
async fn a_request_is_answered() {
    let container = serve().await;
    assert!(*container.ready().borrow());
    let address = container.address().unwrap();
    for _ in 0..3 {
        assert!(is_hello(get(address, "/").await.unwrap()));
    }
    until("all instances are gone", || container.usage().memory_bytes == 0).await;
    assert!(container.usage().cpu_time > Duration::ZERO);
    let exit = container.stop(Duration::from_secs(10)).await;
    assert_eq!((exit.code, exit.reason), (0, ExitReason::Terminated));
    assert!(get(address, "/").await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_connection_carries_many_requests() {
    let container = serve().await;
    let one = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    let last = "GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    let text = exchange(container.address().unwrap(), format!("{one}{one}{last}").as_bytes()).await.unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3, "{text}");
}

#[tokio::test]
async fn two_pods_have_the_same_port() {
    let (one, two) = (pod(), pod());
    let (mut config, _) = container(http_program());
    let first = one.start(config.clone()).await.unwrap();
    config.http_port = first.address().unwrap().port();
    let second = two.start(config.clone()).await.unwrap();
    assert_ne!(first.address(), second.address());
    assert!(is_hello(get(first.address().unwrap(), "/").await.unwrap()));
    assert!(is_hello(get(second.address().unwrap(), "/").await.unwrap()));
    // In one pod the port is taken.
    let Err(error) = two.start(config).await else { panic!("started twice") };
    assert!(matches!(error, StartError::Bind { address, .. } if Some(address) == second.address()));
    assert!(error.to_string().contains("Address already in use"), "{error}");
}

#[tokio::test]
async fn a_trap_fails_its_request_alone() {
    let (config, log) = container(http_program());
    let container = pod().start(config).await.unwrap();
    let address = container.address().unwrap();
    assert_eq!(get(address, "/trap").await.unwrap().0, 500);
    let said = log.text(Stream::Stderr);
    assert!(said.starts_with("wasm trap: wasm `unreachable` instruction executed\n"), "{said}");
    assert!(said.contains("trap_here"), "{said}");
    assert!(is_hello(get(address, "/").await.unwrap()));
}

#[tokio::test]
async fn no_answer_is_an_answer_of_500() {
    let container = serve().await;
    assert_eq!(get(container.address().unwrap(), "/nothing").await.unwrap().0, 500);
}

#[tokio::test]
async fn a_request_without_a_host_is_refused() {
    let container = serve().await;
    let text = exchange(container.address().unwrap(), b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
}

#[tokio::test]
async fn out_of_memory_ends_the_container() {
    let (mut config, _) = container(http_program());
    config.memory_limit_bytes = Some(4 << 20);
    let container = pod().start(config).await.unwrap();
    let address = container.address().unwrap();
    assert!(is_hello(get(address, "/").await.unwrap()));
    let _ = get(address, "/grow").await;
    let exit = container.wait().await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::OutOfMemory));
    assert_eq!(container.usage().memory_bytes, 0);
}

#[tokio::test]
async fn requests_in_flight_are_answered_in_a_drain() {
    let container = serve().await;
    let address = container.address().unwrap();
    let slow = tokio::spawn(async move { get(address, "/wait").await });
    until("the request has its instance", || container.usage().memory_bytes > 0).await;
    let exit = container.stop(Duration::from_secs(20)).await;
    assert_eq!((exit.code, exit.reason), (0, ExitReason::Terminated));
    assert!(is_hello(slow.await.unwrap().unwrap()));
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_a_drain() {
    let container = serve().await;
    let address = container.address().unwrap();
    let idle = tokio::net::TcpStream::connect(address).await.unwrap();
    assert!(is_hello(get(address, "/").await.unwrap()));
    let exit = container.stop(Duration::from_secs(3600)).await;
    assert_eq!(exit.reason, ExitReason::Terminated);
    drop(idle);
}

#[tokio::test]
async fn an_endless_handler_is_killed_when_its_grace_is_over() {
    let container = serve().await;
    let address = container.address().unwrap();
    let endless = tokio::spawn(async move { get(address, "/loop").await });
    until("the request has its instance", || container.usage().memory_bytes > 0).await;
    assert!(is_hello(get(address, "/").await.unwrap()), "the others are served meanwhile");
    let exit = container.stop(Duration::from_millis(50)).await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::Killed));
    assert!(endless.await.unwrap().is_err());
    until("its memory is returned", || container.usage().memory_bytes == 0).await;
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_handler_along() {
    let container = serve().await;
    let address = container.address().unwrap();
    let endless = tokio::spawn(async move { get(address, "/loop").await });
    until("the request has its instance", || container.usage().memory_bytes > 0).await;
    endless.abort();
    until("its handler is gone", || container.usage().memory_bytes == 0).await;
}

#[tokio::test]
async fn a_small_memory_limit_makes_a_burst_wait() {
    let (mut config, _) = container(http_program());
    // Four instances of one page each, with as much again to grow.
    config.memory_limit_bytes = Some(8 << 16);
    let (pod, _) = pod_with(TestNetwork::default(), None);
    let container = pod.start(config).await.unwrap();
    let address = container.address().unwrap();
    let burst: Vec<_> = (0..12).map(|_| tokio::spawn(async move { get(address, "/wait").await })).collect();
    for request in burst {
        assert!(is_hello(request.await.unwrap().unwrap()));
    }
    assert_eq!(container.stop(Duration::from_secs(10)).await.reason, ExitReason::Terminated);
}

#[tokio::test]
async fn one_http2_connection_carries_requests_side_by_side() {
    let container = serve().await;
    let stream = tokio::net::TcpStream::connect(container.address().unwrap()).await.unwrap();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut answers = Vec::new();
    for _ in 0..5 {
        let request = http::Request::get("http://test/wait").body(Empty::<Bytes>::new()).unwrap();
        answers.push(tokio::spawn(client.send_request(request)));
    }
    for answer in answers {
        let response = answer.await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), HELLO);
    }
    assert_eq!(container.stop(Duration::from_secs(20)).await.reason, ExitReason::Terminated);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_fault_of_the_host_ends_the_server() {
    let (mut config, _) = container(http_program());
    config.output = std::sync::Arc::new(Broken);
    let container = pod().start(config).await.unwrap();
    // The trap's message is what the host fails to write.
    let _ = get(container.address().unwrap(), "/trap").await;
    let exit = container.wait().await;
    assert_eq!((exit.code, exit.reason), (139, ExitReason::HostPanic));
}

#[tokio::test]
async fn endless_commands_leave_servers_answering() {
    let mut loops = Vec::new();
    for _ in 0..4 {
        loops.push(pod().start(container(module("", "(loop (br 0))")).0).await.unwrap());
    }
    let server = serve().await;
    for _ in 0..5 {
        assert!(is_hello(get(server.address().unwrap(), "/").await.unwrap()));
    }
    for container in loops {
        container.stop(Duration::ZERO).await;
    }
}

#[test]
fn what_happens_is_counted() {
    let mut registry = prometheus_client::registry::Registry::default();
    engine().metrics().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for name in
        ["sandbox_instances_total", "sandbox_traps_total", "sandbox_http_in_flight", "sandbox_out_of_memory_total"]
    {
        assert!(text.contains(name), "{name} in {text}");
    }
}
