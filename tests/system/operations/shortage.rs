//! A node that is short of memory, as it believes, and pods that it does not take.

use super::{bound, failed};
use crate::harness::guests::{self, push};
use crate::harness::{Cluster, Options};

#[test]
fn who_asks_for_too_much_is_not_taken() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    cluster.apply(&bound("greedy", "ticker", "    resources: {requests: {cpu: '5000'}}"));
    let (reason, message) = failed(&cluster, "greedy");
    assert_eq!(reason, "OutOfcpu");
    let wanted = "Pod was rejected: Node didn't have enough resource: cpu, requested: 5000000, used: 0, capacity: ";
    assert!(message.starts_with(wanted), "{message}");
    let elsewhere = bound("elsewhere", "ticker", "").replacen("spec:\n", "spec:\n  nodeSelector: {disk: ssd}\n", 1);
    cluster.apply(&elsewhere);
    let (reason, message) = failed(&cluster, "elsewhere");
    assert_eq!(reason, "NodeAffinity");
    assert!(message.ends_with("node(s) didn't match Pod's node affinity/selector"), "{message}");
    cluster.kubectl("label node node disk=ssd").ok();
    cluster.apply(&elsewhere.replacen("elsewhere", "here", 1));
    cluster.kubectl("wait --for=condition=Ready pod/here --timeout=60s").ok();
    cluster.kubectl("delete pod greedy elsewhere here --timeout=60s").ok();
}

#[test]
fn a_node_short_of_memory_ends_pods_and_takes_no_idle_ones() {
    let flags = [
        ["--eviction-soft", "memory.available<99.9%"],
        ["--eviction-soft-grace-period", "memory.available=15s"],
        ["--eviction-minimum-reclaim", "memory.available=1Mi"],
    ];
    let flags = flags.concat().into_iter().map(String::from).collect();
    let cluster = Cluster::start_with(Options { flags, ..Options::default() });
    push(&cluster, "ticker", guests::TICKER);
    cluster.apply(&bound("modest", "ticker", "    resources: {requests: {memory: 1Ki}}"));
    cluster.kubectl("wait --for=condition=Ready pod/modest --timeout=60s").ok();
    cluster.kubectl("wait --for=condition=MemoryPressure node/node --timeout=60s").ok();
    cluster.apply(&bound("idle", "ticker", ""));
    let (reason, message) = failed(&cluster, "idle");
    assert_eq!(
        (reason.as_str(), message.trim()),
        ("Evicted", "Pod was rejected: The node had condition: [MemoryPressure].")
    );
    let (reason, message) = failed(&cluster, "modest");
    assert_eq!(reason, "Evicted");
    assert!(message.starts_with("The node was low on resource: memory. Threshold quantity: "), "{message}");
    assert!(message.contains("Container main was using ") && message.contains("request is 1Ki"), "{message}");
    let events = cluster.kubectl("get events").ok();
    for wanted in ["EvictionThresholdMet", "Attempting to reclaim memory", "NodeHasInsufficientMemory"] {
        assert!(events.contains(wanted), "{wanted}: {events}");
    }
}
