//! `[k8s.io] Pods`, `[k8s.io] Kubelet`, `[k8s.io] InitContainer`, `[k8s.io] Security Context`

use serde_json::{Value, json};

use super::site::{Site, container, pod};
use crate::harness::eventually;

/// `[k8s.io] Kubelet when scheduling a busybox command in a pod should print the output to logs [NodeConformance]
/// [Conformance]`
#[test]
fn output_in_logs() {
    assert_eq!(Site::new().output(&pod("busybox", &["echo", "Hello World"], &json!({}))), "Hello World\n");
}

/// `[k8s.io] Kubelet when scheduling a busybox command that always fails in a pod should have an terminated reason
/// [NodeConformance] [Conformance]`
#[test]
fn terminated_reason() {
    let site = Site::new();
    site.apply(&pod("fails", &["false"], &json!({})));
    site.phase("fails", "Failed");
    let state = site.field("fails", "{.status.containerStatuses[0].state.terminated}");
    assert!(state.contains("\"reason\":\"Error\"") && state.contains("\"exitCode\":1"), "{state}");
}

/// `[k8s.io] Kubelet when scheduling a busybox Pod with hostAliases should write entries to /etc/hosts [LinuxOnly]
/// [NodeConformance] [Conformance]`
#[test]
fn host_aliases() {
    let mut pod = pod("aliases", &["cat", "/etc/hosts"], &json!({}));
    pod["spec"]["hostAliases"] = json!([{"ip": "123.45.67.89", "hostnames": ["foo", "bar"]}]);
    let hosts = Site::new().output(&pod);
    assert!(hosts.contains("123.45.67.89\tfoo\tbar"), "{hosts}");
}

/// A pod whose two init containers succeed before the main one starts.
fn with_init_containers(name: &str, policy: &str, main: &[&str]) -> Value {
    let mut pod = pod(name, main, &json!({}));
    pod["spec"]["restartPolicy"] = json!(policy);
    pod["spec"]["initContainers"] =
        json!([container("init1", &["true"], &json!({})), container("init2", &["true"], &json!({}))]);
    pod
}

fn assert_initialised(site: &Site, name: &str) {
    let reasons = site.field(name, "{.status.initContainerStatuses[*].state.terminated.reason}");
    assert_eq!(reasons, "Completed Completed");
    let status = site.field(name, "{.status.conditions[?(@.type==\"Initialized\")].status}");
    assert_eq!(status, "True");
}

/// `[k8s.io] InitContainer [NodeConformance] should invoke init containers on a RestartNever pod [Conformance]`
#[test]
fn init_containers_of_a_restart_never_pod() {
    let site = Site::new();
    site.output(&with_init_containers("init", "Never", &["true"]));
    assert_initialised(&site, "init");
}

/// `[k8s.io] InitContainer [NodeConformance] should invoke init containers on a RestartAlways pod [Conformance]`
#[test]
fn init_containers_of_a_restart_always_pod() {
    let site = Site::new();
    site.apply(&with_init_containers("init", "Always", &["sleep", "600"]));
    site.phase("init", "Running");
    assert_initialised(&site, "init");
}

/// `[k8s.io] Pods should get a host IP [NodeConformance] [Conformance]`
#[test]
fn host_ip() {
    let site = Site::new();
    site.apply(&pod("host", &["sleep", "600"], &json!({})));
    site.phase("host", "Running");
    assert!(site.field("host", "{.status.hostIP}").parse::<std::net::IpAddr>().is_ok());
}

/// `[k8s.io] Pods should allow activeDeadlineSeconds to be updated [NodeConformance] [Conformance]`
#[test]
fn active_deadline_updated() {
    let site = Site::new();
    site.apply(&pod("deadline", &["sleep", "600"], &json!({})));
    site.phase("deadline", "Running");
    site.kubectl("patch pod deadline --type=merge -p {\"spec\":{\"activeDeadlineSeconds\":1}}").ok();
    site.phase("deadline", "Failed");
    assert_eq!(site.field("deadline", "{.status.reason}"), "DeadlineExceeded");
}

/// `[k8s.io] Pods should be updated [NodeConformance] [Conformance]`
#[test]
fn updated() {
    let site = Site::new();
    site.apply(&pod("updated", &["sleep", "600"], &json!({})));
    site.phase("updated", "Running");
    site.kubectl("label pod updated time=later").ok();
    assert_eq!(site.kubectl("get pods -l time=later -o name").ok(), "pod/updated\n");
}

/// `[k8s.io] Security Context When creating a container with runAsUser should run the container with uid 65534
/// [LinuxOnly] [NodeConformance] [Conformance]`
///
/// There are no users in a sandbox, and nothing in WASI that would tell a guest of one: no `id -u`, no owner of a file. All
/// that can be seen is that the container runs, that the number takes nothing from it (what it may write it writes), and
/// that the API keeps the number.
#[test]
fn run_as_user() {
    let site = Site::new();
    let mounts = json!([{"name": "v", "mountPath": "/v"}]);
    let more = json!({"securityContext": {"runAsUser": 65534}, "volumeMounts": mounts});
    let mut pod = pod("user", &["sh", "-c", "write /v/f ran && cat /v/f"], &more);
    pod["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    assert_eq!(site.output(&pod), "ran");
    assert_eq!(site.field("user", "{.spec.containers[0].securityContext.runAsUser}"), "65534");
}

/// `[k8s.io] Security Context When creating a pod with readOnlyRootFilesystem should run the container with writable
/// rootfs when readOnlyRootFilesystem=false [NodeConformance] [Conformance]`
#[test]
fn writable_root() {
    let more = json!({"securityContext": {"readOnlyRootFilesystem": false}});
    let script = "echo checking > /checking && cat /checking";
    assert_eq!(Site::new().output(&pod("writes", &["sh", "-c", script], &more)), "checking\n");
}

/// `[k8s.io] Pods should contain environment variables for services [NodeConformance] [Conformance]`
#[test]
fn variables_of_services() {
    let site = Site::new();
    site.kubectl("create service clusterip fooservice --tcp=8765:8080").ok();
    let address = site.kubectl("get service fooservice -o jsonpath={.spec.clusterIP}").ok();
    // The node learns of a Service by a watch, so the first pods may be too early for it.
    let name = std::cell::Cell::new(0);
    let env = eventually("the variables", || {
        name.set(name.get() + 1);
        let env = site.output(&pod(&format!("client-{}", name.get()), &["env"], &json!({})));
        if env.contains("FOOSERVICE_SERVICE_HOST=") { Ok(env) } else { Err(env) }
    });
    for wanted in [
        format!("FOOSERVICE_SERVICE_HOST={address}"),
        "FOOSERVICE_SERVICE_PORT=8765".into(),
        format!("FOOSERVICE_PORT=tcp://{address}:8765"),
        "FOOSERVICE_PORT_8765_TCP_PORT=8765".into(),
        "FOOSERVICE_PORT_8765_TCP_PROTO=tcp".into(),
        format!("FOOSERVICE_PORT_8765_TCP=tcp://{address}:8765"),
        format!("FOOSERVICE_PORT_8765_TCP_ADDR={address}"),
    ] {
        assert!(env.lines().any(|line| line == wanted), "{wanted} is not in {env}");
    }
}
