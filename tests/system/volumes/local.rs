//! Persistent volumes of kind `local`: directories of one node.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::boxes::{cluster, output, pod};
use crate::harness::{Cluster, eventually};

const MOUNT: &str = "volumeMounts: [{ name: v, mountPath: /d }]";

/// A local volume of the nodes of this name, made for a claim that names it, and both bound as a binder would.
fn bound(cluster: &Cluster, name: &str, dir: &Path, node: &str) {
    let hostname = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [node]});
    let affinity = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [hostname]}]}});
    let claim_ref = json!({"namespace": "default", "name": name});
    let amount = json!({"storage": "1Gi"});
    let object =
        |kind: &str, spec: Value| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let common = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "local"});
    let mut volume = object("PersistentVolume", common.clone());
    volume["spec"]["capacity"] = amount.clone();
    volume["spec"]["claimRef"] = claim_ref;
    volume["spec"]["local"] = json!({"path": dir});
    volume["spec"]["nodeAffinity"] = affinity;
    let mut claim = object("PersistentVolumeClaim", common);
    claim["spec"]["resources"] = json!({"requests": amount});
    claim["spec"]["volumeName"] = json!(name);
    cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [volume, claim]}).to_string());
    let uid = cluster.kubectl(&format!("get pvc {name} -o jsonpath={{.metadata.uid}}")).ok();
    cluster.kubectl(&format!("patch pv {name} -p {{\"spec\":{{\"claimRef\":{{\"uid\":\"{uid}\"}}}}}}")).ok();
    for kind in ["pv", "pvc"] {
        cluster
            .kubectl(&format!("patch {kind} {name} --subresource=status -p {{\"status\":{{\"phase\":\"Bound\"}}}}"))
            .ok();
    }
}

fn volume(claim: &str) -> String {
    format!("volumes: [{{ name: v, persistentVolumeClaim: {{ claimName: {claim} }} }}]")
}

/// What one pod writes into a local volume is on the node's disk, and the next pod reads it.
#[test]
fn what_is_written_outlives_the_pod() {
    let cluster = cluster();
    let dir = cluster.scratch().join("disk");
    std::fs::create_dir(&dir).expect("the scratch directory can be written");
    bound(&cluster, "disk", &dir, "node");
    let script = "[sh, -c, 'mkdir /d/deep; write /d/deep/kept one']";
    output(&cluster, &pod("first", script, MOUNT, &volume("disk")), "first");
    cluster.kubectl("delete pod first").ok();
    let kept = std::fs::read_to_string(dir.join("deep/kept")).expect("the pod's end leaves the volume's files");
    assert_eq!(kept, "one");
    assert_eq!(output(&cluster, &pod("second", "[cat, /d/deep/kept]", MOUNT, &volume("disk")), "second"), "one");
}

/// A pod whose volume is another node's, or is not there, says so in kubelet's words and by the volume's own name, and
/// starts once it is there.
#[test]
fn a_volume_that_is_not_here_is_waited_for() {
    let cluster = cluster();
    let (late, elsewhere) = (cluster.scratch().join("late"), cluster.scratch().join("elsewhere"));
    std::fs::create_dir(&elsewhere).expect("the scratch directory can be written");
    bound(&cluster, "late", &late, "node");
    bound(&cluster, "elsewhere", &elsewhere, "other");
    for name in ["late", "elsewhere"] {
        cluster.apply(&pod(name, "[sleep, '1000']", MOUNT, &format!("{}\nnodeName: node", volume(name))));
    }
    let tells = |pod: &str, wanted: String| {
        eventually(&wanted, || {
            let events = cluster.kubectl(&format!("events --for pod/{pod}")).ok();
            if events.contains("FailedMount") && events.contains(&wanted) { Ok(()) } else { Err(events) }
        });
    };
    let missing = format!("path {:?} does not exist", late.display().to_string());
    tells("late", format!("MountVolume.NewMounter initialization failed for volume \"late\" : {missing}"));
    let affinity = "MountVolume.NodeAffinity check failed for volume \"elsewhere\" : no matching NodeSelectorTerms";
    tells("elsewhere", affinity.to_owned());
    std::fs::create_dir(&late).expect("the scratch directory can be written");
    cluster.kubectl("wait --for=condition=Ready pod/late --timeout=60s").ok();
    assert_eq!(cluster.kubectl("get pod elsewhere -o jsonpath={.status.phase}").ok(), "Pending");
}
