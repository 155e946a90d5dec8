//! Directories of the node as a battlefield: links, pipes and depths in volumes and logs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::{Class, classes, is_well, pod_dir, runs};
use crate::harness::guests::{self, pod, push};
use crate::harness::{Cluster, eventually};

/// A pod with one volume, which its container has at `/v`.
fn with_volume(name: &str, volume: &str, more: &str) -> String {
    let mounts = format!("    volumeMounts: [{{ name: v, mountPath: /v{more} }}]\n");
    format!("{}  volumes: [{{ name: v, {volume} }}]\n", pod(name, "Never", &mounts))
}

/// Calls preview 1 for the first directory, with `text` at 100.
fn guest(text: &str, body: &str) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_symlink" (func $link (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $name (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (data (i32.const 100) {text:?})
        ;; The directory that the pod calls /v; the others are the container's own.
        (func $find (result i32) (local $fd i32)
            (local.set $fd (i32.const 2))
            (loop
                (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
                (if (i32.gt_u (local.get $fd) (i32.const 50)) (then (call $exit (i32.const 9))))
                (i32.store (i32.const 16) (i32.const 0))
                (drop (call $name (local.get $fd) (i32.const 16) (i32.const 2)))
                (br_if 0 (i32.ne (i32.load (i32.const 16)) (i32.const 0x762f))))
            (local.get $fd))
        (func $check (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
        (func (export "_start") (local $dir i32) (local $n i32) (local.set $dir (call $find)) {body}))"#
    )
}

/// Directories in one another, deeper than any path can say: the node removes them with the pod, and goes on.
#[test]
fn a_tree_of_directories_without_bottom_is_removed_with_its_pod() {
    let cluster = Cluster::start();
    let digging = guest(
        "d",
        "(loop
            (call $check (call $mkdir (local.get $dir) (i32.const 100) (i32.const 1)))
            (call $check (call $open (local.get $dir) (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 2)
                (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 32)))
            (if (local.get $n) (then (call $check (call $close (local.get $dir)))))
            (local.set $dir (i32.load (i32.const 32)))
            (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 6000))))",
    );
    push(&cluster, "digger", &digging);
    for class in classes() {
        cluster.apply(&class.of(&with_volume("digger", "emptyDir: {}", "")));
        cluster.kubectl("wait --for=jsonpath={.status.phase}=Succeeded pod/digger --timeout=60s").ok();
        let dir = pod_dir(&cluster, "digger");
        cluster.kubectl("delete pod digger --timeout=60s").ok();
        eventually("its directory is gone", || if dir.exists() { Err(class.to_string()) } else { Ok(()) });
    }
    is_well(&cluster, "afterwards");
}

/// A link that one container leaves in a volume leads the next one's `subPath` nowhere (CVE-2017-1002101).
#[test]
fn a_link_in_a_volume_is_no_sub_path_out_of_it() {
    let cluster = Cluster::start();
    let linking = guest(
        "../../..out",
        "(call $check (call $link (i32.const 100) (i32.const 8) (local.get $dir) (i32.const 108) (i32.const 3)))",
    );
    push(&cluster, "linker", &linking);
    let own = pod("linker", "Never", "    volumeMounts: [{ name: v, mountPath: /w, subPath: out }]\n");
    let init = format!(
        "  initContainers: [{{ name: init, image: {}, volumeMounts: [{{ name: v, mountPath: /v }}] }}]\n  \
         volumes: [{{ name: v, emptyDir: {{}} }}]\n",
        guests::image("linker")
    );
    for class in classes() {
        cluster.apply(&class.of(&format!("{own}{init}")));
        eventually("the reason", || {
            let path = "jsonpath={.status.containerStatuses[0].state.waiting}{.status.initContainerStatuses[0].state}";
            let said = cluster.kubectl(&format!("get pod linker -o {path}")).result()?;
            let refused = said.contains("CreateContainerConfigError") && said.contains("subPath");
            if refused { Ok(()) } else { Err(format!("{class}: {said}")) }
        });
        cluster.kubectl("delete pod linker --timeout=30s").ok();
    }
}

/// The same after the start (CVE-2021-25741): what a container is given stays what it was, for every later run beside it.
#[test]
fn a_link_in_the_place_of_a_sub_path_is_not_followed() {
    let cluster = Cluster::start();
    guests::push_toolbox(&cluster);
    let secret = cluster.scratch().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("file"), "the secret").unwrap();
    let manifest = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: box }}\nspec:\n  restartPolicy: Always\n  terminationGracePeriodSeconds: 1\n  \
         containers:\n  - name: main\n    image: {}\n    command: [sh, -c, 'write /d/file mine; sleep 1000']\n    \
         volumeMounts: [{{ name: v, mountPath: /d, subPath: sub }}]\n  volumes: [{{ name: v, emptyDir: {{}} }}]\n",
        guests::TOOLBOX
    );
    for class in classes() {
        cluster.apply(&class.of(&manifest));
        keeps_its_sub_path(&cluster, *class, &secret);
        cluster.kubectl("delete pod box --timeout=30s").ok();
    }
    is_well(&cluster, "beside");
}

/// Puts a link to `secret` in the place of the directory that the pod `box` has.
fn keeps_its_sub_path(cluster: &Cluster, class: Class, secret: &Path) {
    eventually("it has written", || {
        let said = cluster.kubectl("exec box -- cat /d/file").result()?;
        if said.trim() == "mine" { Ok(()) } else { Err(said) }
    });
    // What a neighbour in the pod could do that has the whole volume.
    let volume = pod_dir(cluster, "box").join("volumes/v");
    fs::rename(volume.join("sub"), volume.join("moved")).unwrap();
    symlink(secret, volume.join("sub")).unwrap();
    for command in ["exec box -- cat /d/file", "exec box -- tar cf - /d/file"] {
        let said = cluster.kubectl(command);
        let text = said.result().unwrap_or_else(|complaint| complaint);
        assert!(!text.contains("the secret"), "{class}: {command}: {text}");
    }
    // A process of its own holds the directory open and goes on with it; the node does not find it again.
    if cluster.kubectl("exec box -- write /d/file overwritten").code == 0 {
        assert_eq!(class, Class::Isolated);
        assert_eq!(fs::read_to_string(volume.join("moved/file")).unwrap(), "overwritten");
    }
    assert_eq!(fs::read_to_string(secret.join("file")).unwrap(), "the secret");
}

/// Who may write to the node's own directories could put a link in the place of a log: nothing is read or written
/// through it.
#[test]
fn a_link_in_the_place_of_a_log_is_not_followed() {
    let cluster = Cluster::start();
    let secret = cluster.scratch().join("secret");
    fs::write(&secret, "2026-01-01T00:00:00.000000000Z stdout F the secret\n").unwrap();
    push(&cluster, "ticker", guests::TICKER);
    for class in classes() {
        cluster.apply(&class.of(&pod("ticker", "Always", "")));
        eventually("some ticks", || {
            let logs = cluster.kubectl("logs ticker").result()?;
            if logs.contains("tick") { Ok(()) } else { Err(logs) }
        });
        let log = pod_dir(&cluster, "ticker").join("main/0.log");
        fs::remove_file(&log).unwrap();
        // The node may have made a new one in between.
        while symlink(&secret, &log).is_err() {
            fs::remove_file(&log).unwrap();
        }
        let said = cluster.kubectl("logs ticker");
        assert!(!said.result().is_ok_and(|text| text.contains("secret")), "{class}: the log shows another file");
        is_well(&cluster, &format!("beside-{class}"));
        assert_eq!(fs::read_to_string(&secret).unwrap().lines().count(), 1, "{class}: it was written through");
        cluster.kubectl("delete pod ticker --timeout=30s").ok();
        assert!(secret.exists());
    }
}

/// A pipe of the host that nobody fills: whoever opens it waits, can be deleted, and holds up nobody else.
#[test]
fn a_pipe_in_a_host_path_holds_up_its_own_pod_only() {
    let cluster = Cluster::start();
    let dir = cluster.scratch().join("pipes");
    fs::create_dir(&dir).unwrap();
    assert!(Command::new("mkfifo").arg(dir.join("pipe")).status().unwrap().success());
    let opening = guest(
        "pipe",
        "(call $check (call $open (local.get $dir) (i32.const 0) (i32.const 100) (i32.const 4) (i32.const 0)
            (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 32)))",
    );
    push(&cluster, "waiter", &opening);
    let manifest = with_volume("waiter", &format!("hostPath: {{ path: {} }}", dir.display()), "");
    for class in classes() {
        cluster.apply(&class.of(&manifest));
        runs(&cluster, "waiter");
        is_well(&cluster, &format!("beside-{class}"));
        cluster.kubectl("delete pod waiter --timeout=30s").ok();
    }
    is_well(&cluster, "afterwards");
}
