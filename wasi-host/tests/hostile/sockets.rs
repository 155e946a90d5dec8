//! Sockets of others, and too many of one's own.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use coracle_wasi_host::{ExitReason, NetworkError, PodContext, Program, limits};

use crate::{
    end, kill,
    support::{TestNetwork, container, pod_with, program, until},
};

const TCP: &str = include_str!("../guests/tcp.wat");
const UDP: &str = include_str!("../guests/udp.wat");

/// The number of an error code in the guests' exit codes.
const ACCESS_DENIED: i32 = 101;
const NEW_SOCKET_LIMIT: i32 = 110;
const ADDRESS_NOT_BINDABLE: i32 = 111;

fn tcp(run: &str) -> Program {
    // Comments of the guests have the marks too.
    program(&TCP.replace("{{DATA}}", "").replace("{{RUN}}", &run.replace('\n', " ")))
}

fn udp(run: &str) -> Program {
    program(&UDP.replace("{{RUN}}", &run.replace('\n', " ")))
}

fn pod() -> PodContext {
    pod_with(TestNetwork::default(), None).0
}

async fn code(pod: &PodContext, program: Program) -> i32 {
    end(&pod.start(container(program).0).await.unwrap()).await.code
}

/// The instructions that call `function` with the address `to`.
pub fn call(function: &str, to: SocketAddr) -> String {
    let SocketAddr::V4(to) = to else { panic!("IPv4 only") };
    let octets: String = to.ip().octets().iter().map(|octet| format!("(i32.const {octet}) ")).collect();
    format!("(call {function} {octets} (i32.const {}))", to.port())
}

/// A loop that opens sockets for ever, with a count at 4000 that must have reached the limit when one is refused.
const FLOOD: &str = "(loop
    (i32.store (i32.const 4000) (i32.add (i32.load (i32.const 4000)) (i32.const 1)))
    {{OPEN}}
    (if (i32.gt_u (i32.load (i32.const 4000)) (i32.const {{LIMIT}})) (then unreachable))
    (br 0))";

fn flood(open: &str) -> String {
    FLOOD.replace("{{OPEN}}", open).replace("{{LIMIT}}", &limits::SOCKETS_PER_INSTANCE.to_string())
}

#[tokio::test]
async fn an_instance_has_only_so_many_sockets() {
    let pod = pod();
    assert_eq!(code(&pod, tcp(&flood("(drop (call $socket))"))).await, NEW_SOCKET_LIMIT);
    let open = "(call $create (i32.const 0) (i32.const 64)) (call $check (i32.const 68))";
    assert_eq!(code(&pod, udp(&flood(open))).await, NEW_SOCKET_LIMIT);
    // One that is closed makes room.
    let closing = "(loop
        (call $drop-socket (call $socket))
        (i32.store (i32.const 4000) (i32.add (i32.load (i32.const 4000)) (i32.const 1)))
        (br_if 0 (i32.lt_u (i32.load (i32.const 4000)) (i32.const 3000))))";
    assert_eq!(code(&pod, tcp(closing)).await, 0);
}

#[tokio::test]
async fn no_address_but_the_pods_own_is_bound() {
    let ((pod, _), (_, other)) = (pod_with(TestNetwork::default(), None), pod_with(TestNetwork::default(), None));
    let node = [127, 0, 0, 1].into();
    let others = [
        other,
        [127, 0, 0, 2].into(),
        [10, 0, 0, 1].into(),
        [169, 254, 169, 254].into(),
        [224, 0, 0, 1].into(),
        [255, 255, 255, 255].into(),
    ];
    for port in [53, 443, 6443, 10_250, 20_000] {
        for ip in others {
            let run = call("$serve", SocketAddr::new(ip, port));
            assert_eq!(code(&pod, tcp(&run)).await, ADDRESS_NOT_BINDABLE, "{ip}:{port}");
        }
    }
    // Localhost is the pod's: the host's own stays free.
    let server = pod.start(container(tcp(&call("$serve", SocketAddr::new(node, 20_001)))).0).await.unwrap();
    until("it runs", || server.usage().cpu_time > Duration::ZERO).await;
    std::net::TcpListener::bind((node, 20_001)).unwrap();
    kill(&server).await;
}

/// A UDP socket that binds `ip` instead of the wildcard.
fn udp_bound_to(ip: [u8; 4]) -> Program {
    let [a, b, c, d] = ip;
    let wildcard = "(i32.const 0) (local.get $port)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)";
    let bound =
        format!("(i32.const 0) (local.get $port) (i32.const {a}) (i32.const {b}) (i32.const {c}) (i32.const {d})");
    let text = UDP.replace("{{RUN}}", "(call $open (i32.const 7001))");
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let changed = squeeze(&without_comments(&text)).replacen(&squeeze(wildcard), &bound, 1);
    program(&changed)
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split(";;").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn no_datagram_socket_has_an_address_of_others() {
    for ip in [[127, 0, 0, 2], [10, 0, 0, 1], [169, 254, 169, 254], [224, 0, 0, 1]] {
        assert_eq!(code(&pod(), udp_bound_to(ip)).await, ADDRESS_NOT_BINDABLE, "{ip:?}");
    }
    assert_eq!(code(&pod(), udp_bound_to([127, 0, 0, 1])).await, 0);
}

/// A pod may dial what the network lets it; what it does not let it is refused whatever the guest calls it.
#[tokio::test]
async fn the_network_decides_what_is_dialled() {
    let denied = [tcp(&call("$ping", METADATA)), udp(&call("$send_to", METADATA))];
    dialled_by_leave(denied.into(), ACCESS_DENIED, tcp(&call("$ping", API))).await;
}

/// An address that no pod may dial, and one that leads elsewhere.
pub const METADATA: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);
pub const API: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1)), 443);

/// Programs that dial [`METADATA`] end with this code, and one that dials [`API`] arrives where that leads.
pub async fn dialled_by_leave(denied: Vec<Program>, access_denied: i32, dialling: Program) {
    let listener = tokio::net::TcpListener::bind("127.0.0.9:0").await.unwrap();
    let network = TestNetwork {
        routes: [(METADATA, Err(NetworkError::Denied)), (API, Ok(listener.local_addr().unwrap()))].into(),
        ..TestNetwork::default()
    };
    let (pod, address) = pod_with(network, None);
    for (number, program) in denied.into_iter().enumerate() {
        assert_eq!(code(&pod, program).await, access_denied, "program {number}");
    }
    let dialling = pod.start(container(dialling).0).await.unwrap();
    let (_stream, peer) = listener.accept().await.unwrap();
    assert_eq!(peer.ip(), address, "as itself and as nobody else");
    kill(&dialling).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_datagrams_can_be_stopped() {
    let receiver = std::net::UdpSocket::bind("127.0.0.9:0").unwrap();
    let endless = UDP.replace("(call $drop-out (global.get $out))", "(loop (call $send_one) (br 0))");
    let run = call("$send_to", receiver.local_addr().unwrap());
    let (config, _) = container(program(&endless.replace("{{RUN}}", &run)));
    let container = pod().start(config).await.unwrap();
    let mut datagram = [0; 100];
    receiver.set_read_timeout(Some(crate::DEADLINE)).unwrap();
    tokio::task::block_in_place(|| receiver.recv_from(&mut datagram)).unwrap();
    // It is stopped while it sends, or a full socket has ended it: sending without leave is a trap.
    let exit = kill(&container).await;
    assert!(matches!(exit.reason, ExitReason::Killed | ExitReason::Trap), "{exit:?}");
}

#[tokio::test]
async fn lists_that_are_not_there_are_traps() {
    for (at, count) in [(256_u32, 0x7ff_ffff_u32), (0x7fff_0000, 1), (0xffff_fff0, 1)] {
        let run = format!(
            "(call $open (i32.const 0)) (call $send (global.get $out) (i32.const {at}) (i32.const {count}) (i32.const 64))"
        );
        let exit = end(&pod().start(container(udp(&run)).0).await.unwrap()).await;
        assert_eq!(exit.reason, ExitReason::Trap, "{exit:?}");
    }
}
