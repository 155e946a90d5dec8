//! `[sig-storage] EmptyDir volumes` and `EmptyDir wrapper volumes`. A guest has no user, and WASI neither sets nor shows
//! modes: where upstream's test program does, the test does it from the host's side.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::site::{Site, container, pod, reader};

fn empty(medium: &str) -> Value {
    json!({"name": "v", "emptyDir": {"medium": medium}})
}

/// A guest makes a file in the volume. It is given the mode, and the guest writes it again and reads it: the file is the
/// same one, and its mode stays.
fn supported(user: Option<u32>, medium: &str, mode: u32) {
    let site = Site::new();
    let mut pod = waiting(medium);
    if let Some(user) = user {
        pod["spec"]["securityContext"] = json!({"runAsUser": user});
    }
    site.apply(&pod);
    site.phase("reader", "Running");
    site.kubectl("exec reader -- touch /mnt/v/f").ok();
    let file = site.volume("reader", "v").join("f");
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("the guest's file is here");
    let printed = site.kubectl("exec reader -- mounttest --new_file=/mnt/v/f --file_type=/mnt/v/f").ok();
    assert!(printed.contains("\"/mnt/v/f\": mount-tester new file"), "{printed}");
    assert!(printed.contains("type of \"/mnt/v/f\": file"), "{printed}");
    assert_eq!(site.mode("reader", "v", "f"), mode);
    assert_eq!(fs::read_to_string(&file).expect("the guest's file is here"), "mount-tester new file\n");
}

/// A pod that waits, with the volume at `/mnt/v`.
fn waiting(medium: &str) -> Value {
    let mut pod = reader(&[empty(medium)], &[]);
    pod["spec"]["containers"][0]["command"] = json!(["sleep", "600"]);
    pod
}

/// Each spec, its user unless that is root, its medium and its mode.
macro_rules! supports {
    ($($name:ident: $spec:literal, $user:expr, $medium:literal, $mode:literal;)*) => {$(
        #[doc = $spec]
        #[test]
        fn $name() {
            supported($user, $medium, $mode);
        }
    )*};
}

supports! {
    non_root_0644_tmpfs: "`[sig-storage] EmptyDir volumes should support (non-root,0644,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]`", Some(1001), "Memory", 0o644;
    non_root_0666_default: "`[sig-storage] EmptyDir volumes should support (non-root,0666,default) [LinuxOnly] [NodeConformance] [Conformance]`", Some(1001), "", 0o666;
    non_root_0666_tmpfs: "`[sig-storage] EmptyDir volumes should support (non-root,0666,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]`", Some(1001), "Memory", 0o666;
    non_root_0777_default: "`[sig-storage] EmptyDir volumes should support (non-root,0777,default) [LinuxOnly] [NodeConformance] [Conformance]`", Some(1001), "", 0o777;
    root_0644_default: "`[sig-storage] EmptyDir volumes should support (root,0644,default) [LinuxOnly] [NodeConformance] [Conformance]`", None, "", 0o644;
    root_0644_tmpfs: "`[sig-storage] EmptyDir volumes should support (root,0644,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]`", None, "Memory", 0o644;
    root_0666_tmpfs: "`[sig-storage] EmptyDir volumes should support (root,0666,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]`", None, "Memory", 0o666;
    root_0777_default: "`[sig-storage] EmptyDir volumes should support (root,0777,default) [LinuxOnly] [NodeConformance] [Conformance]`", None, "", 0o777;
}

/// The volume is a directory that everybody may write, in memory if that is its medium.
fn is_a_directory(medium: &str) {
    let site = Site::new();
    site.apply(&waiting(medium));
    site.phase("reader", "Running");
    let printed = site.kubectl("exec reader -- mounttest --file_type=/mnt/v").ok();
    assert_eq!(printed, "type of \"/mnt/v\": directory\n");
    assert_eq!(site.mode("reader", "v", ""), 0o777);
    let place = site.volume("reader", "v").canonicalize().expect("the volume is here");
    assert_eq!(place.starts_with("/dev/shm"), medium == "Memory", "{}", place.display());
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
/// Upstream: 50 volumes, five pods, three times; here once, and every pod reads every volume.
#[test]
fn many_config_maps() {
    let site = Site::new();
    let names: Vec<String> = (0..50).map(|index| format!("racey-{index}")).collect();
    let map = |name: &String| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"data-1": format!("{name} ")}});
    let maps: Vec<Value> = names.iter().map(map).collect();
    let volumes: Vec<Value> = names.iter().map(|name| json!({"name": name, "configMap": {"name": name}})).collect();
    let files: Vec<String> = names.iter().map(|name| format!("/mnt/{name}/data-1")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let pods = (0..5).map(|index| {
        let mut pod = reader(&volumes, &files);
        pod["metadata"]["name"] = json!(format!("racer-{index}"));
        pod
    });
    // All at once: the pods come while their ConfigMaps do.
    let items: Vec<Value> = maps.into_iter().chain(pods).collect();
    site.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}));
    for index in 0..5 {
        let name = format!("racer-{index}");
        site.phase(&name, "Succeeded");
        let said = site.kubectl(&format!("logs {name}")).ok();
        assert!(said.split_whitespace().eq(&names), "{name}: {said}");
    }
}
