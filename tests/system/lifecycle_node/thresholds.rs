//! How often, how long, and with how much grace a probe asks.

use serde_json::{Value, json};

use super::{listener, restarting, seconds, shows, tells, told, with_directory};
use crate::conformance_node::site::{Site, container, pod};

const RESTARTS: &str = "{.status.containerStatuses[0].restartCount}";

/// A probe that runs a command every second; `more` is merged into it.
fn each_second(command: &[&str], more: &Value) -> Value {
    let mut probe = json!({"exec": {"command": command}, "periodSeconds": 1});
    for (field, value) in more.as_object().into_iter().flatten() {
        probe[field] = value.clone();
    }
    probe
}

/// The container is stopped at the third failure in a row, no sooner; its second run, which passes, is left alone.
#[test]
fn a_container_is_restarted_after_as_many_failures_as_its_probe_says() {
    let site = Site::new();
    // Only the second run finds the first one's trace, and makes the file.
    let script = "cat /d/ran && touch /d/ok; touch /d/ran; sleep 600";
    let liveness = each_second(&["cat", "/d/ok"], &json!({"failureThreshold": 3, "initialDelaySeconds": 1}));
    let readiness = each_second(&["cat", "/d/ok"], &json!({"initialDelaySeconds": 1}));
    let probes = json!({"livenessProbe": liveness, "readinessProbe": readiness});
    site.apply(&restarting(with_directory(pod("counted", &["sh", "-c", script], &probes))));
    shows(&site, "counted", "{.status.containerStatuses[0].ready}", "true");
    let unhealthy = told(&site, "counted", "Unhealthy");
    let failures = |kind: &str| -> u32 {
        unhealthy.iter().filter(|(_, message)| message.starts_with(kind)).map(|(count, _)| count).sum()
    };
    assert_eq!(failures("Liveness probe failed: cat: /d/ok: "), 3, "{unhealthy:?}");
    assert!(failures("Readiness probe failed: cat: /d/ok: ") >= 3, "{unhealthy:?}");
    tells(&site, "counted", "Killing", "Container main failed liveness probe, will be restarted");
    assert_eq!(site.field("counted", RESTARTS), "1");
}

/// A probe that wants two successes waits a period for the second; the grace period of a probe is its own, not the
/// pod's, which would outlast this test.
#[test]
fn successes_are_counted_and_a_probe_has_a_grace_period_of_its_own() {
    let site = Site::new();
    let readiness = each_second(&["true"], &json!({"successThreshold": 2, "periodSeconds": 3}));
    site.apply(&pod("twice", &["sleep", "600"], &json!({"readinessProbe": readiness})));
    let liveness = each_second(&["false"], &json!({"failureThreshold": 1, "terminationGracePeriodSeconds": 1}));
    let mut patient = pod("patient", &["sleep", "600"], &json!({"livenessProbe": liveness}));
    patient["spec"]["terminationGracePeriodSeconds"] = json!(600);
    site.apply(&restarting(patient));

    shows(&site, "twice", "{.status.containerStatuses[0].ready}", "true");
    let ready = seconds(&site, "twice", "{.status.conditions[?(@.type==\"Ready\")].lastTransitionTime}");
    let started = seconds(&site, "twice", "{.status.containerStatuses[0].state.running.startedAt}");
    // Both times are whole seconds.
    assert!(ready - started >= 2, "started {started}, ready {ready}");

    shows(&site, "patient", "{.status.containerStatuses[0].lastState.terminated.exitCode}", "137");
    site.kubectl("delete pod patient --grace-period=0 --force").ok();
}

/// An answer that takes longer than `timeoutSeconds` is none, from a command or from a server.
#[test]
fn an_answer_that_takes_too_long_is_none() {
    let site = Site::new();
    // It is connected to, and never answers.
    let (_silent, port) = listener();
    let exec = each_second(&["sleep", "600"], &json!({"timeoutSeconds": 1}));
    let get =
        json!({"httpGet": {"host": "127.0.0.1", "port": port, "path": "/x"}, "timeoutSeconds": 1, "periodSeconds": 1});
    let mut slow = pod("slow", &["sleep", "600"], &json!({"readinessProbe": exec}));
    let second = container("second", &["sleep", "600"], &json!({"readinessProbe": get}));
    slow["spec"]["containers"].as_array_mut().unwrap().push(second);
    site.apply(&slow);
    let command = "Readiness probe failed: command timed out: \"sleep 600\" timed out after 1s";
    tells(&site, "slow", "Unhealthy", command);
    let late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    tells(&site, "slow", "Unhealthy", &format!("Readiness probe failed: Get \"http://127.0.0.1:{port}/x\": {late}"));
    let unready = "{.status.conditions[?(@.type==\"Ready\")].message}";
    assert_eq!(site.field("slow", unready), "containers with unready status: [main second]");
}
