//! What kubectl does with a pod, by way of the API server, on a node that is a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::{EdgeNode, PROBE, field, pod_on, ready};
use crate::harness::guests::{TICKER, push, push_sample};
use crate::harness::{Cluster, eventually, get};
use crate::streams::{self, STREAMS, TRANSPORTS, kubectl};

/// A cluster with the pod `streams` on the joined node `edge`.
fn visited() -> (Cluster, EdgeNode) {
    let cluster = Cluster::start();
    push(&cluster, "streams", STREAMS);
    let edge = EdgeNode::join(&cluster, "edge");
    let pod = streams::pod("streams").replace("spec:\n", "spec:\n  nodeSelector: {kubernetes.io/hostname: edge}\n");
    cluster.apply(&pod);
    ready(&cluster, "streams");
    assert_eq!(field(&cluster, "pod streams", ".spec.nodeName"), "edge");
    (cluster, edge)
}

#[test]
fn programs_are_run_and_files_copied_there() {
    let (cluster, _edge) = visited();
    let large: Vec<u8> = (0..1_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    let here = cluster.scratch().join("large");
    std::fs::write(&here, &large).unwrap();
    for (transport, websockets) in TRANSPORTS {
        let exec = |line: &str, input: &[u8]| kubectl(&cluster, websockets, &format!("exec {line}"), input);
        assert_eq!(exec("streams -- args one two", b"").ok(), "args\none\ntwo\n", "{transport}");
        assert_eq!(exec("-i streams -- cat", b"what is said\n").ok(), "what is said\n", "{transport}");
        let failed = exec("streams -- fail", b"");
        assert_eq!(failed.code, 3, "{transport}");
        assert!(failed.stderr.contains("wrong"), "{transport}: {}", failed.stderr);
        let back = cluster.scratch().join(format!("back-{transport}"));
        kubectl(&cluster, websockets, &format!("cp {} streams:/data/large", here.display()), b"").ok();
        kubectl(&cluster, websockets, &format!("cp streams:/data/large {}", back.display()), b"").ok();
        assert!(std::fs::read(back).unwrap() == large, "{transport}");
    }
    // The pod copies its stdin to its log until that ends, which is the end of the pod.
    assert!(kubectl(&cluster, "true", "attach -i streams", b"to the log\n").ok().contains("to the log"));
    cluster.kubectl("wait --for=jsonpath={.status.phase}=Succeeded pod/streams --timeout=60s").ok();
    assert_eq!(cluster.kubectl("logs streams").ok(), "to the log\n");
}

#[test]
fn its_logs_are_followed_and_its_ports_forwarded() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", TICKER);
    push_sample(&cluster, "hello");
    let edge = EdgeNode::join(&cluster, "edge");
    cluster.apply(&pod_on("edge", "ticker", "ticker").replace(PROBE, ""));
    cluster.apply(&pod_on("edge", "hello", "hello"));
    ready(&cluster, "ticker");
    ready(&cluster, "hello");

    let mut following = cluster.kubectl_command();
    let mut following = following.args(["logs", "-f", "ticker"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(following.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.take(10).filter(|line| line == "tick").count(), 10);
    following.kill().unwrap();
    following.wait().unwrap();

    for (transport, websockets) in TRANSPORTS {
        let forwarded = streams::forward(&cluster, websockets, "pod/hello :8080");
        let answer = get(&format!("http://127.0.0.1:{}/", forwarded.port)).unwrap();
        assert!(answer.to_lowercase().contains("hello"), "{transport}: {answer}");
    }
    for query in ["top pod ticker --no-headers", "top node edge --no-headers"] {
        let found = eventually(query, || cluster.kubectl(query).result());
        assert!(found.contains("Mi"), "{found}");
    }
    assert_eq!(cluster.kubectl("get --raw /api/v1/nodes/edge/proxy/healthz").ok(), "ok");
    let port = field(&cluster, "node edge", ".status.daemonEndpoints.kubeletEndpoint.Port");
    assert_eq!(cluster.kubectl(&format!("get --raw /api/v1/nodes/edge:{port}/proxy/healthz")).ok(), "ok");

    drop(edge);
    let complaint = cluster.kubectl("logs hello").failed();
    assert!(complaint.contains("error dialing backend") && complaint.contains("connection refused"), "{complaint}");
}
