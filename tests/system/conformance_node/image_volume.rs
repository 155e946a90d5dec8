//! `[sig-node] ImageVolume`

use serde_json::json;

use super::site::{Site, pod};
use crate::harness::artifacts::put_linux;
use crate::harness::guests::image;

/// `[sig-node] ImageVolume should succeed with pod and pull policy of Always [Conformance]`
#[test]
fn pulled_always() {
    let site = Site::new();
    let files: &[(&str, &str)] = &[("data.json", "kitten.jpg"), ("etc/os-release", "Alpine Linux")];
    put_linux(site.cluster(), "kitten", &[files]);
    let mounts = json!({"volumeMounts": [{"name": "volume", "mountPath": "/volume"}]});
    let mut pod = pod("test-pod", &["sh", "-c", "sleep 3600"], &mounts);
    pod["spec"]["volumes"] =
        json!([{"name": "volume", "image": {"reference": image("kitten"), "pullPolicy": "Always"}}]);
    site.apply(&pod);
    site.phase("test-pod", "Running");
    for (path, text) in files {
        let shown = site.kubectl(&format!("exec test-pod -- cat /volume/{path}")).ok();
        assert_eq!(shown, *text, "{path}");
    }
}
