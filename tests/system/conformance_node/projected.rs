//! `[sig-storage] Projected configMap`, `Projected secret` and `Projected combined`

use serde_json::{Value, json};

use super::site::{Site, reader};

fn projected(name: &str, sources: &Value, mode: Option<u32>) -> Value {
    let mut volume = json!({"name": name, "projected": {"sources": sources}});
    if let Some(mode) = mode {
        volume["projected"]["defaultMode"] = json!(mode);
    }
    volume
}

/// Fails unless a pod with the source in each of the volumes prints its value from the file in each.
fn consumed(kind: &str, volumes: &[&str], items: Option<Value>, mode: Option<u32>, as_user: Option<u32>) -> Site {
    let site = Site::new();
    site.data(kind, "source", &json!({"data-1": "value-1"}));
    let mut source = json!({"name": "source"});
    let path = if items.is_some() { "path/to/data" } else { "data-1" };
    if let Some(items) = items {
        source["items"] = items;
    }
    let field = if kind == "Secret" { "secret" } else { "configMap" };
    let sources = json!([{field: source}]);
    let files: Vec<String> = volumes.iter().map(|name| format!("/mnt/{name}/{path}")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let volumes: Vec<Value> = volumes.iter().map(|name| projected(name, &sources, mode)).collect();
    let mut pod = reader(&volumes, &files);
    if let Some(user) = as_user {
        pod["spec"]["securityContext"] = json!({"runAsUser": user, "fsGroup": 1001});
    }
    site.prints(&pod, &"value-1".repeat(files.len()));
    site
}

fn items(mode: Option<u32>) -> Option<Value> {
    let mut item = json!({"key": "data-1", "path": "path/to/data"});
    if let Some(mode) = mode {
        item["mode"] = json!(mode);
    }
    Some(json!([item]))
}

/// `[sig-storage] Projected configMap should be consumable from pods in volume [NodeConformance] [Conformance]`
#[test]
fn config_map_in_volume() {
    consumed("ConfigMap", &["v"], None, None, None);
}

/// `[sig-storage] Projected configMap should be consumable from pods in volume with defaultMode set [LinuxOnly]
/// [NodeConformance] [Conformance]`
#[test]
fn config_map_with_default_mode() {
    let site = consumed("ConfigMap", &["v"], None, Some(0o400), None);
    assert_eq!(site.mode("reader", "v", "data-1"), 0o400);
}

/// `[sig-storage] Projected configMap should be consumable from pods in volume with mappings [NodeConformance]
/// [Conformance]`
#[test]
fn config_map_with_mappings() {
    consumed("ConfigMap", &["v"], items(None), None, None);
}

/// `[sig-storage] Projected configMap should be consumable from pods in volume with mappings as non-root
/// [NodeConformance] [Conformance]`
#[test]
fn config_map_with_mappings_as_non_root() {
    consumed("ConfigMap", &["v"], items(None), None, Some(1000));
}

/// `[sig-storage] Projected configMap should be consumable in multiple volumes in the same pod [NodeConformance]
/// [Conformance]`
#[test]
fn config_map_in_multiple_volumes() {
    consumed("ConfigMap", &["a", "b"], None, None, None);
}

/// `[sig-storage] Projected secret should be consumable from pods in volume as non-root with defaultMode and fsGroup set
/// [LinuxOnly] [NodeConformance] [Conformance]`
#[test]
fn secret_as_non_root_with_default_mode() {
    let site = consumed("Secret", &["v"], None, Some(0o440), Some(1000));
    assert_eq!(site.mode("reader", "v", "data-1"), 0o440);
}

/// `[sig-storage] Projected secret should be consumable from pods in volume with defaultMode set [LinuxOnly]
/// [NodeConformance] [Conformance]`
#[test]
fn secret_with_default_mode() {
    let site = consumed("Secret", &["v"], None, Some(0o400), None);
    assert_eq!(site.mode("reader", "v", "data-1"), 0o400);
}

/// `[sig-storage] Projected secret should be consumable from pods in volume with mappings and Item Mode set [LinuxOnly]
/// [NodeConformance] [Conformance]`
#[test]
fn secret_with_mappings_and_item_mode() {
    let site = consumed("Secret", &["v"], items(Some(0o400)), None, None);
    assert_eq!(site.mode("reader", "v", "path/to/data"), 0o400);
}

/// `[sig-storage] Projected secret should be consumable in multiple volumes in a pod [NodeConformance] [Conformance]`
#[test]
fn secret_in_multiple_volumes() {
    consumed("Secret", &["a", "b"], None, None, None);
}

/// `[sig-storage] Projected combined should project all components that make up the projection API
/// [Projection][NodeConformance] [Conformance]`
#[test]
fn all_components_together() {
    let site = Site::new();
    site.data("ConfigMap", "map", &json!({"from-map": "one "}));
    site.data("Secret", "secret", &json!({"from-secret": "two "}));
    let name = json!([{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]);
    let sources = json!([
        {"configMap": {"name": "map"}}, {"secret": {"name": "secret"}}, {"downwardAPI": {"items": name}},
    ]);
    let files = ["/mnt/v/from-map", "/mnt/v/from-secret", "/mnt/v/name"];
    assert_eq!(site.output(&reader(&[projected("v", &sources, None)], &files)), "one two reader");
}
