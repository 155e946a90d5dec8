//! Static pods and their mirrors.

use std::fs;
use std::path::Path;

use super::field;
use crate::harness::guests::{self, image, push};
use crate::harness::{Cluster, Options, eventually};

fn write(dir: &Path, name: &str, guest: &str, label: &str) {
    let manifest = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: {label}}}}}\nspec:\n  terminationGracePeriodSeconds: 1\n  \
         containers: [{{name: c, image: '{}', imagePullPolicy: IfNotPresent}}]\n",
        image(guest)
    );
    fs::write(dir.join(format!("{name}.yaml")), manifest).unwrap();
}

#[test]
fn a_file_is_a_pod_with_a_mirror() {
    let mut cluster = Cluster::unstarted(Options::default());
    let dir = cluster.scratch().join("static");
    fs::create_dir(&dir).unwrap();
    cluster.options.flags = vec!["--pod-manifest-path".into(), dir.display().to_string()];
    cluster.boot();
    push(&cluster, "ticker", guests::TICKER);
    write(&dir, "clock", "ticker", "one");
    fs::write(dir.join("broken.yaml"), "kind: [").unwrap();
    let ready = |cluster: &Cluster| {
        let status = ".status.conditions[?(@.type==\"Ready\")].status";
        eventually("a ready mirror", || {
            let status = field(cluster, "pod clock-node", status);
            if status == "True" { Ok(()) } else { Err(cluster.kubectl("get pod clock-node -o yaml").stdout) }
        });
    };
    ready(&cluster);
    let annotation =
        |key: &str| field(&cluster, "pod clock-node", &format!(".metadata.annotations.kubernetes\\.io/config\\.{key}"));
    assert_eq!((annotation("source"), annotation("mirror")), ("file".into(), annotation("hash")));
    assert_eq!(field(&cluster, "pod clock-node", ".metadata.ownerReferences[0].kind"), "Node");
    let started = ".status.containerStatuses[0].state.running.startedAt";
    let began = field(&cluster, "pod clock-node", started);
    assert!(cluster.kubectl("logs clock-node --tail=1").ok().contains("tick"));
    let told = eventually("the broken file's event", || {
        let events = cluster.kubectl("get events --field-selector reason=FailedValidation").ok();
        if events.contains("broken.yaml") { Ok(events) } else { Err(events) }
    });
    assert!(told.contains("couldn't parse as pod"), "{told}");

    // Deleting the mirror does nothing to the pod; another one comes and says the same.
    let uid = field(&cluster, "pod clock-node", ".metadata.uid");
    cluster.kubectl("delete pod clock-node --wait=false").ok();
    eventually("another mirror", || {
        let now = field(&cluster, "pod clock-node", ".metadata.uid");
        if now.is_empty() || now == uid { Err(now) } else { Ok(()) }
    });
    ready(&cluster);
    assert_eq!(field(&cluster, "pod clock-node", started), began);

    // Another file is another pod.
    let id = |cluster: &Cluster| field(cluster, "pod clock-node", ".status.containerStatuses[0].containerID");
    let former = id(&cluster);
    write(&dir, "clock", "ticker", "two");
    eventually("the changed pod", || {
        let label = field(&cluster, "pod clock-node", ".metadata.labels.app");
        if label == "two" { Ok(()) } else { Err(label) }
    });
    ready(&cluster);
    assert_ne!(id(&cluster), former);
    fs::remove_file(dir.join("clock.yaml")).unwrap();
    eventually("no mirror", || {
        let pods = cluster.kubectl("get pods -o name").ok();
        if pods.is_empty() { Ok(()) } else { Err(pods) }
    });
}
