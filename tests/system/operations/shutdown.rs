//! A node that stops for good ends its pods itself.

use super::field;
use crate::harness::guests::{self, pod, push};
use crate::harness::{Cluster, Options};

#[test]
fn pods_end_with_the_node_when_they_are_given_the_time() {
    let flags = ["--shutdown-grace-period", "10s", "--shutdown-grace-period-critical-pods", "2s"];
    let flags = flags.map(String::from).to_vec();
    let mut cluster = Cluster::start_with(Options { flags, ..Options::default() });
    push(&cluster, "ticker", guests::TICKER);
    cluster.apply(&pod("ticker", "Always", ""));
    cluster.kubectl("wait --for=condition=Ready pod/ticker --timeout=60s").ok();
    cluster.stop();
    cluster.boot();
    assert_eq!(field(&cluster, "pod ticker", ".status.phase"), "Failed");
    assert_eq!(field(&cluster, "pod ticker", ".status.reason"), "Terminated");
    let message = field(&cluster, "pod ticker", ".status.message");
    assert_eq!(message, "Pod was terminated in response to imminent node shutdown.");
    cluster.kubectl("wait --for=condition=Ready node/node --timeout=60s").ok();
}
