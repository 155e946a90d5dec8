//! Fields that pods can be selected by.

use serde_json::Value;

use crate::catalog::SelectableField;
use crate::kinds::json::{boolean, list, text};

/// In the order of `pkg/apis/core/v1/conversion.go`.
pub(super) const SELECTABLE: &[SelectableField] = &[
    ("spec.nodeName", |p| text(p, "spec.nodeName").to_string()),
    ("spec.restartPolicy", |p| text(p, "spec.restartPolicy").to_string()),
    ("spec.schedulerName", |p| text(p, "spec.schedulerName").to_string()),
    ("spec.serviceAccountName", |p| text(p, "spec.serviceAccountName").to_string()),
    ("spec.hostNetwork", |p| boolean(p, "spec.hostNetwork").to_string()),
    ("status.phase", |p| text(p, "status.phase").to_string()),
    ("status.podIP", pod_ip),
    ("status.podIPs", pod_ip),
    ("status.nominatedNodeName", |p| text(p, "status.nominatedNodeName").to_string()),
];

/// What old clients say for the node.
pub(super) const ALIASES: &[(&str, &str)] = &[("spec.host", "spec.nodeName")];

/// The first address; the list is what counts, the single field mirrors it.
fn pod_ip(pod: &Value) -> String {
    let first = list(pod, "status.podIPs").first().map(|ip| text(ip, "ip"));
    first.unwrap_or_else(|| text(pod, "status.podIP")).to_string()
}
