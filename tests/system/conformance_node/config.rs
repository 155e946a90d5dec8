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

/// Makes `source`, and fails unless a pod with the volumes prints its value from each of the files. The pod is left for
/// whoever wants to know more of it.
fn consumed(kind: &str, volumes: &[Value], files: &[&str], as_user: Option<u32>) -> Site {
    let site = Site::new();
    site.data(kind, "source", &json!({"data-1": "value-1", "data-2": "value-2"}));
    let mut pod = reader(volumes, files);
    if let Some(user) = as_user {
        pod["spec"]["securityContext"] = json!({"runAsUser": user, "fsGroup": 1001});
    }
    let value = if files[0].ends_with('2') { "value-2" } else { "value-1" };
    site.prints(&pod, &value.repeat(files.len()));
    site
}

/// `[sig-storage] ConfigMap should be consumable from pods in volume with mappings and Item mode set [LinuxOnly]
/// [NodeConformance] [Conformance]`
#[test]
fn config_map_with_mappings_and_item_mode() {
    let items = json!({"items": [{"key": "data-2", "path": "path/to/data-2", "mode": 0o400}]});
    let site = consumed("ConfigMap", &[map("v", &items)], &["/mnt/v/path/to/data-2"], None);
    assert_eq!(site.mode("reader", "v", "path/to/data-2"), 0o400);
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
    let site = consumed("Secret", &[secret("v", &json!({}))], &["/mnt/v/data-1"], None);
    assert_eq!(site.mode("reader", "v", "data-1"), 0o644, "the default's default");
}

/// `[sig-storage] Secrets should be consumable from pods in volume with defaultMode set [LinuxOnly] [NodeConformance]
/// [Conformance]`
#[test]
fn secret_with_default_mode() {
    let site = consumed("Secret", &[secret("v", &json!({"defaultMode": 0o400}))], &["/mnt/v/data-1"], None);
    assert_eq!((site.mode("reader", "v", "data-1"), site.mode("reader", "v", "data-2")), (0o400, 0o400));
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
/// The bytes are no text, and come out of the container as they are.
#[test]
fn config_map_binary_data() {
    let site = Site::new();
    site.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "source"},
        "data": {"text": "text "}, "binaryData": {"bytes": "3srK/gD/"},
    }));
    let mut pod = reader(&[map("v", &json!({}))], &[]);
    pod["spec"]["containers"][0]["command"] = json!(["sleep", "600"]);
    site.apply(&pod);
    site.phase("reader", "Running");
    let read = |file: &str| {
        let mut command = site.cluster().kubectl_command();
        command.args(["-n", &site.namespace, "exec", "reader", "--", "cat", &format!("/mnt/v/{file}")]);
        let output = command.output().expect("kubectl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    assert_eq!(read("bytes"), b"\xde\xca\xca\xfe\x00\xff");
    assert_eq!(read("text"), b"text ");
}
