//! Persistent volumes that are directories of the node.

use super::READER;
use crate::harness::guests::{image, push};
use crate::harness::{Cluster, eventually};

#[test]
fn a_pod_waits_for_its_claim_and_then_sees_the_volume() {
    let cluster = Cluster::start();
    push(&cluster, "reader", READER);
    let dir = cluster.scratch().join("disk");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("key"), "kept").unwrap();
    cluster.apply(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c}\nspec:\n  storageClassName: ''\n  \
         accessModes: [ReadWriteOnce]\n  resources: {requests: {storage: 1Gi}}\n",
    );
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  terminationGracePeriodSeconds: 1\n  volumes:\n  - \
         name: v\n    persistentVolumeClaim: {{claimName: c}}\n  containers:\n  - name: main\n    image: {}\n    \
         volumeMounts: [{{name: v, mountPath: /a}}]\n",
        image("reader")
    ));
    eventually("the pod tells why it waits", || {
        let events = cluster.kubectl("events --for pod/p").ok();
        let wanted = "error processing PVC default/c: PVC is not bound";
        if events.contains("FailedMount") && events.contains(wanted) { Ok(()) } else { Err(events) }
    });
    let uid = cluster.kubectl("get pvc c -o jsonpath={.metadata.uid}").ok();
    cluster.apply(&format!(
        "apiVersion: v1\nkind: PersistentVolume\nmetadata: {{name: disk}}\nspec:\n  storageClassName: ''\n  capacity: \
         {{storage: 1Gi}}\n  accessModes: [ReadWriteOnce]\n  claimRef: {{namespace: default, name: c, uid: {uid}}}\n  \
         hostPath: {{path: {}}}\n",
        dir.display()
    ));
    // Nobody binds claims here: this is what the controller would write.
    cluster.kubectl("patch pvc c -p {\"spec\":{\"volumeName\":\"disk\"}}").ok();
    cluster.kubectl("patch pvc c --subresource=status -p {\"status\":{\"phase\":\"Bound\"}}").ok();
    eventually("the pod reads the volume", || {
        let log = cluster.kubectl("logs p --tail=1");
        if log.stdout.trim_end() == "kept" { Ok(()) } else { Err(log.stderr) }
    });
}
