//! The samples, and programs that behave badly, as pods.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::harness::{Cluster, eventually, get};

#[test]
fn the_batch_sample_completes() {
    let cluster = Cluster::with_sample("batch");
    cluster.kubectl("wait --for=condition=Complete job/batch --timeout=60s").ok();
    let logs = cluster.kubectl("logs -l job-name=batch").ok();
    assert_eq!(logs, "78498 primes up to 1000000\n".repeat(3));
    assert_eq!(cluster.kubectl("get job batch -o jsonpath={.status.succeeded}").ok(), "3");
}

#[test]
fn the_config_sample_gets_its_configuration() {
    let cluster = Cluster::with_sample("config");
    let answer = get(&cluster.line("url")).unwrap();
    assert_eq!(answer, "greeting: Hello from a ConfigMap\nlog level: info\napi token: 16 characters\nnode: node\n");
}

#[test]
fn the_tcp_echo_sample_echoes_to_many_at_once() {
    let cluster = Cluster::with_sample("tcp-echo");
    let url = cluster.line("url");
    let address = url.strip_prefix("tcp://").unwrap();
    let mut clients: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(address).unwrap()).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        write!(client, "message {index}").unwrap();
    }
    for (index, client) in clients.iter_mut().enumerate() {
        let mut bytes = vec![0; format!("message {index}").len()];
        client.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, format!("message {index}").as_bytes());
    }
}

#[test]
fn guests_in_c_and_go_run_as_jobs() {
    for (name, says) in [("hello-c", "Hello from C in hello-c-"), ("hello-go", "Hello from Go in hello-go-")] {
        let cluster = Cluster::with_sample(name);
        let logs = cluster.kubectl(&format!("logs -l job-name={name}")).ok();
        assert!(logs.starts_with(says), "{logs}");
    }
}

/// Pushes a guest in WAT text as `guest/NAME:1` to the cluster's registry.
fn push(cluster: &Cluster, name: &str, wat: &str) {
    let file = cluster.scratch().join(format!("{name}.wat"));
    std::fs::write(&file, wat).unwrap();
    let mut command = crate::harness::coracle();
    command.arg("push").arg(&file).arg(format!("{}/guest/{name}:1", cluster.line("registry")));
    crate::harness::run(&mut command).ok();
}

fn pod(name: &str, restart_policy: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  restartPolicy: {restart_policy}\n  \
         terminationGracePeriodSeconds: 1\n  containers:\n  - name: main\n    image: \
         registry.coracle.internal/guest/{name}:1\n{more}"
    )
}

const LOOP: &str = r#"(module (memory (export "memory") 1) (func (export "_start") (loop $forever (br $forever))))"#;
const TRAP: &str =
    r#"(module (memory (export "memory") 1) (func $inner unreachable) (func (export "_start") (call $inner)))"#;
const EXIT_3: &str = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 3))))"#;
const GROW: &str = r#"(module (memory (export "memory") 1)
    (func (export "_start") (loop $more (drop (memory.grow (i32.const 16))) (br $more))))"#;
const MISSING: &str =
    r#"(module (import "env" "launch_rockets" (func)) (memory (export "memory") 1) (func (export "_start")))"#;

#[test]
fn an_endless_loop_harms_nobody_and_can_be_deleted() {
    let cluster = Cluster::with_sample("hello");
    push(&cluster, "loop", LOOP);
    cluster.apply(&pod("loop", "Always", ""));
    cluster.kubectl("wait --for=condition=Ready pod/loop --timeout=60s").ok();
    get(&cluster.line("url")).unwrap();
    cluster.kubectl("delete pod loop --timeout=30s").ok();
}

#[test]
fn a_trap_shows_its_backtrace() {
    let cluster = Cluster::start();
    push(&cluster, "trap", TRAP);
    cluster.apply(&pod("trap", "Never", ""));
    cluster.kubectl("wait --for=jsonpath={.status.phase}=Failed pod/trap --timeout=60s").ok();
    let terminated = cluster.kubectl("get pod trap -o jsonpath={.status.containerStatuses[0].state.terminated}").ok();
    assert!(terminated.contains("unreachable") && terminated.contains("inner"), "{terminated}");
    assert!(cluster.kubectl("logs trap").ok().contains("unreachable"));
}

#[test]
fn exit_codes_and_back_off_are_kubernetes_own() {
    let cluster = Cluster::start();
    push(&cluster, "exit", EXIT_3);
    cluster.apply(&pod("exit", "Always", ""));
    eventually("CrashLoopBackOff", || {
        let status = cluster.kubectl("get pod exit -o jsonpath={.status.containerStatuses[0]}").ok();
        let done = status.contains("CrashLoopBackOff") && status.contains("\"exitCode\":3");
        if done { Ok(()) } else { Err(status) }
    });
    assert!(cluster.kubectl("get pods").ok().contains("CrashLoopBackOff"));
    let events = cluster.kubectl("events --for pod/exit").ok();
    assert!(events.contains("Back-off restarting failed container main in pod exit"), "{events}");
}

#[test]
fn memory_over_the_limit_is_oom_killed() {
    let cluster = Cluster::start();
    push(&cluster, "grow", GROW);
    cluster.apply(&pod("grow", "Never", "    resources: {limits: {memory: 8Mi}}\n"));
    eventually("OOMKilled", || {
        let status = cluster.kubectl("get pod grow -o jsonpath={.status.containerStatuses[0].state.terminated}").ok();
        let done = status.contains("OOMKilled") && status.contains("\"exitCode\":137");
        if done { Ok(()) } else { Err(status) }
    });
}

#[test]
fn imports_that_cannot_be_met_are_named() {
    let cluster = Cluster::start();
    push(&cluster, "missing", MISSING);
    cluster.apply(&pod("missing", "Never", ""));
    eventually("an event with the import's name", || {
        let events = cluster.kubectl("events --for pod/missing").ok();
        if events.contains("launch_rockets") { Ok(()) } else { Err(events) }
    });
}

#[test]
fn logs_follow_tail_and_previous() {
    let cluster = Cluster::with_sample("batch");
    cluster.kubectl("wait --for=condition=Complete job/batch --timeout=60s").ok();
    let pod = cluster.kubectl("get pods -l job-name=batch -o name").ok().lines().next().unwrap().to_string();
    let line = "78498 primes up to 1000000\n";
    assert_eq!(cluster.kubectl(&format!("logs -f {pod}")).ok(), line);
    assert_eq!(cluster.kubectl(&format!("logs --tail=0 {pod}")).ok(), "");
    assert_eq!(cluster.kubectl(&format!("logs --since=1h {pod}")).ok(), line);
    let stamped = cluster.kubectl(&format!("logs --timestamps {pod}")).ok();
    assert!(stamped.starts_with("20") && stamped.ends_with(line), "{stamped}");
    let error = cluster.kubectl(&format!("logs --previous {pod}")).failed();
    assert!(error.contains("previous terminated container \"batch\" in pod"), "{error}");
    let error = cluster.kubectl(&format!("logs {pod} -c other")).failed();
    assert!(error.contains("container other is not valid for pod"), "{error}");
}
