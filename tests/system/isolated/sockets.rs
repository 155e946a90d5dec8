//! Addresses of others, and the host's localhost, from a pod with a process of its own.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use super::{END, cluster, isolated, pod, ready, shows};
use crate::harness::eventually;
use crate::harness::guests::{self, push};
use crate::hostile::isolation_is_possible;

const TCP: &str = include_str!("../../../wasi-host/tests/guests/tcp.wat");
const UDP: &str = include_str!("../../../wasi-host/tests/guests/udp.wat");

/// What a guest of [`TCP`] or [`UDP`] does to bind these addresses, one after the other, and at last its own. One that is
/// bound, or refused for another reason than that it may not be (11, `address-not-bindable`), is the exit code, counted
/// from 1.
fn binding(text: &str, addresses: &[Ipv4Addr]) -> String {
    let bind = |ip: &Ipv4Addr| {
        let octets: String = ip.octets().iter().map(|octet| format!("(i32.const {octet}) ")).collect();
        format!(
            "(call $create (i32.const 0) (i32.const 64)) (call $check (i32.const 68)) \
             (local.set $s (i32.load (i32.const 68))) \
             (call $start-bind (local.get $s) (call $net) (i32.const 0) (i32.const 7000) {octets} \
             (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64)) \
             (if (i32.eqz (i32.load8_u (i32.const 64))) (then (call $finish-bind (local.get $s) (i32.const 64)))) "
        )
    };
    let refused = addresses.iter().zip(1..).map(|(ip, number)| {
        format!(
            "{} (if (i32.or (i32.eqz (i32.load8_u (i32.const 64))) (i32.ne (i32.load8_u (i32.const 65)) (i32.const 11))) \
             (then (call $exit (i32.const {number})))) ",
            bind(ip)
        )
    });
    let own = format!("{} (call $check (i32.const 65))", bind(&Ipv4Addr::UNSPECIFIED));
    let run: String = refused.chain([own]).collect();
    // The marks are in a comment, too, which has the one line.
    text.replace("{{DATA}}", "").replace("{{RUN}}", &format!("(local $s i32) {run}"))
}

#[test]
fn no_address_of_others_is_bound() {
    if !isolation_is_possible() {
        return;
    }
    let cluster = cluster();
    cluster.apply(&pod("neighbour", "[sleep, '1000']", "", ""));
    ready(&cluster, "neighbour");
    let told = |what: &str| cluster.kubectl(what).ok().parse().unwrap();
    let others: [Ipv4Addr; 7] = [
        told("get pod neighbour -o jsonpath={.status.podIP}"),
        told("get service kubernetes -o jsonpath={.spec.clusterIP}"),
        Ipv4Addr::new(127, 0, 0, 2),
        Ipv4Addr::new(192, 0, 2, 1),
        Ipv4Addr::new(169, 254, 169, 254),
        Ipv4Addr::new(224, 0, 0, 1),
        Ipv4Addr::BROADCAST,
    ];
    for (name, text) in [("tcp", TCP), ("udp", UDP)] {
        push(&cluster, name, &binding(text, &others));
        cluster.apply(&isolated(&guests::pod(name, "Never", "")));
    }
    for name in ["tcp", "udp"] {
        shows(&cluster, name, END, "0/Completed");
    }
}

#[test]
fn the_hosts_localhost_is_the_pods_own() {
    if !isolation_is_possible() {
        return;
    }
    let cluster = cluster();
    // The host is in a network namespace with the pod: what listens there listens at the same 127.0.0.1.
    let host = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    host.set_nonblocking(true).unwrap();
    let port = host.local_addr().unwrap().port();
    cluster.apply(&pod("deaf", "[sleep, '1000']", "", ""));
    cluster.apply(&pod("echo", &format!("[listen, '{port}']"), "", ""));
    ready(&cluster, "deaf");
    let places = ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"];
    for place in places {
        cluster.kubectl(&format!("exec deaf -- dial {place}:{port} hello")).failed();
    }
    let asked = cluster.kubectl(&format!("exec deaf -- fetch http://127.0.0.1:{port}/")).failed();
    assert!(asked.contains("ConnectionRefused"), "{asked}");
    for place in &places[..2] {
        let dial = format!("exec echo -- dial {place}:{port} hello");
        assert_eq!(eventually("it listens", || cluster.kubectl(&dial).result()), "hello\n", "{place}");
    }
    let nobody = host.accept().map(|(_, peer)| peer);
    assert!(nobody.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock), "{nobody:?} came");
}
