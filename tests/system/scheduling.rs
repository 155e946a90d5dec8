//! Pods that no node takes: what they are told, and that they go as soon as they can.

use crate::harness::guests::{self, push};
use crate::harness::{Cluster, eventually};

const HELPLESS: &str = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";

/// An event and the pod's condition give the reason.
fn expect_unschedulable(cluster: &Cluster, pod: &str, why: &str) {
    let expected = format!("0/1 nodes are available: {why}. {HELPLESS}");
    eventually(why, || {
        let events = cluster.kubectl(&format!("events --for pod/{pod}")).ok();
        if events.contains("FailedScheduling") && events.contains(&expected) { Ok(()) } else { Err(events) }
    });
    let condition = "{.status.conditions[?(@.type==\"PodScheduled\")]}";
    eventually(why, || {
        let found = cluster.kubectl(&format!("get pod {pod} -o 'jsonpath={condition}'")).ok();
        let said = found.contains("\"reason\":\"Unschedulable\"") && found.contains("\"status\":\"False\"");
        if said && found.contains(&expected) { Ok(()) } else { Err(found) }
    });
}

fn expect_done(cluster: &Cluster, pod: &str) {
    cluster.kubectl(&format!("wait --for=jsonpath={{.status.phase}}=Succeeded pod/{pod} --timeout=60s")).ok();
}

/// A cluster and the manifest of a pod that ends at once, with further fields of its spec.
fn quick() -> (Cluster, impl Fn(&str) -> String) {
    let cluster = Cluster::start();
    push(&cluster, "quick", guests::QUICK);
    (cluster, |more: &str| guests::pod("quick", "Never", more))
}

#[test]
fn requests_beyond_the_node_are_not_met() {
    let (cluster, pod) = quick();
    cluster.apply(&pod("    resources: {requests: {cpu: 4k}}\n"));
    expect_unschedulable(&cluster, "quick", "1 Insufficient cpu");
    cluster.kubectl("delete pod quick").ok();
    cluster.apply(&pod("    resources: {requests: {cpu: 4k, memory: 1Ei}}\n"));
    expect_unschedulable(&cluster, "quick", "1 Insufficient cpu, 1 Insufficient memory");
}

#[test]
fn a_selector_waits_for_its_label() {
    let (cluster, pod) = quick();
    cluster.apply(&pod("  nodeSelector: {disk: fast}\n"));
    expect_unschedulable(&cluster, "quick", "1 node(s) didn't match Pod's node affinity/selector");
    cluster.kubectl("label node node disk=fast").ok();
    expect_done(&cluster, "quick");
}

#[test]
fn a_taint_keeps_out_whom_it_is_not_tolerated_by() {
    let (cluster, pod) = quick();
    cluster.kubectl("taint node node team=red:NoSchedule").ok();
    cluster.apply(&pod(""));
    expect_unschedulable(&cluster, "quick", "1 node(s) had untolerated taint {team: red}");
    let tolerant = pod("  tolerations: [{key: team, value: red, effect: NoSchedule}]\n");
    cluster.apply(&tolerant.replace("name: quick\n", "name: tolerant\n"));
    expect_done(&cluster, "tolerant");
    cluster.kubectl("taint node node team-").ok();
    expect_done(&cluster, "quick");
}

#[test]
fn a_cordoned_node_takes_nothing_until_it_is_uncordoned() {
    let (cluster, pod) = quick();
    cluster.kubectl("cordon node").ok();
    assert!(cluster.kubectl("get node node").ok().contains("Ready,SchedulingDisabled"));
    cluster.apply(&pod(""));
    expect_unschedulable(&cluster, "quick", "1 node(s) were unschedulable");
    cluster.kubectl("uncordon node").ok();
    expect_done(&cluster, "quick");
}
