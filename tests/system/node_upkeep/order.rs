//! Who goes first when memory is short.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc;

use super::{guest, ready};
use crate::harness::guests::{self, push};
use crate::harness::{Cluster, DEADLINE, Options};

/// Holds 8 MiB, and says so for ever.
fn greedy() -> String {
    guests::TICKER.replace("(memory (export \"memory\") 1)", "(memory (export \"memory\") 128)")
}

/// Names of pods in the order in which they fail, as somebody who watches sees it.
fn failures(cluster: &Cluster, count: usize) -> Vec<String> {
    let mut watch = cluster.kubectl_command();
    watch.args(["get", "pods", "--watch", "--no-headers", "-o"]);
    watch.arg("custom-columns=NAME:.metadata.name,PHASE:.status.phase,REASON:.status.reason");
    let mut watch = watch.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("kubectl starts");
    let (sender, receiver) = mpsc::channel();
    let lines = BufReader::new(watch.stdout.take().expect("stdout is piped")).lines();
    let reader = std::thread::spawn(move || {
        lines.map_while(Result::ok).map(|line| sender.send(line)).take_while(Result::is_ok).for_each(drop);
    });
    let mut failed: Vec<String> = Vec::new();
    while failed.len() < count {
        let line = receiver.recv_timeout(DEADLINE).unwrap_or_else(|error| panic!("only {failed:?} failed: {error}"));
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[1..] == ["Failed", "Evicted"] && !failed.iter().any(|name| name == words[0]) {
            failed.push(words[0].to_owned());
        }
    }
    watch.kill().expect("kubectl can be stopped");
    watch.wait().expect("kubectl ends");
    drop(receiver);
    reader.join().expect("nothing failed");
    failed
}

/// Those who use more than they asked for go before those who don't; among them the least priority first, and of equals the
/// one that uses most beyond its request; at last, by priority, those who keep to theirs. A critical pod stays.
#[test]
fn pods_go_in_the_documented_order() {
    let flags = [
        "--eviction-soft=memory.available<99.9%",
        // Until all of them run.
        "--eviction-soft-grace-period=memory.available=10s",
    ];
    let flags = flags.map(String::from).to_vec();
    let cluster = Cluster::start_with(Options { flags, ..Options::default() });
    push(&cluster, "ticker", guests::TICKER);
    push(&cluster, "greedy", &greedy());
    let class = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: dear}\nvalue: 1000\n";
    cluster.apply(class);
    let asks = |memory: &str| format!("resources: {{requests: {{memory: {memory}}}}}");
    // Without a request a pod is not taken now, unless it bears that.
    let bears = "tolerations: [{key: node.kubernetes.io/memory-pressure, operator: Exists}]";
    let all = [
        guest("within", "greedy", &asks("64Mi"), bears),
        guest("within-dear", "ticker", &asks("64Mi"), &format!("{bears}\npriorityClassName: dear")),
        guest("over-dear", "greedy", &asks("1Ki"), &format!("{bears}\npriorityClassName: dear")),
        guest("over", "ticker", &asks("1Ki"), bears),
        guest("best-effort", "greedy", "", bears),
        guest("critical", "greedy", "", &format!("{bears}\npriorityClassName: system-node-critical"))
            .replace("{name: critical}", "{name: critical, namespace: kube-system}"),
    ];
    cluster.apply(&all.join("---\n"));
    for name in ["within", "within-dear", "over-dear", "over", "best-effort", "critical -n kube-system"] {
        ready(&cluster, name);
    }
    assert_eq!(failures(&cluster, 5), ["best-effort", "over", "over-dear", "within", "within-dear"]);
    ready(&cluster, "critical -n kube-system");
}
