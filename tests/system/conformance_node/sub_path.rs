//! `[sig-storage] Subpath Atomic writer volumes` and subPathExpr of `[k8s.io] Variable Expansion`

use serde_json::{Value, json};

use super::site::{Site, pod};
use crate::harness::eventually;

/// Fails unless a pod that mounts `path` of the volume as a file reads the value there.
fn consumed(volume: &Value, wanted: &str) {
    let site = Site::new();
    site.data("ConfigMap", "source", &json!({"file": "value"}));
    site.data("Secret", "source", &json!({"file": "value"}));
    let mounts = json!({"volumeMounts": [{"name": "v", "mountPath": "/test/file", "subPath": "file"}]});
    let mut pod = pod("reader", &["cat", "/test/file"], &mounts);
    pod["spec"]["volumes"] = json!([volume]);
    assert_eq!(site.output(&pod), wanted);
}

/// `[sig-storage] Subpath Atomic writer volumes should support subpaths with configmap pod [LinuxOnly] [Conformance]`
#[test]
fn config_map() {
    consumed(&json!({"name": "v", "configMap": {"name": "source"}}), "value");
}

/// `[sig-storage] Subpath Atomic writer volumes should support subpaths with configmap pod with mountPath of existing
/// file [LinuxOnly] [Conformance]`
///
/// The file is the one of upstream's test. Those beside it are still there.
#[test]
fn over_an_existing_file() {
    let site = Site::new();
    site.data("ConfigMap", "source", &json!({"file": "value"}));
    let mount = json!({"name": "v", "mountPath": "/etc/resolv.conf", "subPath": "file"});
    let script = "cat /etc/resolv.conf; echo; cat /etc/hostname";
    let pods = [("without", json!({})), ("over", json!({"volumeMounts": [mount]}))];
    let [without, over] = pods.map(|(name, more)| {
        let mut pod = pod(name, &["sh", "-c", script], &more);
        pod["spec"]["volumes"] = json!([{"name": "v", "configMap": {"name": "source"}}]);
        site.output(&pod)
    });
    assert!(without.starts_with("search ") && without.ends_with("\nwithout\n"), "the file exists: {without}");
    assert_eq!(over, "value\nover\n");
}

/// `[sig-storage] Subpath Atomic writer volumes should support subpaths with secret pod [LinuxOnly] [Conformance]`
#[test]
fn secret() {
    consumed(&json!({"name": "v", "secret": {"secretName": "source"}}), "value");
}

/// `[sig-storage] Subpath Atomic writer volumes should support subpaths with downward pod [LinuxOnly] [Conformance]`
#[test]
fn downward() {
    let items = json!([{"path": "file", "fieldRef": {"fieldPath": "metadata.name"}}]);
    consumed(&json!({"name": "v", "downwardAPI": {"items": items}}), "reader");
}

/// `[sig-storage] Subpath Atomic writer volumes should support subpaths with projected pod [LinuxOnly] [Conformance]`
#[test]
fn projected() {
    consumed(&json!({"name": "v", "projected": {"sources": [{"configMap": {"name": "source"}}]}}), "value");
}

/// `[k8s.io] Variable Expansion should allow substituting values in a volume subpath [sig-storage] [Conformance]`
#[test]
fn substituted() {
    let mounts = json!([
        {"name": "v", "mountPath": "/logs", "subPathExpr": "$(POD_NAME)"}, {"name": "v", "mountPath": "/all"},
    ]);
    let env = json!([{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    let script = "write /logs/f there; cat /all/expanded/f";
    let mut pod = pod("expanded", &["sh", "-c", script], &json!({"volumeMounts": mounts, "env": env}));
    pod["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    assert_eq!(Site::new().output(&pod), "there");
}

/// A pod that waits, with an empty volume at `/volume` and the expanded part of it at `/part`.
fn expanding(env: &Value, expression: &str) -> Value {
    let mounts = json!([
        {"name": "v", "mountPath": "/part", "subPathExpr": expression}, {"name": "v", "mountPath": "/volume"},
    ]);
    let mut pod = pod("expanded", &["sleep", "600"], &json!({"volumeMounts": mounts, "env": env}));
    pod["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    pod
}

/// The environment of a pod whose path comes from an annotation.
fn annotated() -> Value {
    json!([
        {"name": "POD_NAME", "value": "foo"},
        {"name": "ANNOTATION", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['mysubpath']"}}},
    ])
}

/// Waits until the container can't be created, and gives the reason's message.
fn refused(site: &Site) -> String {
    let waiting =
        |part: &str| site.field("expanded", &format!("{{.status.containerStatuses[0].state.waiting.{part}}}"));
    eventually("CreateContainerConfigError", || match waiting("reason") {
        reason if reason == "CreateContainerConfigError" => Ok(()),
        reason => Err(reason),
    });
    waiting("message")
}

/// `[k8s.io] Variable Expansion should fail substituting values in a volume subpath with backticks [sig-storage][Slow]
/// [Conformance]`
#[test]
fn backsteps_are_refused() {
    let site = Site::new();
    site.apply(&expanding(&json!([{"name": "POD_NAME", "value": ".."}]), "$(POD_NAME)"));
    let why = refused(&site);
    assert!(why.contains("must not contain '..'"), "{why}");
}

/// `[k8s.io] Variable Expansion should fail substituting values in a volume subpath with absolute path
/// [sig-storage][Slow] [Conformance]`
#[test]
fn absolute_paths_are_refused() {
    let site = Site::new();
    site.apply(&expanding(&json!([{"name": "POD_NAME", "value": "/tmp"}]), "$(POD_NAME)"));
    let why = refused(&site);
    assert!(why.contains("must not be an absolute path"), "{why}");
}

/// `[k8s.io] Variable Expansion should verify that a failing subpath expansion can be modified during the lifecycle of
/// a container [sig-storage][Slow] [Conformance]`
#[test]
fn a_failing_expansion_is_repaired() {
    let site = Site::new();
    let mut pod = expanding(&annotated(), "$(ANNOTATION)/$(POD_NAME)");
    pod["metadata"]["annotations"] = json!({"notmysubpath": "mypath"});
    site.apply(&pod);
    refused(&site);
    site.kubectl("annotate pod expanded mysubpath=mypath").ok();
    site.phase("expanded", "Running");
    site.kubectl("delete pod expanded --timeout=60s").ok();
}

/// `[k8s.io] Variable Expansion should succeed in writing subpaths in container [sig-storage][Slow] [Conformance]`
#[test]
fn parts_are_written() {
    let site = Site::new();
    let mut pod = expanding(&annotated(), "$(ANNOTATION)/$(POD_NAME)");
    pod["metadata"]["annotations"] = json!({"mysubpath": "mypath"});
    site.apply(&pod);
    site.phase("expanded", "Running");
    site.kubectl("exec expanded -- touch /volume/mypath/foo/test.log").ok();
    site.kubectl("exec expanded -- cat /part/test.log").ok();
    // Another value later is of no effect on what runs, nor on the end of it.
    site.kubectl("annotate pod expanded mysubpath=mynewpath --overwrite").ok();
    site.kubectl("exec expanded -- cat /part/test.log").ok();
    assert_eq!(site.field("expanded", "{.status.phase}"), "Running");
    site.kubectl("delete pod expanded --timeout=60s").ok();
}
