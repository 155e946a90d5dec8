//! A node whose disk gets full, or that has too few process numbers.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use super::{field, guest, images_here, pod, ready, shows, tells};
use crate::harness::guests::{self, image, push};
use crate::harness::{Cluster, Options, eventually, run};

const GIB: u64 = 1 << 30;

/// What is free on the disk of the cluster's directory.
fn available(cluster: &Cluster) -> u64 {
    let told = run(Command::new("df").args(["--output=avail", "--block-size=1"]).arg(cluster.scratch())).ok();
    told.lines().last().and_then(|line| line.trim().parse().ok()).unwrap_or_else(|| panic!("df says {told}"))
}

/// A condition of the node: status, reason, message.
fn condition(cluster: &Cluster, kind: &str) -> [String; 3] {
    ["status", "reason", "message"]
        .map(|part| field(cluster, "node node", &format!(".status.conditions[?(@.type==\"{kind}\")].{part}")))
}

/// Waits for a condition of the node, and for the taint that follows from it.
fn is_under(cluster: &Cluster, kind: &str, reason: &str, message: &str, taint: &str) {
    eventually(kind, || {
        let found = condition(cluster, kind);
        if found == ["True", reason, message] { Ok(()) } else { Err(format!("{found:?}")) }
    });
    shows(cluster, "node node", &format!(".spec.taints[?(@.key==\"{taint}\")].effect"), "NoSchedule");
}

/// Reason and message of a pod that has failed.
fn why(cluster: &Cluster, name: &str) -> [String; 2] {
    shows(cluster, &format!("pod {name}"), ".status.phase", "Failed");
    ["reason", "message"].map(|part| field(cluster, &format!("pod {name}"), &format!(".status.{part}")))
}

/// The directory of the pod's volume `d`.
fn volume(cluster: &Cluster, name: &str) -> PathBuf {
    let uid = field(cluster, &format!("pod {name}"), ".metadata.uid");
    cluster.data_dir().join("node/pods").join(format!("default_{name}_{uid}")).join("volumes/d")
}

/// A file that takes so much of the disk, without being written.
fn fill(path: PathBuf, bytes: u64) {
    let file = File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    drop(file);
    run(Command::new("fallocate").arg("--length").arg(bytes.to_string()).arg(path)).ok();
}

/// A cluster with the guests, and two pods of which one has a volume.
fn two_pods() -> Cluster {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    push(&cluster, "quick", guests::QUICK);
    let class = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: dear}\nvalue: 1000\n";
    cluster.apply(class);
    let mount = "volumeMounts: [{name: d, mountPath: /d}]";
    cluster.apply(&guest("hoarder", "ticker", mount, "volumes: [{name: d, emptyDir: {}}]"));
    cluster.apply(&guest("dear", "ticker", "", "priorityClassName: dear"));
    cluster.apply(&guest("once", "quick", "", "restartPolicy: Never"));
    ready(&cluster, "hoarder");
    ready(&cluster, "dear");
    cluster.kubectl("wait --for=jsonpath={.status.phase}=Succeeded pod/once --timeout=60s").ok();
    cluster.kubectl("delete pod once --timeout=60s").ok();
    cluster
}

/// A full disk is told of by condition and taint; no pod is taken, unused images go, and then one pod, with its volumes;
/// that is enough, so the other one stays, and after a while the node is well again.
#[test]
fn a_full_disk_costs_the_least_important_pod() {
    let mut cluster = two_pods();
    cluster.stop();
    // Others use the disk meanwhile: half of the file is for them.
    let (free, mut flags) = (available(&cluster), Vec::new());
    let size = (8 * GIB).min(free / 4);
    flags.push(format!("--eviction-hard=nodefs.available<{}", free - size / 2));
    flags.push("--eviction-pressure-transition-period=1s".into());
    flags.push("--image-minimum-gc-age=0s".into());
    cluster.options = Options { flags, ..Options::default() };
    cluster.boot();
    ready(&cluster, "hoarder");
    ready(&cluster, "dear");
    assert_eq!(condition(&cluster, "DiskPressure")[..2], ["False", "KubeletHasNoDiskPressure"]);
    assert!(images_here(&cluster.data_dir()).contains("guest/quick:1"), "nothing has been short of anything");

    fill(volume(&cluster, "hoarder").join("hoard"), size);
    shows(&cluster, "pod hoarder", ".status.phase", "Failed");
    let [reason, message] = why(&cluster, "hoarder");
    assert_eq!(reason, "Evicted");
    let start = format!(
        "The node was low on resource: ephemeral-storage. Threshold quantity: {}, available: ",
        free - size / 2
    );
    assert!(message.starts_with(&start), "{message}");
    let uses = "request is 0, has larger consumption of ephemeral-storage. ";
    assert!(message.contains("Container main was using ") && message.ends_with(uses), "{message}");
    tells(&cluster, "hoarder", "Evicted");
    let node = cluster.kubectl("get events --field-selector involvedObject.kind=Node").ok();
    for wanted in ["EvictionThresholdMet", "Attempting to reclaim ephemeral-storage", "NodeHasDiskPressure"] {
        assert!(node.contains(wanted), "{wanted}: {node}");
    }
    assert!(!images_here(&cluster.data_dir()).contains("guest/quick:1"));

    // Its volumes went with it, so there is nothing that another pod's end would help.
    eventually("the node is well again", || match &condition(&cluster, "DiskPressure")[0] {
        status if status == "False" => Ok(()),
        other => Err(other.clone()),
    });
    shows(&cluster, "node node", ".spec.taints", "");
    assert_eq!(field(&cluster, "pod dear", ".status.phase"), "Running");
    assert!(!volume(&cluster, "hoarder").exists());
    assert!(cluster.kubectl("logs hoarder --tail=1").ok().contains("tick"), "its log stays as long as the pod");
}

/// A node that is short of anything but memory takes nobody, and says of what; also of process numbers.
#[test]
fn a_node_short_of_disk_and_process_numbers_takes_nobody() {
    let flags = vec!["--eviction-hard=nodefs.available<1Pi,pid.available<1Gi".into()];
    let cluster = Cluster::start_with(Options { flags, ..Options::default() });
    let (disk, processes) = ("node.kubernetes.io/disk-pressure", "node.kubernetes.io/pid-pressure");
    is_under(&cluster, "DiskPressure", "KubeletHasDiskPressure", "kubelet has disk pressure", disk);
    let message = "kubelet has insufficient PID available";
    is_under(&cluster, "PIDPressure", "KubeletHasInsufficientPID", message, processes);
    assert_eq!(condition(&cluster, "MemoryPressure")[0], "False");
    cluster.apply(&pod("bound", &image("none"), "", "nodeName: node"));
    let refusal = "Pod was rejected: The node had condition: [DiskPressure PIDPressure]. ";
    assert_eq!(why(&cluster, "bound"), ["Evicted", refusal]);
    // The scheduler goes by the taints.
    cluster.apply(&pod("waiting", &image("none"), "", ""));
    let path = ".status.conditions[?(@.type==\"PodScheduled\")].message";
    let message = eventually("the scheduler's answer", || {
        let found = field(&cluster, "pod waiting", path);
        if found.is_empty() { Err(found) } else { Ok(found) }
    });
    assert!(message.starts_with("0/1 nodes are available: 1 node(s) had untolerated taint"), "{message}");
}
