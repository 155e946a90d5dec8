//! `[sig-node] Downward API`, `[sig-storage] Downward API volume` and `[sig-storage] Projected downwardAPI`

use serde_json::{Value, json};

use super::site::{Site, pod, reader};
use crate::harness::eventually;

const LIMITS: &str = r#"{"requests": {"cpu": "250m", "memory": "32Mi"}, "limits": {"cpu": "1250m", "memory": "64Mi"}}"#;

fn field(path: &str) -> Value {
    json!({"path": "file", "fieldRef": {"fieldPath": path}})
}

fn resource(name: &str) -> Value {
    json!({"path": "file", "resourceFieldRef": {"containerName": "main", "resource": name}})
}

/// A pod that reads a downward API file, in a volume of its own or a projected one.
fn reading(projected: bool, item: &Value, mode: Option<u32>, resources: bool) -> Value {
    let mut volume = json!({"name": "v", "downwardAPI": {"items": [item]}});
    if projected {
        volume = json!({"name": "v", "projected": {"sources": [{"downwardAPI": {"items": [item]}}]}});
    }
    if let Some(mode) = mode {
        volume[if projected { "projected" } else { "downwardAPI" }]["defaultMode"] = json!(mode);
    }
    let mut pod = reader(&[volume], &["/mnt/v/file"]);
    if resources {
        pod["spec"]["containers"][0]["resources"] = serde_json::from_str(LIMITS).unwrap();
    }
    pod
}

/// What it reads.
fn read(site: &Site, projected: bool, item: &Value, mode: Option<u32>, resources: bool) -> String {
    site.output(&reading(projected, item, mode, resources))
}

fn reads(projected: bool, item: &Value, mode: Option<u32>, wanted: &str) {
    assert_eq!(read(&Site::new(), projected, item, mode, true), wanted);
}

/// The file has the pod's name, and the mode 0400, by the volume's default or by its own.
fn has_mode(projected: bool, item: &Value, default_mode: Option<u32>) {
    let site = Site::new();
    site.prints(&reading(projected, item, default_mode, true), "reader");
    assert_eq!(site.mode("reader", "v", "file"), 0o400);
}

/// Without a limit, what the node has is the limit.
fn reads_allocatable_memory(projected: bool) {
    let found = read(&Site::new(), projected, &resource("limits.memory"), None, false);
    assert!(found.parse::<u64>().unwrap() > 64 << 20, "{found}");
}

/// `[sig-storage] Downward API volume should provide container's memory limit [NodeConformance] [Conformance]`
#[test]
fn volume_memory_limit() {
    reads(false, &resource("limits.memory"), None, "67108864");
}

/// `[sig-storage] Downward API volume should provide container's memory request [NodeConformance] [Conformance]`
#[test]
fn volume_memory_request() {
    reads(false, &resource("requests.memory"), None, "33554432");
}

/// `[sig-storage] Downward API volume should provide node allocatable (memory) as default memory limit if the limit is
/// not set [NodeConformance] [Conformance]`
#[test]
fn volume_allocatable_memory() {
    reads_allocatable_memory(false);
}

/// `[sig-storage] Downward API volume should provide podname only [NodeConformance] [Conformance]`
#[test]
fn volume_pod_name() {
    reads(false, &field("metadata.name"), None, "reader");
}

/// `[sig-storage] Downward API volume should set DefaultMode on files [LinuxOnly] [NodeConformance] [Conformance]`
#[test]
fn volume_default_mode() {
    has_mode(false, &field("metadata.name"), Some(0o400));
}

/// `[sig-storage] Downward API volume should set mode on item file [LinuxOnly] [NodeConformance] [Conformance]`
#[test]
fn volume_item_mode() {
    let mut item = field("metadata.name");
    item["mode"] = json!(0o400);
    has_mode(false, &item, None);
}

/// `[sig-storage] Projected downwardAPI should provide container's cpu limit [NodeConformance] [Conformance]`
#[test]
fn projected_cpu_limit() {
    reads(true, &resource("limits.cpu"), None, "2");
}

/// `[sig-storage] Projected downwardAPI should provide container's cpu request [NodeConformance] [Conformance]`
#[test]
fn projected_cpu_request() {
    reads(true, &resource("requests.cpu"), None, "1");
}

/// `[sig-storage] Projected downwardAPI should provide container's memory request [NodeConformance] [Conformance]`
#[test]
fn projected_memory_request() {
    reads(true, &resource("requests.memory"), None, "33554432");
}

/// `[sig-storage] Projected downwardAPI should provide node allocatable (memory) as default memory limit if the limit is
/// not set [NodeConformance] [Conformance]`
#[test]
fn projected_allocatable_memory() {
    reads_allocatable_memory(true);
}

/// `[sig-storage] Projected downwardAPI should set DefaultMode on files [LinuxOnly] [NodeConformance] [Conformance]`
#[test]
fn projected_default_mode() {
    has_mode(true, &field("metadata.name"), Some(0o400));
}

/// `[sig-storage] Projected downwardAPI should set mode on item file [LinuxOnly] [NodeConformance] [Conformance]`
#[test]
fn projected_item_mode() {
    let mut item = field("metadata.name");
    item["mode"] = json!(0o400);
    has_mode(true, &item, None);
}

/// `[sig-storage] Projected downwardAPI should update labels on modification [NodeConformance] [Conformance]`
#[test]
fn projected_labels_are_updated() {
    let site = Site::new();
    let items = json!([{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]);
    let volume = json!({"name": "v", "projected": {"sources": [{"downwardAPI": {"items": items}}]}});
    let mut pod = reader(&[volume], &[]);
    pod["metadata"]["labels"] = json!({"key1": "value1", "key2": "value2"});
    pod["spec"]["containers"][0]["command"] = json!(["sleep", "600"]);
    site.apply(&pod);
    site.phase("reader", "Running");
    let read = || site.kubectl("exec reader -- cat /mnt/v/labels").ok();
    assert_eq!(read(), "key1=\"value1\"\nkey2=\"value2\"");
    site.kubectl("label pod reader key3=value3 key2-").ok();
    eventually("the labels in the file", || match read() {
        labels if labels == "key1=\"value1\"\nkey3=\"value3\"" => Ok(()),
        labels => Err(labels),
    });
}

/// The value of an environment variable that comes from the pod itself.
fn variable(site: &Site, source: &Value) -> String {
    let env = json!({"env": [{"name": "WANTED", "valueFrom": source}]});
    let printed = site.output(&pod("printer", &["env"], &env));
    let found = printed.lines().find_map(|line| line.strip_prefix("WANTED="));
    found.unwrap_or_else(|| panic!("no such variable: {printed}")).to_string()
}

/// `[sig-node] Downward API should provide default limits.cpu/memory from node allocatable [NodeConformance]
/// [Conformance]`
#[test]
fn env_default_limits() {
    for name in ["limits.cpu", "limits.memory"] {
        let found = variable(&Site::new(), &json!({"resourceFieldRef": {"resource": name}}));
        assert!(found.parse::<u64>().unwrap() > 0, "{name}: {found}");
    }
}

/// `[sig-node] Downward API should provide host IP as an env var [NodeConformance] [Conformance]`
#[test]
fn env_host_ip() {
    let site = Site::new();
    let found = variable(&site, &json!({"fieldRef": {"fieldPath": "status.hostIP"}}));
    assert_eq!(found, site.field("printer", "{.status.hostIP}"));
    assert!(found.parse::<std::net::IpAddr>().is_ok(), "{found}");
}

/// `[sig-node] Downward API should provide pod UID as env vars [NodeConformance] [Conformance]`
#[test]
fn env_pod_uid() {
    let site = Site::new();
    let found = variable(&site, &json!({"fieldRef": {"fieldPath": "metadata.uid"}}));
    assert_eq!(found, site.field("printer", "{.metadata.uid}"));
}
