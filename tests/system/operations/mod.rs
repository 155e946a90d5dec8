//! Operating a node: what it uses, pods of its own, what it does when it runs short and when it stops for good.

mod shortage;
mod shutdown;
mod statics;
mod usage;

use crate::harness::Cluster;

/// A field of an object, by JSONPath; empty while there is none.
fn field(cluster: &Cluster, object: &str, path: &str) -> String {
    cluster.kubectl(&format!("get {object} -o jsonpath={{{path}}}")).result().unwrap_or_default()
}
