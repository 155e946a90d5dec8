//! Volumes that follow their objects, and the token that every pod has.

use super::READER;
use crate::harness::guests::{image, push};
use crate::harness::{Cluster, eventually};

/// Waits until the last line that the pod printed is this one.
fn reads(cluster: &Cluster, pod: &str, line: &str) {
    eventually(&format!("{pod} reads {line}"), || {
        let log = cluster.kubectl(&format!("logs {pod} --tail=1")).ok();
        if log.trim_end() == line { Ok(()) } else { Err(log) }
    });
}

fn manifest(name: &str, volume: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels: {{tier: one}}\nspec:\n  \
         terminationGracePeriodSeconds: 1\n  volumes:\n  - name: v\n    {volume}\n  containers:\n  - name: main\n    \
         image: {}\n    volumeMounts: [{{name: v, mountPath: /a}}]\n",
        image("reader")
    )
}

#[test]
fn a_guest_sees_changes_of_its_volumes_while_it_runs() {
    let cluster = Cluster::start();
    push(&cluster, "reader", READER);
    cluster.kubectl("create configmap settings --from-literal=key=one").ok();
    cluster.apply(&manifest("map", "configMap: {name: settings}"));
    cluster.apply(&manifest("late", "secret: {secretName: late, optional: true}"));
    let labels = "downwardAPI: {items: [{path: key, fieldRef: {fieldPath: \"metadata.labels['tier']\"}}]}";
    cluster.apply(&manifest("labels", labels));
    reads(&cluster, "map", "one");
    reads(&cluster, "late", "none");
    reads(&cluster, "labels", "one");
    cluster.kubectl("patch configmap settings -p {\"data\":{\"key\":\"two\"}}").ok();
    cluster.kubectl("create secret generic late --from-literal=key=there").ok();
    cluster.kubectl("label pod labels tier=two --overwrite").ok();
    reads(&cluster, "map", "two");
    reads(&cluster, "late", "there");
    reads(&cluster, "labels", "two");
    cluster.kubectl("delete secret late").ok();
    reads(&cluster, "late", "none");
    let mount = "'{.spec.containers[0].volumeMounts[1].mountPath}'";
    let mount = cluster.kubectl(&format!("get pod map -o jsonpath={mount}")).ok();
    assert_eq!(mount, "/var/run/secrets/kubernetes.io/serviceaccount", "every pod has a token");
}
