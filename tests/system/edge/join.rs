//! A node that joins takes pods like any other, beside those that are there.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::{EdgeNode, expect, field, pod_on, ready};
use crate::harness::guests::push_sample;
use crate::harness::{Cluster, eventually, get, run};

/// Whether an address is in a network of a /17, as nodes choose them.
fn is_within(address: &str, network: &str) -> bool {
    let (network, prefix) = network.split_once('/').expect("a network has a prefix");
    let number = |text: &str| u32::from(text.parse::<Ipv4Addr>().expect("an IPv4 address"));
    let shift = 32 - prefix.parse::<u32>().expect("a number");
    number(address) >> shift == number(network) >> shift
}

fn answers(address: &str) {
    eventually("an answer", || get(&format!("http://{address}")));
}

#[test]
fn a_joined_node_is_ready_without_taints_and_runs_pods() {
    let cluster = Cluster::start();
    push_sample(&cluster, "hello");
    let mut edge = EdgeNode::unstarted(&cluster, "edge");
    edge.flags = ["--node-labels", "zone=north,tier=edge"].map(String::from).to_vec();
    edge.boot();
    cluster.kubectl("wait --for=condition=Ready node/edge --timeout=60s").ok();
    expect(&cluster, "get node edge -o jsonpath={.spec.taints[*].key}", "");
    assert_eq!(field(&cluster, "node edge", ".metadata.labels.zone"), "north");
    assert_eq!(field(&cluster, "node edge", ".metadata.labels.tier"), "edge");
    let network = field(&cluster, "node edge", ".spec.podCIDR");
    assert_eq!(network, edge.line("pods"));
    assert_eq!(field(&cluster, "node edge", ".status.addresses[0].address"), edge.line("address"));
    let holder = cluster.kubectl("get lease edge -n kube-node-lease -o jsonpath={.spec.holderIdentity}").ok();
    assert_eq!(holder, "edge");

    cluster.apply(&pod_on("edge", "hello", "hello"));
    let address = ready(&cluster, "hello");
    assert_eq!(field(&cluster, "pod hello", ".spec.nodeName"), "edge");
    assert!(is_within(&address, &network), "{address} is not in {network}");
    answers(&format!("{address}:8080"));
    cluster.kubectl("expose pod hello --port 80 --target-port 8080 --type NodePort").ok();
    let port = field(&cluster, "service hello", ".spec.ports[0].nodePort");
    answers(&format!("{}:{port}", edge.line("address")));
    let service = field(&cluster, "service hello", ".spec.clusterIP");
    answers(&format!("{service}:80"));

    let (status, took) = edge.stop();
    assert!(status.success() && took < Duration::from_secs(3), "{status} after {took:?}");
    // Its pods are where they were when it comes back.
    edge.boot();
    assert_eq!(edge.line("pods"), network);
    answers(&format!("{address}:8080"));
    assert_eq!(field(&cluster, "pod hello", ".status.podIP"), address);
    cluster.kubectl("delete pod hello --timeout=60s").ok();
}

#[test]
fn nodes_work_side_by_side_and_one_goes_without_the_others() {
    let cluster = Cluster::start();
    push_sample(&cluster, "hello");
    let mut one = EdgeNode::join(&cluster, "one");
    let two = EdgeNode::join(&cluster, "two");
    assert_ne!(one.line("pods"), two.line("pods"));
    for node in ["node", "one", "two"] {
        cluster.apply(&pod_on(node, &format!("on-{node}"), "hello"));
    }
    let addresses = ["on-node", "on-one", "on-two"].map(|pod| ready(&cluster, pod));
    assert!(is_within(&addresses[1], &one.line("pods")) && is_within(&addresses[2], &two.line("pods")));
    addresses.iter().for_each(|address| answers(&format!("{address}:8080")));

    let (status, _) = one.stop();
    assert!(status.success(), "{status}");
    assert!(get(&format!("http://{}:8080", addresses[1])).is_err(), "the pod of the node that has gone answers");
    for address in [&addresses[0], &addresses[2]] {
        answers(&format!("{address}:8080"));
    }
    // And Services still lead to what is left.
    cluster.kubectl("expose pod on-two --port 80 --target-port 8080").ok();
    answers(&format!("{}:80", field(&cluster, "service on-two", ".spec.clusterIP")));
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let cluster = Cluster::start();
    let twin = EdgeNode::unstarted(&cluster, "node");
    let complaint = run(&mut twin.command()).failed();
    assert!(complaint.contains("the cluster has a node node already, and it is alive"), "{complaint}");
    // What is wrong with a kubeconfig is said with its name.
    let mut astray = crate::harness::coracle();
    let complaint = run(astray.args(["node", "--kubeconfig", "/nonexistent"])).failed();
    assert!(complaint.contains("cannot read /nonexistent"), "{complaint}");
}
