//! Sockets of others, and too many of one's own, by WASI 0.3.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use coracle_wasi_host::{ExitReason, PodContext, Program, Stream, limits};

use crate::{
    end, kill,
    sockets::{API, METADATA, call, dialled_by_leave},
    support::{TestNetwork, container, pod_with, program, until},
};

const SOCKETS: &str = include_str!("../guests/sockets-p3.wat");

/// The number of an error code in the guest's exit codes.
const ACCESS_DENIED: i32 = 100;
const INVALID_ARGUMENT: i32 = 102;
const OUT_OF_MEMORY: i32 = 103;
const ADDRESS_NOT_BINDABLE: i32 = 106;

pub fn guest(run: &str) -> Program {
    // A comment of the guest has the mark too.
    program(&SOCKETS.replace("{{RUN}}", &run.replace('\n', " ")))
}

async fn code(pod: &PodContext, run: &str) -> i32 {
    end(&pod.start(container(guest(run)).0).await.unwrap()).await.code
}

fn pod() -> PodContext {
    pod_with(TestNetwork::default(), None).0
}

/// An instance has exactly so many sockets, of both kinds together, and one that is closed makes room.
#[tokio::test]
async fn an_instance_has_only_so_many_sockets() {
    let pod = pod();
    let most = limits::SOCKETS_PER_INSTANCE;
    for open in ["(drop (call $tcp))", "(drop (call $udp))", "(drop (call $tcp)) (drop (call $udp))"] {
        let each = open.matches("drop").count() as u32;
        let flood = |count: u32| format!("(loop {open} (br_if 0 (call $more (i32.const {count}))))");
        assert_eq!(code(&pod, &flood(most / each)).await, 0, "{open}");
        assert_eq!(code(&pod, &flood(most / each + 1)).await, OUT_OF_MEMORY, "{open}");
    }
    let closing = "(loop (call $drop-tcp (call $tcp)) (br_if 0 (call $more (i32.const 3000))))";
    assert_eq!(code(&pod, closing).await, 0);
}

/// Addresses that no pod has, on ports of all kinds.
#[tokio::test]
async fn no_address_but_the_pods_own_is_bound() {
    let ((pod, own), (_, other)) = (pod_with(TestNetwork::default(), None), pod_with(TestNetwork::default(), None));
    let others: [IpAddr; 4] = [other, [127, 0, 0, 2].into(), [10, 0, 0, 1].into(), [169, 254, 169, 254].into()];
    for ip in others {
        for port in [53, 6443, 20_000] {
            for (function, text) in [("$serve", "(drop {})"), ("$listen", "{}"), ("$bind", "{}")] {
                let run = text.replace("{}", &call(function, SocketAddr::new(ip, port)));
                assert_eq!(code(&pod, &run).await, ADDRESS_NOT_BINDABLE, "{function} {ip}:{port}");
            }
        }
    }
    // Those of nobody in particular can't be a server's, and to receive for all of a network is not the pod's either.
    for ip in [[224, 0, 0, 1], [255, 255, 255, 255]] {
        let address = SocketAddr::from((ip, 20_000));
        assert_eq!(code(&pod, &format!("(drop {})", call("$serve", address))).await, INVALID_ARGUMENT, "{address}");
        assert_eq!(code(&pod, &call("$bind", address)).await, ADDRESS_NOT_BINDABLE, "{address}");
    }
    // What is the pod's is taken at its address: that of the host stays free.
    for ip in [own, [127, 0, 0, 1].into(), [0, 0, 0, 0].into()] {
        let run = format!(
            "{} {} (call $say) (call $wait (i64.const 3600000000000))",
            call("$listen", SocketAddr::new(ip, 20_002)),
            call("$bind", SocketAddr::new(ip, 20_002))
        );
        let (config, log) = container(guest(&run));
        let server = pod.start(config).await.unwrap();
        until("it listens", || log.text(Stream::Stdout) == ".").await;
        std::net::TcpListener::bind(("127.0.0.1", 20_002)).unwrap();
        UdpSocket::bind(("127.0.0.1", 20_002)).unwrap();
        assert!(std::net::TcpListener::bind((own, 20_002)).is_err(), "it has that of the pod: {ip}");
        kill(&server).await;
    }
}

/// A pod may dial what the network lets it; what it does not let it is refused whatever the guest calls it.
#[tokio::test]
async fn the_network_decides_what_is_dialled() {
    let denied = ["$dial", "$aim", "$send"].map(|function| guest(&call(function, METADATA)));
    let dialling = format!("{} (call $wait (i64.const 3600000000000))", call("$dial", API));
    dialled_by_leave(denied.into(), ACCESS_DENIED, guest(&dialling)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_datagrams_can_be_stopped() {
    let receiver = UdpSocket::bind("127.0.0.9:0").unwrap();
    receiver.set_read_timeout(Some(crate::DEADLINE)).unwrap();
    let run = format!("(loop {} (br 0))", call("$send", receiver.local_addr().unwrap()));
    let container = pod().start(container(guest(&run)).0).await.unwrap();
    let mut datagram = [0; 100];
    for _ in 0..100 {
        assert_eq!(tokio::task::block_in_place(|| receiver.recv_from(&mut datagram)).unwrap().0, 1);
    }
    assert_eq!(kill(&container).await.reason, ExitReason::Killed);
}

/// Each datagram that is waited for has a buffer in the host. As many as there may be leave none to send one; more wait for
/// their turn and have it.
#[tokio::test]
async fn datagrams_under_way_are_bounded() {
    let (pod, own) = pod_with(TestNetwork::default(), None);
    let receiver = UdpSocket::bind("127.0.0.9:0").unwrap();
    let (bind, send) = (call("$bind", SocketAddr::new(own, 20_003)), call("$send", receiver.local_addr().unwrap()));
    let receive = |count: usize| format!("{bind} (loop (call $receive) (br_if 0 (call $more (i32.const {count}))))");
    let most = limits::P3_DATAGRAMS_IN_FLIGHT;
    // A program whose result is there does not wait for what it has begun.
    let and_send = |count: usize| format!("{} {send} (call $exit (i32.const 7))", receive(count));
    assert_eq!(code(&pod, &and_send(most - 1)).await, 7);
    assert_eq!(code(&pod, &and_send(most)).await, OUT_OF_MEMORY);

    let run = format!("{} (call $say) (call $all (i32.const {}))", receive(3 * most), 3 * most);
    let (config, log) = container(guest(&run));
    let container = pod.start(config).await.unwrap();
    until("all are waited for", || log.text(Stream::Stdout) == ".").await;
    let sending = tokio::spawn(async move {
        // Some may be lost on their way.
        loop {
            receiver.send_to(b"x", (own, 20_003)).unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert_eq!(end(&container).await.code, 0);
    sending.abort();
}
