//! Termination messages.

use serde_json::json;

use super::shows;
use crate::conformance_node::site::{Site, container, pod};

const LINES: u32 = 100;
/// What Kubernetes takes of a log.
const LAST_LINES: u32 = 80;

/// With `FallbackToLogsOnError` the end of the log is the message of a container that failed and left none; what it left
/// comes first, success has no message, and neither has a container whose policy is the usual one.
#[test]
fn the_log_speaks_for_a_container_that_failed_without_a_word() {
    let site = Site::new();
    let says = |line: u32| format!("echo line {line};");
    let talks: String = (1..=LINES).map(says).collect();
    let fails = format!("{talks} exit 1");
    let leaves = "echo printed; write /dev/termination-log left; exit 1";
    let falls_back = json!({"terminationMessagePolicy": "FallbackToLogsOnError"});
    let mut last = pod("last", &["sh", "-c", &fails], &falls_back);
    last["spec"]["containers"].as_array_mut().unwrap().extend([
        container("left", &["sh", "-c", leaves], &falls_back),
        container("succeeds", &["echo", "printed"], &falls_back),
        container("usual", &["sh", "-c", &fails], &json!({})),
    ]);
    site.apply(&last);
    site.phase("last", "Failed");
    let printed: String = (LINES - LAST_LINES + 1..=LINES).map(|line| format!("line {line}\n")).collect();
    for (index, message) in [printed.as_str(), "left", "", ""].into_iter().enumerate() {
        shows(&site, "last", &format!("{{.status.containerStatuses[{index}].state.terminated.message}}"), message);
    }
    let codes = "{.status.containerStatuses[*].state.terminated.exitCode}";
    assert_eq!(site.field("last", codes), "1 1 0 1");
}
