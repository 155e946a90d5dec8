//! The samples, and programs that behave badly, as pods.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::harness::guests::{self, pod, push};
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

const MISSING: &str =
    r#"(module (import "env" "launch_rockets" (func)) (memory (export "memory") 1) (func (export "_start")))"#;

#[test]
fn an_endless_loop_harms_nobody_and_can_be_deleted() {
    let cluster = Cluster::with_sample("hello");
    push(&cluster, "loop", guests::LOOP);
    cluster.apply(&pod("loop", "Always", ""));
    cluster.kubectl("wait --for=condition=Ready pod/loop --timeout=60s").ok();
    get(&cluster.line("url")).unwrap();
    cluster.kubectl("delete pod loop --timeout=30s").ok();
}

#[test]
fn a_trap_shows_its_backtrace() {
    let cluster = Cluster::start();
    push(&cluster, "trap", guests::TRAP);
    cluster.apply(&pod("trap", "Never", ""));
    cluster.kubectl("wait --for=jsonpath={.status.phase}=Failed pod/trap --timeout=60s").ok();
    let terminated = cluster.kubectl("get pod trap -o jsonpath={.status.containerStatuses[0].state.terminated}").ok();
    assert!(terminated.contains("unreachable") && terminated.contains("inner"), "{terminated}");
    assert!(cluster.kubectl("logs trap").ok().contains("unreachable"));
}

#[test]
fn exit_codes_and_back_off_are_kubernetes_own() {
    let cluster = Cluster::start();
    push(&cluster, "exit", guests::FAILING);
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
fn an_index_that_fails_too_often_fails_alone() {
    let cluster = Cluster::start();
    push(&cluster, "exit", guests::FAILING);
    cluster.apply(&format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: each}}\nspec:\n  completionMode: Indexed\n  \
         completions: 2\n  parallelism: 2\n  backoffLimitPerIndex: 0\n  template:\n    spec:\n      \
         restartPolicy: Never\n      containers: [{{name: main, image: {}}}]\n",
        guests::image("exit")
    ));
    cluster.kubectl("wait --for=condition=Failed job/each --timeout=60s").ok();
    let told = "get job each -o jsonpath={.status.failedIndexes},{.status.failed},{.status.conditions[*].reason}";
    assert_eq!(cluster.kubectl(told).ok(), "0,1,2,FailedIndexes FailedIndexes");
    let left = cluster.kubectl("get pods -o jsonpath={.items[*].metadata.finalizers}").ok();
    assert_eq!(left, "", "every pod is counted and released");
}

#[test]
fn memory_over_the_limit_is_oom_killed() {
    let cluster = Cluster::start();
    push(&cluster, "grow", guests::GROW);
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
