//! Pods that the node takes in the place of others, and ports of the node that only one of them can have.

use std::fs;
use std::net::{IpAddr, TcpListener, TcpStream};

use super::{bound, failed, field};
use crate::harness::guests::{self, image, push};
use crate::harness::{Cluster, Options, eventually, get};

/// A pod's resources.
fn cpu(milli: u64) -> String {
    format!("    resources: {{requests: {{cpu: {milli}m}}}}")
}

/// How much CPU the node has, in thousandths.
fn allocatable(cluster: &Cluster) -> u64 {
    let text = field(cluster, "node node", ".status.allocatable.cpu");
    let milli = text.strip_suffix('m').map(str::parse::<u64>);
    milli.unwrap_or_else(|| text.parse::<u64>().map(|cores| cores * 1000)).unwrap()
}

fn ready(cluster: &Cluster, pod: &str) {
    eventually("a ready pod", || {
        cluster
            .kubectl(&format!("wait --for=condition=Ready {pod} --timeout=20s"))
            .result()
            .map_err(|error| format!("{error}\n{}", cluster.kubectl(&format!("describe {pod}")).stdout))
    });
}

fn preempted(cluster: &Cluster, name: &str) {
    let (reason, message) = failed(cluster, name);
    assert_eq!((&*reason, &*message), ("Preempting", "Preempted in order to admit critical pod"));
    let disruption = |what: &str| {
        field(cluster, &format!("pod {name}"), &format!(".status.conditions[?(@.type==\"DisruptionTarget\")].{what}"))
    };
    assert_eq!((&*disruption("status"), &*disruption("reason")), ("True", "TerminationByKubelet"));
    assert_eq!(disruption("message"), "Pod was preempted by Kubelet to accommodate a critical pod.");
    eventually("the event", || {
        let query = format!("get events --field-selector reason=Preempting,involvedObject.name={name}");
        let events = cluster.kubectl(&query).ok();
        if events.contains("Preempted in order to admit critical pod") { Ok(()) } else { Err(events) }
    });
}

#[test]
fn critical_pods_take_the_place_of_lesser_ones() {
    let mut cluster = Cluster::unstarted(Options::default());
    let dir = cluster.scratch().join("static");
    fs::create_dir(&dir).unwrap();
    cluster.options.flags = vec!["--pod-manifest-path".into(), dir.display().to_string()];
    cluster.boot();
    push(&cluster, "ticker", guests::TICKER);
    let all = allocatable(&cluster);
    cluster.apply(&bound("filler", "ticker", &cpu(all)));
    ready(&cluster, "pod/filler");

    // A static pod that lacks nothing but CPU.
    let manifest = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: vital}}\nspec:\n  containers:\n  - name: c\n    image: {}\n{}\n",
        image("ticker"),
        cpu(100)
    );
    fs::write(dir.join("vital.yaml"), &manifest).unwrap();
    preempted(&cluster, "filler");
    ready(&cluster, "pod/vital-node");

    // A pod of the API whose class says that the node can't do without it; the smaller one of two is enough.
    cluster.apply(&bound("small", "ticker", &cpu(200)));
    cluster.apply(&bound("large", "ticker", &cpu(all - 300)));
    ready(&cluster, "pod/small");
    ready(&cluster, "pod/large");
    let critical = |name: &str, milli| {
        let manifest =
            bound(name, "ticker", &cpu(milli)).replacen("metadata:\n", "metadata:\n  namespace: kube-system\n", 1);
        manifest.replacen("spec:\n", "spec:\n  priorityClassName: system-node-critical\n", 1)
    };
    cluster.apply(&critical("essential", 150));
    preempted(&cluster, "small");
    ready(&cluster, "-n kube-system pod/essential");
    assert_eq!(field(&cluster, "pod large", ".status.phase"), "Running");

    // What nobody has can't be had, and a mirror says so for its pod, also when it is made anew.
    let greedy =
        manifest.replacen("name: vital", "name: greedy", 1).replacen("cpu: 100m", &format!("cpu: {}m", all * 2), 1);
    fs::write(dir.join("greedy.yaml"), greedy).unwrap();
    assert_eq!(failed(&cluster, "greedy-node").0, "UnexpectedAdmissionError");
    let uid = field(&cluster, "pod greedy-node", ".metadata.uid");
    cluster.kubectl("delete pod greedy-node --wait=false").ok();
    eventually("another mirror", || {
        let now = field(&cluster, "pod greedy-node", ".metadata.uid");
        if now.is_empty() || now == uid { Err(now) } else { Ok(()) }
    });
    assert_eq!(failed(&cluster, "greedy-node").0, "UnexpectedAdmissionError");
    cluster.apply(&critical("hopeless", all * 2));
    let (reason, message) = failed(&cluster, "-n kube-system hopeless");
    assert_eq!(reason, "UnexpectedAdmissionError");
    let wanted = "Pod was rejected: Unexpected error while attempting to recover from admission failure: preemption: \
                  error finding a set of pods to preempt: no set of running pods found to reclaim resources: [(res: cpu, q: ";
    assert!(message.starts_with(wanted), "{message}");
    assert_eq!(field(&cluster, "pod large", ".status.phase"), "Running");
}

/// A pod of the sample with a host port, bound without the scheduler.
fn with_port(name: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  nodeName: node\n  \
         terminationGracePeriodSeconds: 1\n  containers:\n  - name: c\n    image: registry.coracle.internal/hello:0.1.0\n    \
         ports: [{{containerPort: 8080, hostPort: {port}}}]\n    env: [{{name: POD_NAME, value: {name}}}]\n"
    )
}

#[test]
fn a_host_port_leads_to_its_pod_which_has_it_alone() {
    let cluster = Cluster::with_sample("hello");
    let node = field(&cluster, "node node", ".status.addresses[?(@.type==\"InternalIP\")].address");
    let node: IpAddr = node.parse().unwrap();
    let taken = TcpListener::bind((node, 0)).unwrap();
    let busy = taken.local_addr().unwrap().port();
    let port = TcpListener::bind((node, 0)).unwrap().local_addr().unwrap().port();
    let answer = |port: u16| get(&format!("http://{node}:{port}/"));

    cluster.apply(&with_port("first", port));
    let body = eventually("an answer at the node's address", || answer(port));
    assert!(body.contains("first"), "{body}");
    cluster.apply(&with_port("second", port));
    let (reason, message) = failed(&cluster, "second");
    assert_eq!(reason, "NodePorts");
    let wanted = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
    assert_eq!(message, format!("Pod was rejected: {wanted}"));
    assert!(answer(port).unwrap().contains("first"));

    // Somebody else listens there: the pod runs, says what it lacks, and has it as soon as it is free.
    cluster.apply(&with_port("unlucky", busy));
    ready(&cluster, "pod/unlucky");
    let told = eventually("the event", || {
        let events = cluster.kubectl("get events --field-selector involvedObject.name=unlucky,type=Warning").ok();
        if events.contains("HostPortConflict") { Ok(events) } else { Err(events) }
    });
    assert!(
        told.contains(&format!("cannot open hostport {busy}: listen {node}:{busy}: Address already in use")),
        "{told}"
    );
    drop(taken);
    let body = eventually("an answer at the port that was taken", || answer(busy));
    assert!(body.contains("unlucky"), "{body}");

    // Who comes after the first has it.
    cluster.kubectl("delete pod first --timeout=60s").ok();
    eventually("nobody at the port", || match TcpStream::connect((node, port)) {
        Ok(_) => Err("somebody listens".to_owned()),
        Err(_) => Ok(()),
    });
    cluster.apply(&with_port("third", port));
    let body = eventually("an answer of the third", || answer(port));
    assert!(body.contains("third"), "{body}");
}
