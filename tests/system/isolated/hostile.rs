//! What the sandbox promises of hostile guests and clients, kept by a process of the pod's own. What is tried in both kinds
//! of pods is in [`crate::hostile`].

use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{gone, isolated, process_of, ready, shows};
use crate::harness::guests::{self, push, push_sample};
use crate::harness::{Cluster, eventually, get};
use crate::hostile::isolation_is_possible;

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
