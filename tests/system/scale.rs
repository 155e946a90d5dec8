//! Many pods on one node.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::{Cluster, eventually, eventually_within, get};

#[test]
fn a_thousand_replicas_become_ready_and_answer() {
    let cluster = Cluster::with_sample("hello");
    cluster.kubectl("scale deploy/hello --replicas=1000").ok();
    eventually_within(Duration::from_secs(180), "1,000 ready replicas", || {
        let ready = cluster.kubectl("get deploy hello -o jsonpath={.status.readyReplicas}").ok();
        if ready == "1000" { Ok(()) } else { Err(ready) }
    });
    let url = cluster.line("url");
    let mut answered = BTreeSet::new();
    eventually("100 different pods answer", || {
        answered.extend(get(&url));
        if answered.len() >= 100 { Ok(()) } else { Err(format!("{}", answered.len())) }
    });
}
