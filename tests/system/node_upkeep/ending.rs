//! The end of a node, and the order in which its pods end with it.

use super::{field, guest, ready};
use crate::harness::guests::{self, push};
use crate::harness::{Cluster, Options};

/// Critical pods end after all others have, within a time of their own; both are told why.
#[test]
fn critical_pods_end_last() {
    let flags = ["--shutdown-grace-period=8s", "--shutdown-grace-period-critical-pods=2s"];
    let flags = flags.map(String::from).to_vec();
    let mut cluster = Cluster::start_with(Options { flags, ..Options::default() });
    push(&cluster, "ticker", guests::TICKER);
    // It takes two seconds to end, so that who does not wait for it ends before.
    let slow = "lifecycle: {preStop: {sleep: {seconds: 2}}}";
    let grace = |manifest: String| manifest.replace("PeriodSeconds: 1\n", "PeriodSeconds: 5\n");
    cluster.apply(&grace(guest("ordinary", "ticker", slow, "")));
    let critical = guest("vital", "ticker", "", "priorityClassName: system-node-critical");
    cluster.apply(&critical.replace("{name: vital}", "{name: vital, namespace: kube-system}"));
    ready(&cluster, "ordinary");
    ready(&cluster, "vital -n kube-system");
    let took = cluster.stop();
    assert!(took.as_secs() >= 2 && took.as_secs() < 8, "nobody waits longer than the pods take: {took:?}");
    cluster.boot();
    let of = |pod: &str, path: &str| field(&cluster, &format!("pod {pod}"), path);
    for pod in ["ordinary", "vital -n kube-system"] {
        assert_eq!(of(pod, ".status.phase"), "Failed", "{pod}");
        assert_eq!(of(pod, ".status.reason"), "Terminated", "{pod}");
        assert_eq!(of(pod, ".status.message"), "Pod was terminated in response to imminent node shutdown.", "{pod}");
        let disruption = of(pod, ".status.conditions[?(@.type==\"DisruptionTarget\")].reason");
        assert_eq!(disruption, "TerminationByKubelet", "{pod}");
    }
    let ended = ".status.containerStatuses[0].state.terminated.finishedAt";
    let (ordinary, vital) = (of("ordinary", ended), of("vital -n kube-system", ended));
    assert!(!ordinary.is_empty() && vital >= ordinary, "ordinary at {ordinary}, vital at {vital}");
}
