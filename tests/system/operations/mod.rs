//! Operating a node: what it uses, pods of its own, what it does when it runs short and when it stops for good.

mod admission;
mod shortage;
mod shutdown;
mod statics;
mod usage;

use crate::harness::guests::pod;
use crate::harness::{Cluster, eventually};

/// A field of an object, by JSONPath; empty while there is none.
fn field(cluster: &Cluster, object: &str, path: &str) -> String {
    cluster.kubectl(&format!("get {object} -o jsonpath={{{path}}}")).result().unwrap_or_default()
}

/// The guest's pod, bound without the scheduler.
fn bound(name: &str, guest: &str, resources: &str) -> String {
    let manifest = pod(guest, "Always", resources).replacen(&format!("name: {guest}"), &format!("name: {name}"), 1);
    manifest.replacen("spec:\n", "spec:\n  nodeName: node\n", 1)
}

/// Reason and message of a pod, once it has failed.
fn failed(cluster: &Cluster, name: &str) -> (String, String) {
    eventually("a pod that fails", || {
        let object = format!("pod {name}");
        match field(cluster, &object, ".status.phase").as_str() {
            "Failed" => Ok((field(cluster, &object, ".status.reason"), field(cluster, &object, ".status.message"))),
            other => Err(format!("{other}: {}", cluster.kubectl(&format!("describe pod {name}")).stdout)),
        }
    })
}
