//! `[sig-storage] Subpath Atomic writer volumes` and subPathExpr of `[k8s.io] Variable Expansion`

use serde_json::{Value, json};

use super::site::{Site, pod};

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
