//! `[k8s.io] Probing container`
//!
//! That something is never restarted, or never ready, can't be waited for: a second probe, which keeps a count, tells
//! when the first had its chances.

use serde_json::{Value, json};

use super::site::{Site, container, pod};
use crate::harness::eventually;

/// A pod whose only container has these probes and stays for good.
fn probed(command: &[&str], probes: &Value) -> Value {
    let mut more = probes.clone();
    more["volumeMounts"] = json!([{"name": "tmp", "mountPath": "/tmp"}]);
    let mut pod = pod("probed", command, &more);
    pod["spec"]["restartPolicy"] = json!("Always");
    pod["spec"]["volumes"] = json!([{"name": "tmp", "emptyDir": {}}]);
    pod
}

/// The probe, asked every second and believed at once.
fn each_second(handler: &Value) -> Value {
    let mut probe = handler.clone();
    probe["periodSeconds"] = json!(1);
    probe["failureThreshold"] = json!(1);
    probe
}

fn restarts(site: &Site) -> u32 {
    site.field("probed", "{.status.containerStatuses[0].restartCount}").parse().unwrap_or(0)
}

fn is_ready(site: &Site) -> bool {
    site.field("probed", "{.status.conditions[?(@.type==\"Ready\")].status}") == "True"
}

fn waits_for_restarts(site: &Site, wanted: u32) {
    eventually("restarts", || match restarts(site) {
        count if count >= wanted => Ok(()),
        count => Err(count.to_string()),
    });
}

/// Applies the pod with a neighbour beside it whose liveness probe fails every time, and checks that the neighbour is
/// restarted twice by the same prober while the pod is not.
fn never_restarted(site: &Site, mut pod: Value) {
    let fails = json!({"livenessProbe": each_second(&json!({"exec": {"command": ["false"]}}))});
    pod["spec"]["containers"].as_array_mut().unwrap().push(container("neighbour", &["sleep", "600"], &fails));
    site.apply(&pod);
    eventually("restarts of the neighbour", || {
        let path = "{.status.containerStatuses[?(@.name==\"neighbour\")].restartCount}";
        let count = site.field("probed", path);
        if count.parse::<u32>().is_ok_and(|count| count >= 2) { Ok(()) } else { Err(count) }
    });
    let path = "{.status.containerStatuses[?(@.name==\"main\")].restartCount}";
    assert_eq!(site.field("probed", path), "0");
}

/// `[k8s.io] Probing container should be restarted with a exec "cat /tmp/health" liveness probe [NodeConformance]
/// [Conformance]`
#[test]
fn restarted_with_an_exec_liveness_probe() {
    let site = Site::new();
    let script = "echo ok > /tmp/health; sleep 3; rm /tmp/health; sleep 600";
    let probe = each_second(&json!({"exec": {"command": ["cat", "/tmp/health"]}}));
    site.apply(&probed(&["sh", "-c", script], &json!({"livenessProbe": probe})));
    waits_for_restarts(&site, 1);
}

/// `[k8s.io] Probing container should *not* be restarted with a exec "cat /tmp/health" liveness probe
/// [NodeConformance] [Conformance]`
#[test]
fn not_restarted_with_an_exec_liveness_probe() {
    let probe = each_second(&json!({"exec": {"command": ["cat", "/tmp/health"]}, "initialDelaySeconds": 1}));
    let script = "echo ok > /tmp/health; sleep 600";
    never_restarted(&Site::new(), probed(&["sh", "-c", script], &json!({"livenessProbe": probe})));
}

/// `[k8s.io] Probing container should be restarted with a /healthz http liveness probe [NodeConformance]
/// [Conformance]`
#[test]
fn restarted_with_an_http_liveness_probe() {
    let site = Site::new();
    let probe = each_second(&json!({"httpGet": {"path": "/file/tmp/health", "port": 8080}, "initialDelaySeconds": 1}));
    let script = "echo ok > /tmp/health; serve 8080";
    site.apply(&probed(&["sh", "-c", script], &json!({"livenessProbe": probe})));
    eventually("a container that is ready", || if is_ready(&site) { Ok(()) } else { Err(String::new()) });
    site.kubectl("exec probed -- rm /tmp/health").ok();
    waits_for_restarts(&site, 1);
    let events = site.kubectl("get events").ok();
    assert!(events.contains("Liveness probe failed: HTTP probe failed with statuscode: 404"), "{events}");
}

/// `[k8s.io] Probing container should *not* be restarted with a /healthz http liveness probe [NodeConformance]
/// [Conformance]`
#[test]
fn not_restarted_with_an_http_liveness_probe() {
    let probe = each_second(&json!({"httpGet": {"path": "/healthz", "port": 8080}, "initialDelaySeconds": 1}));
    never_restarted(&Site::new(), probed(&["serve", "8080"], &json!({"livenessProbe": probe})));
}

/// `[k8s.io] Probing container should *not* be restarted with a tcp:8080 liveness probe [NodeConformance]
/// [Conformance]`
#[test]
fn not_restarted_with_a_tcp_liveness_probe() {
    let probe = each_second(&json!({"tcpSocket": {"port": 8080}, "initialDelaySeconds": 1}));
    never_restarted(&Site::new(), probed(&["listen", "8080"], &json!({"livenessProbe": probe})));
}

/// `[k8s.io] Probing container with readiness probe should not be ready before initial delay and never restart
/// [NodeConformance] [Conformance]`
#[test]
fn not_ready_before_the_initial_delay() {
    const DELAY_SECONDS: i64 = 3;
    let site = Site::new();
    let mut probe = each_second(&json!({"httpGet": {"path": "/", "port": 8080}}));
    probe["initialDelaySeconds"] = json!(DELAY_SECONDS);
    site.apply(&probed(&["serve", "8080"], &json!({"readinessProbe": probe})));
    eventually("a container that is ready", || if is_ready(&site) { Ok(()) } else { Err(String::new()) });
    let time = |path: &str| -> k8s_openapi::jiff::Timestamp { site.field("probed", path).parse().unwrap() };
    let started = time("{.status.containerStatuses[0].state.running.startedAt}");
    let ready = time("{.status.conditions[?(@.type==\"Ready\")].lastTransitionTime}");
    // Both times are whole seconds.
    assert!(ready.as_second() - started.as_second() >= DELAY_SECONDS - 1, "started {started}, ready {ready}");
    assert_eq!(restarts(&site), 0);
}

/// `[k8s.io] Probing container with readiness probe that fails should never be ready and never restart
/// [NodeConformance] [Conformance]`
#[test]
fn never_ready_when_its_readiness_probe_fails() {
    let site = Site::new();
    let probe = each_second(&json!({"exec": {"command": ["false"]}}));
    never_restarted(&site, probed(&["sleep", "600"], &json!({"readinessProbe": probe})));
    assert!(!is_ready(&site));
    let transitions = "{.status.conditions[?(@.type==\"Ready\")].reason}";
    assert_eq!(site.field("probed", transitions), "ContainersNotReady");
}
