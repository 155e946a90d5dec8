//! What a container waits for, what became of it, and the class of its pod.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{restarting, shows, tells};
use crate::conformance_node::site::{Site, container, pod};
use crate::harness::boxes;
use crate::harness::guests::{image, push};

/// A server at port 8080.
fn server(name: &str) -> Value {
    let mut server = container(name, &[], &json!({}));
    server["image"] = json!(image("http"));
    server
}

/// A container that cannot run, since another one has its port, says so, and then that it is tried again later.
#[test]
fn a_container_that_cannot_be_run_says_so() {
    let site = Site::new();
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("wasi-host/tests/guests/http.wat");
    push(site.cluster(), "http", &std::fs::read_to_string(file).unwrap());
    let mut ports = restarting(pod("ports", &[], &json!({})));
    ports["spec"]["containers"] = json!([server("first"), server("second")]);
    site.apply(&ports);
    let waiting = ".status.containerStatuses[1].state.waiting";
    shows(&site, "ports", &format!("{{{waiting}.reason}}"), "RunContainerError");
    let last = ".status.containerStatuses[1].lastState.terminated";
    shows(&site, "ports", &format!("{{{last}.exitCode}}/{{{last}.reason}}"), "128/StartError");
    let message = site.field("ports", &format!("{{{last}.message}}"));
    assert!(message.starts_with("failed to start container \""), "{message}");
    tells(&site, "ports", "Failed", &format!("Error: {message}"));
    shows(&site, "ports", &format!("{{{waiting}.reason}}"), "CrashLoopBackOff");
    let message = site.field("ports", &format!("{{{waiting}.message}}"));
    assert!(message.starts_with("back-off 10s restarting failed container=second pod=ports_"), "{message}");
}

/// The status of a pod that runs has the class that its resources make.
#[test]
fn a_pod_has_the_class_that_its_resources_make() {
    let site = Site::new();
    let limits = json!({"cpu": "10m", "memory": "32Mi"});
    let rows = [
        ("BestEffort", json!({})),
        ("Burstable", json!({"requests": {"cpu": "10m"}})),
        ("Guaranteed", json!({"limits": limits})),
    ];
    for (class, resources) in &rows {
        let name = class.to_lowercase();
        site.apply(&pod(&name, &["sleep", "600"], &json!({"resources": resources})));
    }
    for (class, _) in rows {
        let name = class.to_lowercase();
        site.phase(&name, "Running");
        assert_eq!(site.field(&name, "{.status.qosClass}"), class);
    }
}

/// Nobody saw how a container ended that ran when the node was killed: it has the status of such, and goes on by its
/// policy.
#[test]
fn a_container_that_was_lost_with_the_node_ended_in_an_unknown_way() {
    let mut cluster = boxes::cluster();
    cluster.apply(&pod("once", &["sleep", "600"], &json!({})).to_string());
    cluster.apply(&restarting(pod("again", &["sleep", "600"], &json!({}))).to_string());
    for name in ["once", "again"] {
        boxes::ready(&cluster, name);
    }
    cluster.kill();
    cluster.boot();
    boxes::shows(&cluster, "once", ".status.phase", "Failed");
    let unknown = |state: &str| {
        let state = format!(".status.containerStatuses[0].{state}.terminated");
        format!("{state}.exitCode}}/{{{state}.reason")
    };
    boxes::shows(&cluster, "once", &unknown("state"), "137/ContainerStatusUnknown");
    boxes::shows(&cluster, "once", ".status.containerStatuses[0].restartCount", "0");
    boxes::shows(&cluster, "again", &unknown("lastState"), "137/ContainerStatusUnknown");
    boxes::shows(&cluster, "again", ".status.containerStatuses[0].restartCount", "1");
    boxes::ready(&cluster, "again");
}
