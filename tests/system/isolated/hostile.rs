//! What the sandbox promises of hostile guests and clients, kept by a process of the pod's own. What is tried in both kinds
//! of pods is in [`crate::hostile`].

use std::fs;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{END, cluster, gone, isolated, output, pod, process_of, ready, shows};
use crate::harness::guests::{self, TOOLBOX, push, push_sample};
use crate::harness::{Cluster, eventually, get};
use crate::hostile::isolation_is_possible;

const TCP: &str = include_str!("../../../wasi-host/tests/guests/tcp.wat");
const UDP: &str = include_str!("../../../wasi-host/tests/guests/udp.wat");

/// An attempt to open a file by preview 1: the directory (a letter at the root), the path in it, `oflags`, rights, and
/// whether it is to succeed.
type Attempt<'a> = (u8, &'a str, u32, u32, bool);

const CREATE: u32 = 1;
const TRUNCATE: u32 = 8;
const READ: u32 = 1 << 1;
const WRITE: u32 = 1 << 6;

/// Makes the link `own` to `../secret` in the first attempt's directory if it may, and then does all attempts. The number
/// of the first that ends otherwise than it should, counted from 1, is the exit code.
fn trying(attempts: &[Attempt<'_>]) -> String {
    let (mut text, mut body) = ("../secretown".to_owned(), String::new());
    for (index, (dir, path, how, rights, works)) in attempts.iter().enumerate() {
        let (at, length, number) = (1000 + text.len(), path.len(), index + 1);
        let wrong = if *works { "ne" } else { "eq" };
        text.push_str(path);
        body.push_str(&format!(
            "(if (i32.{wrong} (i32.const 0) (call $open (call $find (i32.const {})) (i32.const 1) (i32.const {at})
                (i32.const {length}) (i32.const {how}) (i64.const {rights}) (i64.const {rights})
                (i32.const 0) (i32.const 32))) (then (call $exit (i32.const {number}))))\n",
            u16::from_le_bytes([b'/', *dir])
        ));
    }
    let first = u16::from_le_bytes([b'/', attempts[0].0]);
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_symlink" (func $link (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $name (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (data (i32.const 1000) {text:?})
        ;; The directory whose name has these two letters.
        (func $find (param $letters i32) (result i32) (local $fd i32)
            (local.set $fd (i32.const 2))
            (loop
                (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
                (if (i32.gt_u (local.get $fd) (i32.const 50)) (then (call $exit (i32.const 99))))
                (i32.store (i32.const 16) (i32.const 0))
                (drop (call $name (local.get $fd) (i32.const 16) (i32.const 2)))
                (br_if 0 (i32.ne (i32.load (i32.const 16)) (local.get $letters))))
            (local.get $fd))
        (func (export "_start")
            (drop (call $link (i32.const 1000) (i32.const 9) (call $find (i32.const {first}))
                (i32.const 1009) (i32.const 3)))
            {body}))"#
    )
}

/// A directory with a file, and links in it that lead out; beside it a secret.
fn prepare(scratch: &Path) {
    let host = scratch.join("host");
    fs::create_dir(&host).unwrap();
    fs::create_dir(host.join("inside")).unwrap();
    fs::write(host.join("file"), "own").unwrap();
    fs::write(scratch.join("secret"), "the secret").unwrap();
    symlink(scratch.join("secret"), host.join("absolute")).unwrap();
    symlink("../secret", host.join("relative")).unwrap();
    symlink("../new", host.join("dangling")).unwrap();
    symlink("..", host.join("over")).unwrap();
}

/// Nothing around the directory is read, made or changed, nor anything in it where it may only be read, by any of WASI's
/// three versions.
#[test]
fn no_path_leads_out_of_a_volume_nor_past_its_read_only_mount() {
    if !isolation_is_possible() {
        return;
    }
    let cluster = cluster();
    let scratch = cluster.scratch();
    prepare(scratch);
    let mounts = json!([{"name": "h", "mountPath": "/v"}, {"name": "h", "mountPath": "/r", "readOnly": true}]);
    let volumes = json!([{"name": "h", "hostPath": {"path": scratch.join("host")}}]);
    let more = format!("volumeMounts: {mounts}");
    let spec = format!("volumes: {volumes}");

    let absolute = scratch.join("secret");
    let attempts: [Attempt<'_>; 20] = [
        (b'v', "own", 0, READ, false),
        (b'v', "../secret", 0, READ, false),
        (b'v', "../secret", 0, WRITE, false),
        (b'v', "../secret", TRUNCATE, WRITE, false),
        (b'v', "inside/../../secret", 0, READ, false),
        (b'v', absolute.to_str().unwrap(), 0, READ, false),
        (b'v', "absolute", 0, READ, false),
        (b'v', "absolute", TRUNCATE, WRITE, false),
        (b'v', "relative", 0, READ, false),
        (b'v', "relative", TRUNCATE, WRITE, false),
        (b'v', "over/secret", 0, READ, false),
        (b'v', "dangling", CREATE, WRITE, false),
        (b'v', "../new", CREATE, WRITE, false),
        (b'r', "../secret", 0, READ, false),
        (b'r', "relative", 0, READ, false),
        (b'r', "file", 0, WRITE, false),
        (b'r', "file", TRUNCATE, READ, false),
        (b'r', "new", CREATE, WRITE, false),
        (b'r', "file", 0, READ, true),
        (b'v', "file", 0, READ | WRITE, true),
    ];
    push(&cluster, "trying", &trying(&attempts));
    let first = guests::pod("trying", "Never", &format!("    {more}\n  {spec}\n"));
    cluster.apply(&isolated(&first));
    shows(&cluster, "trying", END, "0/Completed");

    let tried = [
        "cat /v/../secret",
        "cat /v/relative",
        "cat /v/absolute",
        "cat /v/over/secret",
        "write /v/relative x",
        "write /v/../new x",
        "write /v/dangling x",
        "write /r/file x",
        "touch /r/new",
        "rm /r/file",
        "mkdir /r/dir",
    ];
    let script = format!("[sh, -c, '{}; cat /v/file']", tried.join("; "));
    let said = output(&cluster, &pod("second", &script, &more, &spec), "second");
    assert_eq!(said.matches("(os error ").count(), tried.len(), "{said}");
    assert!(said.contains("own") && !said.contains("the secret"), "{said}");

    push_sample(&cluster, "toolbox-p3");
    let third = pod("third", "[toolbox-p3, sleep, '1000']", &more, &spec);
    cluster.apply(&third.replace(TOOLBOX, &guests::image("toolbox-p3")));
    ready(&cluster, "third");
    let exec = |words: &str| cluster.kubectl(&format!("exec third -- toolbox-p3 {words}"));
    assert_eq!(exec("cat /v/file").ok(), "own");
    for words in ["cat /v/../secret", "cat /v/absolute", "write /v/relative x", "write /v/../new x", "write /r/file x"]
    {
        let said = exec(words);
        assert!(said.code != 0 && !said.stdout.contains("the secret"), "{words}: {}", said.stdout);
    }

    assert_eq!(fs::read_to_string(scratch.join("secret")).unwrap(), "the secret");
    assert_eq!(fs::read_to_string(scratch.join("host/file")).unwrap(), "own");
    for none in ["new", "host/new", "host/dir"] {
        assert!(!scratch.join(none).exists(), "{none}");
    }
}

/// It ends after its grace and the instruction that it is in, and not because its process is killed at last.
#[test]
fn a_pod_in_the_midst_of_bulk_instructions_is_gone_soon_after_its_grace() {
    if !isolation_is_possible() {
        return;
    }
    let cluster = Cluster::start();
    let fill = r#"(module (memory (export "memory") 4096) (func (export "_start")
        (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x10000000)) (br 0))))"#;
    push(&cluster, "fill", fill);
    cluster.apply(&isolated(&guests::pod("fill", "Always", "")));
    ready(&cluster, "fill");
    let dir = process_of(&cluster, "fill").unwrap();
    eventually("it has filled its memory once", || {
        let status = fs::read_to_string(dir.join("status")).map_err(|error| error.to_string())?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        let resident: u64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0);
        if resident >= 256 << 10 { Ok(()) } else { Err(line.to_owned()) }
    });
    let begun = Instant::now();
    cluster.kubectl("delete pod fill --timeout=30s").ok();
    gone(&cluster, "fill");
    let (took, grace, slack) = (begun.elapsed(), Duration::from_secs(1), Duration::from_secs(10));
    assert!(slack < coracle_wasi_host::limits::ISOLATED_STOP_MARGIN);
    assert!(took < grace + slack, "it was there for {took:?}");
}

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

/// How many clients come and go.
const CLIENTS: usize = 200;

#[test]
fn clients_that_leave_take_their_descriptors_along() {
    if !isolation_is_possible() {
        return;
    }
    let cluster = Cluster::start();
    push_sample(&cluster, "hello");
    cluster.apply(&isolated(&guests::pod("hello", "Always", "")));
    ready(&cluster, "hello");
    let ip: IpAddr = cluster.kubectl("get pod hello -o jsonpath={.status.podIP}").ok().parse().unwrap();
    let url = format!("http://{ip}:8080/");
    let answers = || get(&url).map(|answer| assert!(answer.starts_with("Hello from"), "{answer}"));
    eventually("it answers", answers);
    let dir = process_of(&cluster, "hello").unwrap();
    let descriptors = || fs::read_dir(dir.join("fd")).unwrap().count();
    let before = descriptors();

    let said = [
        "",
        "GET / HT",
        "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 100\r\n\r\nhalf",
        "GET / HTTP/1.1\r\nHost: web\r\n\r\n",
    ];
    let mut staying = Vec::new();
    for number in 0..CLIENTS {
        let mut client = TcpStream::connect((ip, 8080)).unwrap();
        client.write_all(said[number % said.len()].as_bytes()).unwrap();
        // Half of them leave at once, the others all together.
        if number % (2 * said.len()) < said.len() {
            staying.push(client);
        }
    }
    eventually("it answers beside them", answers);
    drop(staying);
    eventually("it answers without them", answers);
    eventually("no descriptor is left", || match descriptors() {
        now if now <= before => Ok(()),
        now => Err(format!("{now} are open, {before} were")),
    });
    assert_eq!(process_of(&cluster, "hello").as_ref(), Ok(&dir), "it is the same process");
    shows(&cluster, "hello", ".status.containerStatuses[0].restartCount", "0");
}
