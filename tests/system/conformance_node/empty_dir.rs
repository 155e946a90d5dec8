//! `[sig-storage] EmptyDir volumes` and `EmptyDir wrapper volumes`. Modes and users stand in the API only: a file that
//! is written and read back stands for them.

use serde_json::{Value, json};

use super::site::{Site, container, pod, reader};

fn empty(medium: &str) -> Value {
    json!({"name": "v", "emptyDir": {"medium": medium}})
}

/// Writes a new file into the volume and reads it back; the mode of upstream's test is what the file would have.
fn supported(user: Option<u32>, medium: &str) {
    let mut pod = reader(&[empty(medium)], &[]);
    pod["spec"]["containers"][0]["command"] = json!(["mounttest", "--new_file=/mnt/v/f", "--file_type=/mnt/v/f"]);
    if let Some(user) = user {
        pod["spec"]["securityContext"] = json!({"runAsUser": user});
    }
    let printed = Site::new().output(&pod);
    assert!(printed.contains("\"/mnt/v/f\": mount-tester new file"), "{printed}");
    assert!(printed.contains("type of \"/mnt/v/f\": file"), "{printed}");
}

/// Each spec, whether it runs as root, and its medium.
macro_rules! supports {
    ($($name:ident: $spec:literal, $user:expr, $medium:literal;)*) => {$(
        #[doc = $spec]
        #[test]
        fn $name() {
            supported($user, $medium);
        }
    )*};
}

supports! {
    non_root_0644_tmpfs: "`[sig-storage] EmptyDir volumes should support (non-root,0644,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]`", Some(1001), "Memory";
    non_root_0666_default: "`[sig-storage] EmptyDir volumes should support (non-root,0666,default) [LinuxOnly] [NodeConformance] [Conformance]`", Some(1001), "";
    non_root_0666_tmpfs: "`[sig-storage] EmptyDir volumes should support (non-root,0666,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]`", Some(1001), "Memory";
    non_root_0777_default: "`[sig-storage] EmptyDir volumes should support (non-root,0777,default) [LinuxOnly] [NodeConformance] [Conformance]`", Some(1001), "";
    root_0644_default: "`[sig-storage] EmptyDir volumes should support (root,0644,default) [LinuxOnly] [NodeConformance] [Conformance]`", None, "";
    root_0644_tmpfs: "`[sig-storage] EmptyDir volumes should support (root,0644,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]`", None, "Memory";
    root_0666_tmpfs: "`[sig-storage] EmptyDir volumes should support (root,0666,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]`", None, "Memory";
    root_0777_default: "`[sig-storage] EmptyDir volumes should support (root,0777,default) [LinuxOnly] [NodeConformance] [Conformance]`", None, "";
}

fn is_a_directory(medium: &str) {
    let mut pod = reader(&[empty(medium)], &[]);
    pod["spec"]["containers"][0]["command"] = json!(["mounttest", "--file_type=/mnt/v"]);
    assert_eq!(Site::new().output(&pod), "type of \"/mnt/v\": directory\n");
}

/// `[sig-storage] EmptyDir volumes volume on default medium should have the correct mode [LinuxOnly] [NodeConformance]
/// [Conformance]`
#[test]
fn default_medium() {
    is_a_directory("");
}

/// `[sig-storage] EmptyDir volumes volume on tmpfs should have the correct mode [LinuxOnly] [NodeConformance]
/// [Conformance]`
#[test]
fn memory_medium() {
    is_a_directory("Memory");
}

/// `[sig-storage] EmptyDir volumes pod should support shared volumes between containers [Conformance]`
///
/// Upstream reads by exec; here the second container reads again until the file is there, by restarting. The file is
/// complete only when a second one says so: `echo` makes it before it writes.
#[test]
fn shared_between_containers() {
    let site = Site::new();
    let mount = json!({"volumeMounts": [{"name": "v", "mountPath": "/shared"}]});
    let mut pod = pod("shared", &["sh", "-c", "echo hello > /shared/f; touch /shared/done; sleep 600"], &mount);
    pod["spec"]["restartPolicy"] = json!("Always");
    pod["spec"]["volumes"] = json!([empty("")]);
    pod["spec"]["containers"].as_array_mut().unwrap().push(container(
        "second",
        &["sh", "-c", "cat /shared/done && cat /shared/f && sleep 600"],
        &mount,
    ));
    site.apply(&pod);
    site.says("shared", "second", "hello");
}

/// `[sig-storage] EmptyDir wrapper volumes should not conflict [Conformance]`
#[test]
fn wrappers_do_not_conflict() {
    let site = Site::new();
    site.data("Secret", "secret", &json!({"a": "one "}));
    site.data("ConfigMap", "map", &json!({"a": "two"}));
    let volumes =
        [json!({"name": "s", "secret": {"secretName": "secret"}}), json!({"name": "m", "configMap": {"name": "map"}})];
    assert_eq!(site.output(&reader(&volumes, &["/mnt/s/a", "/mnt/m/a"])), "one two");
}

/// `[sig-storage] EmptyDir wrapper volumes should not cause race condition when used for configmaps [Serial]
/// [Conformance]`
///
/// Upstream: 50 volumes, five pods, three times; here 50 volumes and one pod in one go.
#[test]
fn many_config_maps() {
    let site = Site::new();
    let mut volumes = Vec::new();
    for index in 0..50 {
        let name = format!("racey-{index}");
        site.data("ConfigMap", &name, &json!({"data-1": "value-1"}));
        volumes.push(json!({"name": name, "configMap": {"name": name}}));
    }
    assert_eq!(site.output(&reader(&volumes, &["/mnt/racey-0/data-1", "/mnt/racey-49/data-1"])), "value-1value-1");
}
