//! `[k8s.io] Container Runtime`: what a container leaves as its last words.

use serde_json::json;

use super::site::{Site, pod};

/// `[k8s.io] Container Runtime blackbox test on terminated container should report termination message if
/// TerminationMessagePath is set as non-root user and at a non-default path [NodeConformance] [Conformance]`
///
/// A guest has no user, so it may write its file whatever the number is.
#[test]
fn message_of_a_non_root_user_at_a_path_of_its_own() {
    let site = Site::new();
    let path = "/dev/termination-custom-log";
    let context = json!({"runAsUser": 10000, "runAsNonRoot": true});
    let more = json!({"terminationMessagePath": path, "securityContext": context});
    site.output(&pod("words", &["write", path, "DONE"], &more));
    let ended = "{.status.containerStatuses[0].state.terminated";
    assert_eq!(site.field("words", &format!("{ended}.message}}")), "DONE");
    assert_eq!(site.field("words", &format!("{ended}.reason}}")), "Completed");
}
