//! Nodes that are processes of their own and join by kubeconfig.

mod away;
mod away_kinds;
mod bootstrapping;
mod issuers;
mod join;
mod node;
mod proxy;
mod strangers;
mod tokens;
mod visits;

pub use node::EdgeNode;

use crate::harness::{Cluster, eventually};

/// A field of an object, by jsonpath.
fn field(cluster: &Cluster, object: &str, path: &str) -> String {
    cluster.kubectl(&format!("get {object} -o jsonpath={{{path}}}")).ok()
}

/// How a server's container is asked whether it is ready.
const PROBE: &str = ", readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}";

/// A pod of a guest or sample that is pushed, bound to the node by its label.
fn pod_on(node: &str, name: &str, guest: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\n\
         spec:\n  nodeSelector: {{kubernetes.io/hostname: {node}}}\n  terminationGracePeriodSeconds: 1\n  \
         containers: [{{name: main, image: registry.coracle.internal/guest/{guest}:1{PROBE}}}]\n"
    )
}

/// Waits until the pod is ready; its address.
fn ready(cluster: &Cluster, pod: &str) -> String {
    cluster.kubectl(&format!("wait --for=condition=Ready pod/{pod} --timeout=60s")).ok();
    field(cluster, &format!("pod {pod}"), ".status.podIP")
}

/// Waits for an event of this reason about an object: events come late rather than never.
fn event_comes(cluster: &Cluster, name: &str, reason: &str) {
    eventually(&format!("an event {reason} about {name}"), || {
        let about = format!("--field-selector involvedObject.name={name},reason={reason}");
        let found = cluster.kubectl(&format!("get events {about} -o name")).result()?;
        if found.is_empty() { Err("there is none".to_owned()) } else { Ok(()) }
    });
}

/// Waits until a command prints what is wanted.
fn expect(cluster: &Cluster, query: &str, wanted: &str) {
    eventually(query, || {
        let found = cluster.kubectl(query).result()?;
        if found == wanted { Ok(()) } else { Err(format!("{found:?} is not {wanted:?}")) }
    });
}
