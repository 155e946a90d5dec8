//! What a user of Kubernetes would notice at once if it were different: stories told by events, answers to odd commands.

use crate::harness::{Cluster, eventually};

/// The reasons of all events about an object, in the order of the list.
fn story(cluster: &Cluster, kind: &str, name: &str) -> String {
    let of = format!("involvedObject.kind={kind},involvedObject.name={name}");
    cluster.kubectl(&format!("get events --field-selector {of} -o jsonpath={{.items[*].reason}}")).ok()
}

fn expect_story(cluster: &Cluster, kind: &str, name: &str, expected: &str) {
    eventually("the events", || {
        let told = story(cluster, kind, name);
        if told == expected { Ok(()) } else { Err(format!("{told:?} is not {expected:?}")) }
    });
}

fn first_pod(cluster: &Cluster) -> String {
    cluster.kubectl("get pods -l app=hello -o jsonpath={.items[0].metadata.name}").ok()
}

#[test]
fn events_tell_a_pod_s_and_a_node_s_story_in_order() {
    let cluster = Cluster::with_sample("hello");
    let pod = first_pod(&cluster);
    expect_story(&cluster, "Pod", &pod, "Scheduled Pulling Pulled Created Started");
    cluster.kubectl(&format!("delete pod {pod}")).ok();
    expect_story(&cluster, "Pod", &pod, "Scheduled Pulling Pulled Created Started Killing");
    eventually("the node's events", || {
        let node = cluster.kubectl("describe node node").ok();
        let told = ["Starting kubelet.", "Registered Node node in Controller", "Node node status is now: NodeReady"];
        if told.iter().all(|line| node.contains(line)) { Ok(()) } else { Err(node) }
    });
}

#[test]
fn a_deleted_node_registers_again() {
    let cluster = Cluster::with_sample("hello");
    let uid = || cluster.kubectl("get node node -o jsonpath={.metadata.uid}").result();
    let before = uid().unwrap();
    cluster.kubectl("delete node node").ok();
    eventually("another Node object", || {
        let now = uid()?;
        if now == before { Err(now) } else { Ok(()) }
    });
    cluster.kubectl("wait --for=condition=Ready node/node --timeout=30s").ok();
    assert!(story(&cluster, "Node", "node").contains("RemovingNode"));
}

#[test]
fn drain_empties_a_node() {
    let cluster = Cluster::with_sample("hello");
    let pod = first_pod(&cluster);
    let drained = cluster.kubectl("drain node --timeout=30s").ok();
    assert!(drained.contains(&format!("pod/{pod}")) && drained.ends_with("node/node drained\n"), "{drained}");
    assert!(cluster.kubectl(&format!("get pod {pod}")).failed().contains("NotFound"));
    cluster.kubectl("uncordon node").ok();
    cluster.kubectl("rollout status deploy/hello --timeout=30s").ok();
}

#[test]
fn endpoints_are_deprecated_whatever_one_does_with_them() {
    let cluster = Cluster::start();
    let warning = "Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\n";
    let manifest = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: e}\n";
    for (line, input) in [("create -f -", manifest), ("get ep", ""), ("get ep e -o yaml", ""), ("delete ep e", "")] {
        let done = cluster.kubectl_with_input(line, input);
        assert_eq!((done.code, &*done.stderr), (0, warning), "kubectl {line}");
    }
    assert_eq!(cluster.kubectl("get endpointslices").stderr, "");
}

#[test]
fn client_side_apply_becomes_server_side_without_conflict() {
    let cluster = Cluster::start();
    let manifest = |value: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, labels: {{a: b}}}}\ndata: {{k: '{value}'}}\n")
    };
    cluster.apply(&manifest("1"));
    cluster.kubectl_with_input("apply --server-side -f -", &manifest("2")).ok();
    assert_eq!(cluster.kubectl("get cm c -o jsonpath={.data.k}").ok(), "2");
    let other = cluster.kubectl_with_input("apply --server-side --field-manager=other -f -", &manifest("3")).failed();
    assert!(other.contains("conflict"), "{other}");
}

#[test]
fn the_last_label_leaves_nothing_behind() {
    let cluster = Cluster::start();
    cluster.kubectl("create cm c").ok();
    cluster.kubectl("label cm c a=b").ok();
    cluster.kubectl("label cm c a-").ok();
    let object = cluster.kubectl("get cm c -o json").ok();
    assert!(!object.contains("labels"), "{object}");
}
