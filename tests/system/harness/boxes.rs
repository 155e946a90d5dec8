//! Pods of the toolbox, and what is asked of them.

use super::guests::{TOOLBOX, push_toolbox};
use super::{Cluster, eventually};

/// A cluster that has the toolbox in its registry.
pub fn cluster() -> Cluster {
    let cluster = Cluster::start();
    push_toolbox(&cluster);
    cluster
}

/// A pod of one container that runs `command` (a YAML list); `more` are further lines of the container, `spec` of the pod.
pub fn pod(name: &str, command: &str, more: &str, spec: &str) -> String {
    let indented =
        |text: &str, by: usize| -> String { text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect() };
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels: {{ app: {name} }}\n  annotations: {{ note: first }}\n\
         spec:\n  restartPolicy: Never\n  terminationGracePeriodSeconds: 1\n{}  containers:\n  - name: main\n    image: {TOOLBOX}\n    \
         command: {command}\n{}",
        indented(spec, 2),
        indented(more, 4)
    )
}

/// Applies a pod, waits for its end and gives its log.
pub fn output(cluster: &Cluster, manifest: &str, name: &str) -> String {
    cluster.apply(manifest);
    ended(cluster, name);
    cluster.kubectl(&format!("logs {name}")).ok()
}

/// Waits until the pod has succeeded.
pub fn ended(cluster: &Cluster, name: &str) {
    cluster.kubectl(&format!("wait --for=jsonpath={{.status.phase}}=Succeeded pod/{name} --timeout=60s")).ok();
}

/// Waits until the pod is Ready.
pub fn ready(cluster: &Cluster, name: &str) {
    cluster.kubectl(&format!("wait --for=condition=Ready pod/{name} --timeout=60s")).ok();
}

/// Waits until a field of the pod is this; `path` is a JSONPath without its braces.
pub fn shows(cluster: &Cluster, name: &str, path: &str, wanted: &str) {
    eventually(&format!("{path} is {wanted}"), || {
        let found = cluster.kubectl(&format!("get pod {name} -o jsonpath={{{path}}}")).result()?;
        if found == wanted { Ok(()) } else { Err(found) }
    });
}
