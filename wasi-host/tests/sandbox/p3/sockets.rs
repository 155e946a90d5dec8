//! `wasi:sockets` of WASI 0.3 inside pods: the same door as that of 0.2.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use coracle_wasi_host::{Container, NetworkError, PodContext, Stream};
use tokio::net::{TcpListener, UdpSocket};

use super::tool;
use crate::support::{PATIENCE, TestNetwork, container, exchange, pod_with, program, until};

const SOCKETS: &str = include_str!("../../guests/sockets-p3.wat");

fn pod() -> (PodContext, IpAddr) {
    pod_with(TestNetwork::default(), None)
}

/// Runs a tool in `pod`: its exit code, and all it wrote.
async fn run(pod: &PodContext, args: &[&str]) -> (i32, String) {
    let (config, log) = tool(args);
    let code = pod.start(config).await.unwrap().wait().await.code;
    (code, log.text(Stream::Stdout) + &log.text(Stream::Stderr))
}

/// Starts a tool that listens, and waits until it does.
async fn listen(pod: &PodContext, tool_name: &str, port: &str) -> Container {
    let (config, log) = tool(&[tool_name, port]);
    let container = pod.start(config).await.unwrap();
    until("it listens", || log.text(Stream::Stdout).starts_with("listening")).await;
    container
}

#[tokio::test]
async fn two_containers_of_a_pod_meet_on_localhost() {
    let (pod, address) = pod();
    let server = listen(&pod, "serve", "7000").await;
    for host in ["127.0.0.1", "localhost", "test-0", &address.to_string()] {
        let (code, said) = run(&pod, &["dial", &format!("{host}:7000"), "hello"]).await;
        assert_eq!((code, said.as_str()), (0, "hello"), "{host}");
    }
    assert_eq!(exchange_half(SocketAddr::new(address, 7000)).await, "hello", "an outsider reaches it");
    let (code, said) = run(&pod, &["serve", "7000"]).await;
    assert!(code == 1 && said.contains("AddressInUse"), "{said}");
    server.stop(Duration::ZERO).await;
    assert!(exchange(SocketAddr::new(address, 7000), b"x").await.is_err(), "its sockets went with it");
}

/// Sends "hello", ends its own half, and reads the answer.
async fn exchange_half(address: SocketAddr) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

#[tokio::test]
async fn two_pods_share_ports_and_never_meet_on_localhost() {
    let ((one, _), (two, second)) = (pod(), pod());
    let _one = listen(&one, "serve", "7000").await;
    let (code, said) = run(&two, &["dial", "127.0.0.1:7000", "hello"]).await;
    assert!(code == 1 && said.contains("ConnectionRefused"), "{said}");
    let _two = listen(&two, "serve", "7000").await;
    assert_eq!(run(&one, &["dial", &format!("{second}:7000"), "hello"]).await.0, 0);
}

#[tokio::test]
async fn the_hosts_localhost_is_out_of_reach() {
    let host = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (code, said) = run(&pod().0, &["dial", &host.local_addr().unwrap().to_string(), "hello"]).await;
    assert!(code == 1 && said.contains("ConnectionRefused"), "{said}");
}

#[tokio::test]
async fn a_connection_comes_from_the_pods_address() {
    let host = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 9), 0)).await.unwrap();
    let (pod, address) = pod();
    let (config, _) = tool(&["dial", &host.local_addr().unwrap().to_string(), "hello"]);
    let guest = pod.start(config).await.unwrap();
    let (_stream, peer) = host.accept().await.unwrap();
    assert_eq!(peer.ip(), address);
    guest.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn services_are_reached_by_address_and_by_name() {
    let (server_pod, address) = pod();
    let _server = listen(&server_pod, "serve", "7000").await;
    let service: SocketAddr = "10.96.0.7:80".parse().unwrap();
    let empty: SocketAddr = "10.96.0.8:80".parse().unwrap();
    let denied: SocketAddr = "10.96.0.9:80".parse().unwrap();
    let network = TestNetwork {
        names: [("echo".to_owned(), service.ip())].into(),
        routes: [
            (service, Ok(SocketAddr::new(address, 7000))),
            (empty, Err(NetworkError::Refused)),
            (denied, Err(NetworkError::Denied)),
        ]
        .into(),
    };
    let (client, _) = pod_with(network, None);
    assert_eq!(run(&client, &["dial", "10.96.0.7:80", "hello"]).await, (0, "hello".into()));
    assert_eq!(run(&client, &["dial", "echo:80", "hello"]).await, (0, "hello".into()));
    assert_eq!(run(&client, &["resolve", "echo"]).await, (0, "10.96.0.7\n".into()));
    for (args, error) in [
        (["dial", "10.96.0.8:80", "x"].as_slice(), "ConnectionRefused"),
        (&["dial", "10.96.0.9:80", "x"], "AccessDenied"),
        (&["dial", "0.0.0.0:80", "x"], "InvalidArgument"),
        (&["resolve", "nowhere"], "NameUnresolvable"),
        (&["resolve", "not a name"], "InvalidArgument"),
        (&["datagram", "10.96.0.9:80", "x"], "AccessDenied"),
    ] {
        let (code, said) = run(&client, args).await;
        assert!(code == 1 && said.contains(error), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn datagrams_are_received_and_sent_at_the_pods_address() {
    let (pod, address) = pod();
    let server = listen(&pod, "datagrams", "7000").await;
    assert_eq!(run(&pod, &["datagram", "127.0.0.1:7000", "hello"]).await, (0, "hello\n".into()));
    server.stop(Duration::ZERO).await;
    // A socket that the guest never bound is the pod's, too.
    let host = UdpSocket::bind("127.0.0.9:0").await.unwrap();
    let (config, log) = tool(&["datagram", &host.local_addr().unwrap().to_string(), "ping"]);
    let guest = pod.start(config).await.unwrap();
    let mut datagram = [0; 100];
    let (length, from) = tokio::time::timeout(PATIENCE, host.recv_from(&mut datagram)).await.unwrap().unwrap();
    assert_eq!((&datagram[..length], from.ip()), (&b"ping"[..], address));
    host.send_to(b"pong", from).await.unwrap();
    assert_eq!(guest.wait().await.code, 0);
    assert_eq!(log.text(Stream::Stdout), "pong\n");
}

/// How many sockets are made for one datagram each: all that is sent has room in the receiver's buffer.
const SENDS: u32 = 100;

/// A socket that the guest has just made sends at once, also if it is of the family that the pod's address is not of.
#[tokio::test(flavor = "multi_thread")]
async fn new_sockets_of_either_family_send_at_once() {
    let (pod, address) = pod();
    let host = UdpSocket::bind((address, 0)).await.unwrap();
    let port = host.local_addr().unwrap().port();
    // The family, and localhost in it behind the port, padded to what an address has.
    for (family, localhost) in [(0, "127 0 0 1 0 0 0 0 0 0"), (1, "0 0 0 0 0 0 0 0 1 0")] {
        let number = |number: &str| format!("(i32.const {number}) ");
        let localhost: String = localhost.split(' ').map(number).collect();
        let run = format!(
            "(loop (call $udp-raw (i32.const {family}) (i32.const 64)) \
             (call $send-raw (call $result) (i32.const 24) (i32.const 1) (i32.const 1) (i32.const {family}) \
             (i32.const {port}) {localhost} (i32.const 64)) \
             (drop (call $result)) (br_if 0 (call $more (i32.const {SENDS}))))"
        );
        let guest = pod.start(container(program(&SOCKETS.replace("{{RUN}}", &run))).0).await.unwrap();
        assert_eq!(guest.wait().await.code, 0, "family {family}");
        let mut datagram = [0; 100];
        for _ in 0..SENDS {
            let (length, from) = tokio::time::timeout(PATIENCE, host.recv_from(&mut datagram)).await.unwrap().unwrap();
            assert_eq!((&datagram[..length], from.ip()), (&b"."[..], address));
        }
    }
}
