//! `restartPolicy` of containers (KEP-5307).

use serde_json::json;

use super::{directory, restarting, shows, with_directory};
use crate::conformance_node::site::{Site, container, pod};
use crate::harness::eventually;
use crate::harness::guests::{FAILING, image, push};

/// In a pod that always restarts, a container that never does stays ended, as does one that restarts on failure and
/// succeeds; the pod runs on with the others.
#[test]
fn a_container_has_a_policy_of_its_own() {
    let site = Site::new();
    let mut mixed = pod("mixed", &["sleep", "600"], &json!({}));
    mixed["spec"]["containers"].as_array_mut().unwrap().extend([
        container("never", &["false"], &json!({"restartPolicy": "Never"})),
        container("on-failure", &["true"], &json!({"restartPolicy": "OnFailure"})),
        // Tells when the others had their chance.
        container("always", &["true"], &json!({"restartPolicy": "Always"})),
    ]);
    site.apply(&restarting(mixed));
    let restarts = "{.status.containerStatuses[*].restartCount}";
    eventually("a restart", || match site.field("mixed", restarts) {
        counts if counts.ends_with(" 0") || counts.is_empty() => Err(counts),
        _ => Ok(()),
    });
    assert!(site.field("mixed", restarts).starts_with("0 0 0 "));
    for (index, wanted) in [(1, "1/Error"), (2, "0/Completed")] {
        let state = format!(".status.containerStatuses[{index}].state.terminated");
        shows(&site, "mixed", &format!("{{{state}.exitCode}}/{{{state}.reason}}"), wanted);
    }
    assert_eq!(site.field("mixed", "{.status.phase}"), "Running");
}

/// A rule with `NotIn` restarts after all exit codes but those it names.
#[test]
fn a_rule_may_name_the_codes_that_restart_nothing() {
    let site = Site::new();
    push(site.cluster(), "failing", FAILING);
    let unless = |code: i32| {
        let rule = json!({"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [code]}});
        json!({"restartPolicy": "Never", "restartPolicyRules": [rule], "volumeMounts": directory()})
    };
    let script = "cat /d/ran && exit 0; touch /d/ran; exit 1";
    let mut ruled = with_directory(pod("ruled", &["sh", "-c", script], &unless(0)));
    let mut named = container("named", &[], &unless(3));
    named["image"] = json!(image("failing"));
    ruled["spec"]["containers"].as_array_mut().unwrap().push(named);
    site.apply(&ruled);
    site.phase("ruled", "Failed");
    let codes = "{.status.containerStatuses[*].state.terminated.exitCode}";
    assert_eq!(site.field("ruled", "{.status.containerStatuses[*].name}"), "main named");
    assert_eq!(site.field("ruled", codes), "0 3");
    assert_eq!(site.field("ruled", "{.status.containerStatuses[*].restartCount}"), "1 0");
}
