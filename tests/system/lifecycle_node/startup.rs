//! Startup probes.

use serde_json::{Value, json};

use super::{restarting, shows, tells, told, with_directory};
use crate::conformance_node::site::{Site, pod};
use crate::harness::eventually;

/// A probe that wants a file.
fn wants(path: &str, failures: u32) -> Value {
    json!({"exec": {"command": ["cat", path]}, "periodSeconds": 1, "failureThreshold": failures})
}

fn started_ready_restarts(site: &Site, pod: &str) -> String {
    let status = ".status.containerStatuses[0]";
    site.field(pod, &format!("{{{status}.started}}/{{{status}.ready}}/{{{status}.restartCount}}"))
}

/// Until the startup probe succeeds the others are not asked: liveness, which would fail at once, restarts nothing, and
/// readiness, which would succeed, makes nothing ready. Then both are.
#[test]
fn the_other_probes_wait_for_the_startup_probe() {
    let site = Site::new();
    let readiness = json!({"exec": {"command": ["true"]}, "periodSeconds": 1});
    let probes = json!({
        "startupProbe": wants("/d/up", 600), "livenessProbe": wants("/d/alive", 1), "readinessProbe": readiness,
    });
    site.apply(&restarting(with_directory(pod("slow", &["sleep", "600"], &probes))));
    eventually("three failures", || {
        let unhealthy = told(&site, "slow", "Unhealthy");
        assert!(unhealthy.iter().all(|(_, message)| message.starts_with("Startup probe failed: cat: /d/up: ")));
        let failures: u32 = unhealthy.iter().map(|(count, _)| count).sum();
        if failures >= 3 { Ok(()) } else { Err(format!("{unhealthy:?}")) }
    });
    assert_eq!(started_ready_restarts(&site, "slow"), "false/false/0");

    site.kubectl("exec slow -- touch /d/alive /d/up").ok();
    eventually("a container that has started", || match started_ready_restarts(&site, "slow") {
        found if found == "true/true/0" => Ok(()),
        found => Err(found),
    });
    site.kubectl("exec slow -- rm /d/alive").ok();
    tells(&site, "slow", "Killing", "Container main failed liveness probe, will be restarted");
    eventually("a restart", || {
        let count = site.field("slow", "{.status.containerStatuses[0].restartCount}");
        if count.parse::<u32>().is_ok_and(|count| count >= 1) { Ok(()) } else { Err(count) }
    });
}

/// A container that has not started after the last failure is stopped, and ends by its policy.
#[test]
fn a_container_that_never_starts_is_stopped() {
    let site = Site::new();
    let probes = json!({"startupProbe": wants("/d/up", 2)});
    site.apply(&with_directory(pod("once", &["sleep", "600"], &probes)));
    site.apply(&restarting(with_directory(pod("again", &["sleep", "600"], &probes))));
    site.phase("once", "Failed");
    shows(&site, "once", "{.status.containerStatuses[0].state.terminated.exitCode}", "137");
    shows(&site, "again", "{.status.containerStatuses[0].lastState.terminated.exitCode}", "137");
    for name in ["once", "again"] {
        tells(&site, name, "Killing", "Container main failed startup probe, will be restarted");
    }
    let unhealthy = told(&site, "once", "Unhealthy");
    let failures: u32 = unhealthy.iter().map(|(count, _)| count).sum();
    assert_eq!(failures, 2, "{unhealthy:?}");
    assert!(unhealthy[0].1.starts_with("Startup probe failed: cat: /d/up: "), "{unhealthy:?}");
}
