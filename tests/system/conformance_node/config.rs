//! `[sig-storage] ConfigMap` and `[sig-storage] Secrets`

use serde_json::{Value, json};

use super::site::{Site, reader};

fn map(name: &str, more: &Value) -> Value {
    source(name, "configMap", "name", more)
}

fn secret(name: &str, more: &Value) -> Value {
    source(name, "secret", "secretName", more)
}

fn source(name: &str, kind: &str, key: &str, more: &Value) -> Value {
    let mut source = more.clone();
    source[key] = json!("source");
    json!({"name": name, kind: source})
}

/// Makes `source`, and fails unless a pod with the volumes prints its value from each of the files.
fn consumed(kind: &str, volumes: &[Value], files: &[&str], as_user: Option<u32>) {
    let site = Site::new();
    site.data(kind, "source", &json!({"data-1": "value-1", "data-2": "value-2"}));
    let mut pod = reader(volumes, files);
    if let Some(user) = as_user {
        pod["spec"]["securityContext"] = json!({"runAsUser": user, "fsGroup": 1001});
    }
    let value = if files[0].ends_with('2') { "value-2" } else { "value-1" };
    assert_eq!(site.output(&pod), value.repeat(files.len()));
}

/// `[sig-storage] ConfigMap should be consumable from pods in volume with mappings and Item mode set [LinuxOnly]
/// [NodeConformance] [Conformance]`
#[test]
fn config_map_with_mappings_and_item_mode() {
    let items = json!({"items": [{"key": "data-2", "path": "path/to/data-2", "mode": 0o400}]});
    consumed("ConfigMap", &[map("v", &items)], &["/mnt/v/path/to/data-2"], None);
}

/// `[sig-storage] ConfigMap should be consumable from pods in volume with mappings as non-root [NodeConformance]
/// [Conformance]`
#[test]
fn config_map_with_mappings_as_non_root() {
    let items = json!({"items": [{"key": "data-2", "path": "path/to/data-2"}]});
    consumed("ConfigMap", &[map("v", &items)], &["/mnt/v/path/to/data-2"], Some(1000));
}

/// `[sig-storage] ConfigMap should be consumable in multiple volumes in the same pod [NodeConformance] [Conformance]`
#[test]
fn config_map_in_multiple_volumes() {
    let volumes = [map("a", &json!({})), map("b", &json!({}))];
    consumed("ConfigMap", &volumes, &["/mnt/a/data-1", "/mnt/b/data-1"], None);
}

/// `[sig-storage] Secrets should be consumable from pods in volume [NodeConformance] [Conformance]`
#[test]
fn secret_in_volume() {
    consumed("Secret", &[secret("v", &json!({}))], &["/mnt/v/data-1"], None);
}

/// `[sig-storage] Secrets should be consumable from pods in volume with defaultMode set [LinuxOnly] [NodeConformance]
/// [Conformance]`
#[test]
fn secret_with_default_mode() {
    consumed("Secret", &[secret("v", &json!({"defaultMode": 0o400}))], &["/mnt/v/data-1"], None);
}

/// `[sig-storage] Secrets should be consumable in multiple volumes in a pod [NodeConformance] [Conformance]`
#[test]
fn secret_in_multiple_volumes() {
    let volumes = [secret("a", &json!({})), secret("b", &json!({}))];
    consumed("Secret", &volumes, &["/mnt/a/data-1", "/mnt/b/data-1"], None);
}

/// `[sig-storage] Secrets should be able to mount in a volume regardless of a different secret existing with same name
/// in different namespace [NodeConformance] [Conformance]`
#[test]
fn secret_of_the_same_name_elsewhere() {
    let other = Site::new();
    other.data("Secret", "source", &json!({"data-1": "another"}));
    consumed("Secret", &[secret("v", &json!({}))], &["/mnt/v/data-1"], None);
}

/// `[sig-storage] ConfigMap binary data should be reflected in volume [NodeConformance] [Conformance]`
///
/// The bytes are no UTF-8 upstream; a log compares text, so here only the way through `binaryData` is checked.
#[test]
fn config_map_binary_data() {
    let site = Site::new();
    site.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "source"},
        "data": {"text": "text "}, "binaryData": {"bytes": "3q3K/g=="},
    }));
    let mut pod = reader(&[map("v", &json!({}))], &[]);
    pod["spec"]["containers"][0]["command"] = json!(["ls", "/mnt/v"]);
    let listed = site.output(&pod);
    assert!(listed.contains(" 4 bytes\n") && listed.contains(" 5 text\n"), "{listed}");
}
