use expect_test::expect;
use serde_json::json;

use super::*;

fn pod_table(spec: Value, status: Value) -> String {
    let mut pod = pod(spec);
    pod["metadata"]["creationTimestamp"] = json!(CREATED);
    pod["status"] = status;
    table("pods", &pod)
}

/// `READY STATUS RESTARTS` of a pod.
fn short(spec: Value, status: Value) -> String {
    let shown = pod_table(spec, status);
    let cells: Vec<&str> = shown.lines().take(3).map(|l| l.split_once(": ").unwrap().1.trim_matches('"')).collect();
    cells.join(" ")
}

fn one() -> Value {
    json!({ "containers": [container()] })
}

#[test]
fn a_running_pod() {
    let status = json!({ "phase": "Running", "podIPs": [{ "ip": "10.1.0.7" }], "containerStatuses": [
        { "name": "web", "ready": true, "restartCount": 2, "state": { "running": {} },
          "lastState": { "terminated": { "finishedAt": "2025-12-31T23:55:00Z" } } }] });
    let mut spec = one();
    spec["nodeName"] = json!("n1");
    spec["readinessGates"] = json!([{ "conditionType": "a/b" }]);
    expect![[r#"
        Ready: "1/1"
        Status: "Running"
        Restarts: "2 (5m ago)"
        Age: "5m3s"
          IP: "10.1.0.7"
          Node: "n1"
          Nominated Node: "<none>"
          Readiness Gates: "0/1"
    "#]]
    .assert_eq(&pod_table(spec, status));
}

#[test]
fn what_pods_are_doing() {
    let with = |state: Value| json!({ "phase": "Running", "containerStatuses": [{ "name": "web", "restartCount": 0, "state": state }] });
    assert_eq!(short(one(), json!({ "phase": "Pending" })), "0/1 Pending 0");
    assert_eq!(short(one(), with(json!({ "waiting": { "reason": "CrashLoopBackOff" } }))), "0/1 CrashLoopBackOff 0");
    assert_eq!(short(one(), with(json!({ "terminated": { "reason": "Error", "exitCode": 1 } }))), "0/1 Error 0");
    assert_eq!(short(one(), with(json!({ "terminated": { "exitCode": 3 } }))), "0/1 ExitCode:3 0");
    assert_eq!(short(one(), with(json!({ "terminated": { "signal": 9 } }))), "0/1 Signal:9 0");
    assert_eq!(short(one(), json!({ "phase": "Failed", "reason": "Evicted" })), "0/1 Evicted 0");
    let gated = json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "reason": "SchedulingGated" }] });
    assert_eq!(short(one(), gated), "0/1 SchedulingGated 0");
}

#[test]
fn one_container_completed_while_another_runs() {
    let mut spec = one();
    spec["containers"].as_array_mut().unwrap().push(json!({ "name": "b", "image": "x" }));
    let status = |ready: &str| {
        json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": ready }], "containerStatuses": [
        { "name": "web", "restartCount": 0, "state": { "terminated": { "reason": "Completed" } } },
        { "name": "b", "ready": true, "restartCount": 0, "state": { "running": {} } }] })
    };
    assert_eq!(short(spec.clone(), status("True")), "1/2 Running 0");
    assert_eq!(short(spec, status("False")), "1/2 NotReady 0");
}

#[test]
fn pods_that_initialize() {
    let mut spec = one();
    spec["initContainers"] =
        json!([{ "name": "i", "image": "x" }, { "name": "s", "image": "x", "restartPolicy": "Always" }]);
    let with = |statuses: Value| json!({ "phase": "Pending", "initContainerStatuses": statuses });
    let done = json!({ "name": "i", "restartCount": 0, "state": { "terminated": { "exitCode": 0 } } });
    let i = |state: Value| json!([{ "name": "i", "restartCount": 4, "state": state }]);
    assert_eq!(short(spec.clone(), with(i(json!({ "running": {} })))), "0/2 Init:0/2 4");
    assert_eq!(short(spec.clone(), with(i(json!({ "waiting": { "reason": "PodInitializing" } })))), "0/2 Init:0/2 4");
    assert_eq!(
        short(spec.clone(), with(i(json!({ "waiting": { "reason": "ImagePullBackOff" } })))),
        "0/2 Init:ImagePullBackOff 4"
    );
    assert_eq!(short(spec.clone(), with(i(json!({ "terminated": { "exitCode": 2 } })))), "0/2 Init:ExitCode:2 4");
    let sidecar = json!({ "name": "s", "restartCount": 1, "started": true, "ready": true, "state": { "running": {} } });
    let mut status = with(json!([done, sidecar]));
    status["phase"] = json!("Running");
    status["containerStatuses"] =
        json!([{ "name": "web", "ready": true, "restartCount": 0, "state": { "running": {} } }]);
    assert_eq!(short(spec, status), "2/2 Running 1");
}

#[test]
fn pods_that_go() {
    let mut pod = pod(one());
    pod["metadata"]["deletionTimestamp"] = json!(CREATED);
    pod["status"] = json!({ "phase": "Running" });
    assert!(table("pods", &pod).contains("Status: \"Terminating\""));
    pod["status"]["phase"] = json!("Succeeded");
    assert!(table("pods", &pod).contains("Status: \"Succeeded\""));
}
