//! Probes, hooks, restarts, debugging.
//!
//! Where a script makes the file that a liveness probe wants, a startup probe holds that probe back until the file is
//! there: the first probe may come before the script's first command.

use super::{cluster, ended, pod, ready, shows};
use crate::harness::eventually;
use crate::harness::guests::TOOLBOX;

/// [k8s.io] Probing container should be restarted with a exec "cat /tmp/health" liveness probe
#[test]
fn an_exec_probe_that_fails_restarts_its_container() {
    let cluster = cluster();
    let probe = "startupProbe: { exec: { command: [cat, /d/health] }, periodSeconds: 1, failureThreshold: 60 }
livenessProbe: { exec: { command: [cat, /d/health] }, periodSeconds: 1, failureThreshold: 1 }
readinessProbe: { exec: { command: [cat, /d/health] }, periodSeconds: 1 }
volumeMounts: [{ name: d, mountPath: /d }]";
    let manifest = pod("box", "[sh, -c, 'touch /d/health; sleep 1000']", probe, "volumes: [{ name: d, emptyDir: {} }]");
    cluster.apply(&manifest.replace("restartPolicy: Never", "restartPolicy: Always"));
    ready(&cluster, "box");
    cluster.kubectl("exec box -- rm /d/health").ok();
    eventually("a restart", || {
        let count = cluster.kubectl("get pod box -o jsonpath={.status.containerStatuses[0].restartCount}").ok();
        if count == "1" { Ok(()) } else { Err(count) }
    });
    let events = cluster.kubectl("get events").ok();
    assert!(events.contains("Liveness probe failed") && events.contains("/d/health"), "{events}");
    ready(&cluster, "box");
}

/// [k8s.io] Container Lifecycle Hook when create a pod with lifecycle hook should execute prestop http hook properly
#[test]
fn hooks_run_where_they_belong() {
    let cluster = cluster();
    cluster.apply(&pod("web", "[serve, '8080']", "", ""));
    ready(&cluster, "web");
    let ip = cluster.kubectl("get pod web -o jsonpath={.status.podIP}").ok();
    let hooks = format!(
        "lifecycle:\n  postStart: {{ exec: {{ command: [get, '{ip}:8080/post-start'] }} }}\n  preStop: {{ httpGet: {{ host: {ip}, port: 8080, path: /pre-stop }} }}"
    );
    let manifest = pod("box", "[sleep, '1000']", &hooks, "");
    cluster.apply(&manifest.replace("terminationGracePeriodSeconds: 1", "terminationGracePeriodSeconds: 10"));
    ready(&cluster, "box");
    let asked = |path: &str| {
        eventually(&format!("{path} was asked for"), || {
            let log = cluster.kubectl("logs web").ok();
            if log.contains(&format!("GET {path}\n")) { Ok(()) } else { Err(log) }
        });
    };
    asked("/post-start");
    cluster.kubectl("delete pod box --wait=false").ok();
    asked("/pre-stop");
}

/// [sig-node] Probing container should mark readiness on pods to false while pod is in progress of terminating when a pod
/// has a readiness probe
#[test]
fn a_pod_that_terminates_says_whether_it_is_ready_and_is_not_restarted() {
    let cluster = cluster();
    let probes = "startupProbe: { exec: { command: [cat, /d/health] }, periodSeconds: 1, failureThreshold: 60 }
readinessProbe: { exec: { command: [cat, /d/health] }, periodSeconds: 1, failureThreshold: 1 }
livenessProbe: { exec: { command: [cat, /d/health] }, periodSeconds: 1, failureThreshold: 1 }
lifecycle: { preStop: { sleep: { seconds: 600 } } }
volumeMounts: [{ name: d, mountPath: /d }]";
    let manifest =
        pod("box", "[sh, -c, 'touch /d/health; sleep 1000']", probes, "volumes: [{ name: d, emptyDir: {} }]");
    let manifest = manifest.replace("terminationGracePeriodSeconds: 1", "terminationGracePeriodSeconds: 600");
    cluster.apply(&manifest.replace("restartPolicy: Never", "restartPolicy: Always"));
    ready(&cluster, "box");
    cluster.kubectl("delete pod box --wait=false").ok();
    let is_ready = ".status.conditions[?(@.type==\"Ready\")].status";
    shows(&cluster, "box", is_ready, "True");
    cluster.kubectl("exec box -- rm /d/health").ok();
    shows(&cluster, "box", is_ready, "False");
    cluster.kubectl("exec box -- touch /d/health").ok();
    shows(&cluster, "box", is_ready, "True");
    shows(&cluster, "box", ".status.containerStatuses[0].restartCount", "0");
    let events = cluster.kubectl("get events --field-selector reason=Unhealthy").ok();
    assert!(events.contains("Readiness probe failed") && !events.contains("Liveness"), "{events}");
    cluster.kubectl("delete pod box --grace-period=0 --force").ok();
}

/// [k8s.io] InitContainer [NodeConformance] should invoke init containers on a RestartNever pod
#[test]
fn rules_restart_a_container_by_its_exit_code() {
    let cluster = cluster();
    let rules = "restartPolicy: Never
restartPolicyRules: [{ action: Restart, exitCodes: { operator: In, values: [1] } }]
volumeMounts: [{ name: d, mountPath: /d }]";
    let init = format!(
        "volumes: [{{ name: d, emptyDir: {{}} }}]\ninitContainers: [{{ name: first, image: {TOOLBOX}, command: [echo, done] }}]"
    );
    let script = "[sh, -c, 'cat /d/ran && exit 0; touch /d/ran; exit 1']";
    cluster.apply(&pod("box", script, rules, &init));
    ended(&cluster, "box");
    shows(&cluster, "box", ".status.containerStatuses[0].restartCount", "1");
    shows(&cluster, "box", ".status.initContainerStatuses[0].state.terminated.reason", "Completed");
}

#[test]
fn an_ephemeral_container_meets_the_pod_on_localhost() {
    let cluster = cluster();
    cluster.apply(&pod("web", "[serve, '8080']", "", ""));
    ready(&cluster, "web");
    cluster.kubectl(&format!("debug web --image={TOOLBOX} -c debugger -- get 127.0.0.1:8080/hostname")).ok();
    let state = ".status.ephemeralContainerStatuses[0].state.terminated.exitCode";
    shows(&cluster, "web", state, "0");
    assert_eq!(cluster.kubectl("logs web -c debugger").ok(), "web");
    shows(&cluster, "web", ".status.phase", "Running");
}

#[test]
fn the_sample_shows_all_of_it() {
    let cluster = crate::harness::Cluster::with_sample("toolbox");
    ready(&cluster, "toolbox");
    assert_eq!(cluster.kubectl("exec toolbox -c server -- cat /config/greeting").ok(), "hello");
    assert_eq!(cluster.kubectl("exec toolbox -c server -- cat /shared/ready").ok(), "prepared");
    assert!(cluster.kubectl("logs toolbox -c ticker").ok().contains("sidecar"));
}
