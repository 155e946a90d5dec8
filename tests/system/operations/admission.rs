//! Pods that the node takes in the place of others.

use std::fs;

use super::{bound, failed, field};
use crate::harness::guests::{self, image, push};
use crate::harness::{Cluster, Options, eventually};

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
    fs::write(dir.join("vital.yaml"), manifest).unwrap();
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

    // What nobody has can't be had.
    cluster.apply(&critical("hopeless", all * 2));
    let (reason, message) = failed(&cluster, "-n kube-system hopeless");
    assert_eq!(reason, "UnexpectedAdmissionError");
    let wanted = "Pod was rejected: Unexpected error while attempting to recover from admission failure: preemption: \
                  error finding a set of pods to preempt: no set of running pods found to reclaim resources: [(res: cpu, q: ";
    assert!(message.starts_with(wanted), "{message}");
    assert_eq!(field(&cluster, "pod large", ".status.phase"), "Running");
}
