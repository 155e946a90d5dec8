//! Readiness gates.

use serde_json::json;

use super::{condition, shows};
use crate::conformance_node::site::{Site, pod};

/// A pod with a gate is Ready only while somebody else says so in its status, and tells what it waits for.
#[test]
fn a_pod_is_ready_once_its_gate_is_open() {
    let site = Site::new();
    let mut gated = pod("gated", &["sleep", "600"], &json!({}));
    gated["spec"]["readinessGates"] = json!([{"conditionType": "example.com/open"}]);
    site.apply(&gated);
    let ready = condition("Ready");
    let says = |text: &str| shows(&site, "gated", &ready, text);
    let gate = "pod readiness gate \"example.com/open\"";
    says(&format!("False|ReadinessGatesNotReady|corresponding condition of {gate} does not exist."));
    shows(&site, "gated", &condition("ContainersReady"), "True||");

    let set = |status: &str| {
        let patch = json!({"status": {"conditions": [{"type": "example.com/open", "status": status}]}});
        site.kubectl(&format!("patch pod gated --subresource=status -p '{patch}'")).ok();
    };
    let closed = format!("False|ReadinessGatesNotReady|the status of {gate} is not \"True\", but False");
    set("False");
    says(&closed);
    set("True");
    says("True||");
    set("False");
    says(&closed);
}
