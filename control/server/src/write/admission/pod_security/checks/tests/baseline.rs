//! What of the node pods may share, and what they may add.

use serde_json::{Value, json};

use super::{allows, forbids, of_all_lists, pod};

#[test]
fn host_namespaces() {
    let id = "hostNamespaces";
    allows(id, 0, &pod(json!({ "hostNetwork": false, "hostPID": false }), &[]));
    forbids(id, 0, &pod(json!({ "hostIPC": true }), &[]), "host namespaces", "hostIPC=true");
    let all = pod(json!({ "hostIPC": true, "hostPID": true, "hostNetwork": true }), &[]);
    forbids(id, 35, &all, "host namespaces", "hostNetwork=true, hostPID=true, hostIPC=true");
}

#[test]
fn host_path_volumes() {
    let id = "hostPathVolumes";
    let with = |volumes: Value| pod(json!({ "volumes": volumes }), &[]);
    allows(id, 0, &with(json!([{ "name": "a", "emptyDir": {} }, { "name": "b", "nfs": {} }])));
    let host = |name: &str| json!({ "name": name, "hostPath": { "path": "/" } });
    forbids(id, 0, &with(json!([host("a"), { "name": "b" }])), "hostPath volumes", r#"volume "a""#);
    forbids(id, 0, &with(json!([host("b"), host("a")])), "hostPath volumes", r#"volumes "b", "a""#);
}

#[test]
fn host_ports() {
    let id = "hostPorts";
    let ports = |ports: &[i32]| ports.iter().map(|port| json!({ "hostPort": port })).collect::<Value>();
    allows(id, 0, &of_all_lists(json!({ "ports": ports(&[0]) })));
    let one = json!({ "spec": { "containers": [{ "name": "a", "ports": ports(&[80]) }, { "name": "b" }] } });
    forbids(id, 0, &one, "hostPort", r#"container "a" uses hostPort 80"#);
    let many = of_all_lists(json!({ "ports": ports(&[9, 10]) }));
    forbids(id, 0, &many, "hostPort", r#"containers "init", "main", "debug" use hostPorts 10, 9"#);
}

#[test]
fn host_probes_and_hooks() {
    let (id, reason) = ("hostProbesAndHostLifecycle", "probe or lifecycle host");
    allows(
        id,
        34,
        &of_all_lists(json!({
            "livenessProbe": { "httpGet": { "host": "", "port": 1 } }, "lifecycle": { "preStop": { "exec": {} } },
        })),
    );
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        for call in ["httpGet", "tcpSocket"] {
            let pod = json!({ "spec": { "containers": [{ "name": "a", field: { call: { "host": "127.0.0.1" } } }] } });
            forbids(id, 34, &pod, reason, r#"container "a" uses probe or lifecycle host "127.0.0.1""#);
        }
    }
    for field in ["postStart", "preStop"] {
        for call in ["httpGet", "tcpSocket"] {
            let hook = json!({ "lifecycle": { field: { call: { "host": "x" } } } });
            let detail = r#"containers "debug", "init", "main" use probe or lifecycle host "x""#;
            forbids(id, 34, &of_all_lists(hook), reason, detail);
        }
    }
    let two = json!({ "spec": { "containers": [{
        "name": "a", "livenessProbe": { "httpGet": { "host": "y" } }, "startupProbe": { "tcpSocket": { "host": "x" } },
    }] } });
    forbids(id, 35, &two, reason, r#"container "a" uses probe or lifecycle hosts "x", "y""#);
}

#[test]
fn processes_of_the_host_on_windows() {
    let (id, reason) = ("windowsHostProcess", "hostProcess");
    let context = |flag: bool| json!({ "windowsOptions": { "hostProcess": flag } });
    let must = |who: &str| format!("{who} must not set securityContext.windowsOptions.hostProcess=true");
    allows(id, 0, &pod(json!({ "securityContext": context(false) }), &[("a", context(false)), ("b", json!({}))]));
    forbids(id, 0, &pod(json!({ "securityContext": context(true) }), &[("a", json!({}))]), reason, &must("pod"));
    let both = pod(json!({ "securityContext": context(true) }), &[("a", context(true)), ("b", context(true))]);
    forbids(id, 0, &both, reason, &must(r#"pod and containers "a", "b""#));
    forbids(id, 0, &pod(json!({}), &[("a", context(true))]), reason, &must(r#"container "a""#));
}

#[test]
fn capabilities() {
    let (id, reason) = ("capabilities_baseline", "non-default capabilities");
    let add = |names: Value| json!({ "capabilities": { "add": names } });
    let all = json!([
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]);
    allows(id, 0, &pod(json!({}), &[("a", add(all)), ("b", json!({}))]));
    let raw = pod(json!({ "hostUsers": false }), &[("a", add(json!(["NET_RAW", "KILL"])))]);
    let detail = r#"container "a" must not include "NET_RAW" in securityContext.capabilities.add"#;
    forbids(id, 35, &raw, reason, detail);
    let several = pod(json!({}), &[("b", add(json!(["FOO"]))), ("a", add(json!(["BAR", "FOO"]))), ("c", json!({}))]);
    let detail = r#"containers "b", "a" must not include "BAR", "FOO" in securityContext.capabilities.add"#;
    forbids(id, 0, &several, reason, detail);
}

#[test]
fn privileged_containers() {
    let id = "privileged";
    let context = |flag: bool| json!({ "privileged": flag });
    allows(id, 0, &pod(json!({}), &[("a", context(false)), ("b", json!({}))]));
    let all = of_all_lists(json!({ "securityContext": context(true) }));
    let detail = r#"containers "init", "main", "debug" must not set securityContext.privileged=true"#;
    forbids(id, 0, &all, id, detail);
    let detail = r#"container "a" must not set securityContext.privileged=true"#;
    forbids(id, 35, &pod(json!({}), &[("a", context(true)), ("b", context(false))]), id, detail);
}
