//! `wasi:sockets` inside pods: whose address is whose, and who meets whom.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use coracle_wasi_host::{Container, NetworkError, PodContext, Program};
use tokio::net::{TcpStream, UdpSocket};

use crate::support::{PATIENCE, TestNetwork, container, exchange, pod_with, program};

const TCP: &str = include_str!("../guests/tcp.wat");
const UDP: &str = include_str!("../guests/udp.wat");

/// What the guests do, and the number of an error-code in their exit codes.
const ACCESS_DENIED: i32 = 101;
const INVALID_ARGUMENT: i32 = 103;
const ADDRESS_NOT_BINDABLE: i32 = 111;
const ADDRESS_IN_USE: i32 = 112;
const CONNECTION_REFUSED: i32 = 114;
const NAME_UNRESOLVABLE: i32 = 118;

fn guest(data: &str, run: &str) -> Program {
    program(&TCP.replace("{{DATA}}", data).replace("{{RUN}}", run))
}

fn call(function: &str, to: &str) -> Program {
    guest("", &call_text(function, to))
}

/// The instructions that call `function` with the address `to`.
fn call_text(function: &str, to: &str) -> String {
    let to: SocketAddr = to.parse().unwrap();
    let IpAddr::V4(ip) = to.ip() else { panic!("IPv4 only") };
    let octets: Vec<String> = ip.octets().iter().map(|octet| format!("(i32.const {octet})")).collect();
    format!("(call {function} {} (i32.const {}))", octets.join(" "), to.port())
}

fn ping_name(name: &str, port: u16) -> Program {
    let data = format!("(data (i32.const 512) {name:?})");
    guest(&data, &format!("(call $ping_name (i32.const 512) (i32.const {}) (i32.const {port}))", name.len()))
}

/// Runs a guest in `pod` to its exit code.
async fn code(pod: &PodContext, program: Program) -> i32 {
    pod.start(container(program).0).await.unwrap().wait().await.code
}

/// Starts a guest that serves on `bind`, and waits until it listens at `real`.
async fn serve(pod: &PodContext, bind: &str, real: SocketAddr) -> Container {
    let server = pod.start(container(call("$serve", bind)).0).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(real).await.is_err() {
        assert!(Instant::now() < deadline, "nobody listens on {real}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server
}

fn pod() -> (PodContext, IpAddr) {
    pod_with(TestNetwork::default(), None)
}

#[tokio::test]
async fn wildcard_and_localhost_are_the_pods_own() {
    for bind in ["0.0.0.0:7000", "127.0.0.1:7000"] {
        let (pod, address) = pod();
        let real = SocketAddr::new(address, 7000);
        let server = serve(&pod, bind, real).await;
        assert_eq!(code(&pod, call("$ping", "127.0.0.1:7000")).await, 0, "two containers of a pod meet");
        assert_eq!(code(&pod, call("$ping", &real.to_string())).await, 0);
        assert_eq!(code(&pod, call("$serve", "0.0.0.0:7000")).await, ADDRESS_IN_USE);
        server.stop(Duration::ZERO).await;
        assert!(TcpStream::connect(real).await.is_err(), "its sockets went with it");
    }
}

#[tokio::test]
async fn two_pods_share_ports_and_never_meet_on_localhost() {
    let ((one, first), (two, second)) = (pod(), pod());
    let _one = serve(&one, "0.0.0.0:7000", SocketAddr::new(first, 7000)).await;
    assert_eq!(code(&two, call("$ping", "127.0.0.1:7000")).await, CONNECTION_REFUSED);
    let _two = serve(&two, "0.0.0.0:7000", SocketAddr::new(second, 7000)).await;
    assert_eq!(code(&one, call("$ping", &SocketAddr::new(second, 7000).to_string())).await, 0);
}

#[tokio::test]
async fn the_hosts_localhost_is_out_of_reach() {
    let host = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let to = host.local_addr().unwrap().to_string();
    let (pod, _) = pod();
    assert_eq!(code(&pod, call("$ping", &to)).await, CONNECTION_REFUSED);
}

#[tokio::test]
async fn a_connection_comes_from_the_pods_address() {
    let host = tokio::net::TcpListener::bind((Ipv4Addr::new(127, 0, 0, 9), 0)).await.unwrap();
    let (pod, address) = pod();
    let guest = pod.start(container(call("$ping", &host.local_addr().unwrap().to_string())).0).await.unwrap();
    let (stream, peer) = host.accept().await.unwrap();
    assert_eq!(peer.ip(), address);
    drop(stream);
    guest.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn addresses_of_others_cannot_be_bound() {
    let (pod, _) = pod();
    for others in ["127.0.0.2:7000", "192.0.2.1:7000"] {
        assert_eq!(code(&pod, call("$serve", others)).await, ADDRESS_NOT_BINDABLE, "{others}");
    }
    assert_eq!(code(&pod, call("$ping", "0.0.0.0:7000")).await, INVALID_ARGUMENT);
}

#[tokio::test]
async fn services_are_reached_by_address_and_by_name() {
    let (server_pod, address) = pod();
    let real = SocketAddr::new(address, 7000);
    let _server = serve(&server_pod, "0.0.0.0:7000", real).await;
    let service: SocketAddr = "10.96.0.7:80".parse().unwrap();
    let empty: SocketAddr = "10.96.0.8:80".parse().unwrap();
    let denied: SocketAddr = "10.96.0.9:80".parse().unwrap();
    let network = TestNetwork {
        names: [("echo".to_owned(), service.ip())].into(),
        routes: [(service, Ok(real)), (empty, Err(NetworkError::Refused)), (denied, Err(NetworkError::Denied))].into(),
    };
    let (client, _) = pod_with(network, None);
    assert_eq!(code(&client, call("$ping", &service.to_string())).await, 0);
    assert_eq!(code(&client, ping_name("echo", 80)).await, 0);
    assert_eq!(code(&client, call("$ping", &empty.to_string())).await, CONNECTION_REFUSED);
    assert_eq!(code(&client, call("$ping", &denied.to_string())).await, ACCESS_DENIED);
    assert_eq!(code(&client, ping_name("nowhere", 80)).await, NAME_UNRESOLVABLE);
    assert_eq!(code(&client, ping_name("not a name", 80)).await, INVALID_ARGUMENT);
}

#[tokio::test]
async fn localhost_and_the_hostname_are_names_of_the_pod() {
    let (pod, address) = pod();
    let real = SocketAddr::new(address, 7000);
    let _server = serve(&pod, "0.0.0.0:7000", real).await;
    assert_eq!(code(&pod, ping_name("localhost", 7000)).await, 0);
    assert_eq!(code(&pod, ping_name("test-0", 7000)).await, 0);
}

#[tokio::test]
async fn an_outsider_reaches_a_guest_that_listens() {
    let (pod, address) = pod();
    let real = SocketAddr::new(address, 7000);
    let server = serve(&pod, "0.0.0.0:7000", real).await;
    assert_eq!(exchange(real, b"hello").await.unwrap(), "hello");
    server.stop(Duration::ZERO).await;
}

fn udp(run: &str) -> Program {
    program(&UDP.replace("{{RUN}}", run))
}

#[tokio::test]
async fn datagrams_are_received_at_the_pods_address() {
    let (pod, address) = pod();
    let server = pod.start(container(udp("(call $echo (i32.const 7000))")).0).await.unwrap();
    let client = UdpSocket::bind("127.0.0.9:0").await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut answer = [0; 100];
    // Until the guest has bound its socket, datagrams are lost.
    let (length, from) = loop {
        client.send_to(b"hello", (address, 7000)).await.unwrap();
        match tokio::time::timeout(Duration::from_millis(20), client.recv_from(&mut answer)).await {
            Ok(received) => break received.unwrap(),
            Err(_) => assert!(Instant::now() < deadline, "no answer"),
        }
    };
    assert_eq!((&answer[..length], from), (&b"hello"[..], SocketAddr::new(address, 7000)));
    server.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn datagrams_go_where_the_route_leads_from_the_pods_address() {
    let host = UdpSocket::bind("127.0.0.9:0").await.unwrap();
    let network = TestNetwork {
        routes: [
            ("10.96.0.7:53".parse().unwrap(), Ok(host.local_addr().unwrap())),
            ("10.96.0.8:53".parse().unwrap(), Err(NetworkError::Denied)),
        ]
        .into(),
        ..TestNetwork::default()
    };
    let (pod, address) = pod_with(network, None);
    assert_eq!(code(&pod, udp(&call_text("$send_to", "10.96.0.7:53"))).await, 0);
    let mut datagram = [0; 100];
    let (length, from) = tokio::time::timeout(PATIENCE, host.recv_from(&mut datagram)).await.unwrap().unwrap();
    assert_eq!((&datagram[..length], from.ip()), (&b"ping"[..], address));
    assert_eq!(code(&pod, udp(&call_text("$send_to", "10.96.0.8:53"))).await, ACCESS_DENIED);
    assert_eq!(code(&pod, udp(&call_text("$send_to", "0.0.0.0:53"))).await, INVALID_ARGUMENT);
}
