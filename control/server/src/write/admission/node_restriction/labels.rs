//! Labels of a Node that the node itself may set.

use std::collections::BTreeSet;

use coracle_api::meta;
use serde_json::Value;

/// Labels of Kubernetes' own that a kubelet sets (`k8s.io/kubelet/pkg/apis/well_known_labels.go`).
const OWN: [&str; 12] = [
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "node.kubernetes.io/windows-build",
];
/// Namespaces of labels that are a kubelet's.
const OWN_NAMESPACES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];
/// The namespace of labels that say what a node may run: a node must not say so itself.
const RESTRICTED: &str = "node-restriction.kubernetes.io";

/// The labels that differ between two versions and that a node may not set, sorted.
pub(super) fn forbidden(new: &Value, old: &Value) -> Vec<String> {
    let (new, old) = (meta::labels(new), meta::labels(old));
    let keys: BTreeSet<&str> = new.keys().chain(old.keys()).copied().collect();
    let changed = keys.into_iter().filter(|key| new.get(key) != old.get(key));
    changed.filter(|key| is_forbidden(key)).map(str::to_string).collect()
}

fn is_forbidden(label: &str) -> bool {
    let namespace = label.split_once('/').map_or("", |(namespace, _)| namespace);
    let is_in = |parent: &str| namespace == parent || namespace.ends_with(&format!(".{parent}"));
    let is_kubernetes = is_in("kubernetes.io") || is_in("k8s.io");
    let is_own = OWN.contains(&label) || OWN_NAMESPACES.into_iter().any(is_in);
    is_in(RESTRICTED) || (is_kubernetes && !is_own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_what_it_is_and_not_what_it_may_run() {
        for own in ["kubernetes.io/os", "node.kubernetes.io/x", "a.kubelet.kubernetes.io/x", "example.com/x", "plain"] {
            assert!(!is_forbidden(own), "{own}");
        }
        let not_own = ["node-restriction.kubernetes.io/x", "a.node-restriction.kubernetes.io/x", "kubernetes.io/role"];
        for not_own in not_own.into_iter().chain(["node-role.kubernetes.io/master", "k8s.io/x", "a.k8s.io/x"]) {
            assert!(is_forbidden(not_own), "{not_own}");
        }
    }
}
