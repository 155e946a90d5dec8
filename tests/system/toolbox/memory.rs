//! Memory that containers share, and memory that a running container is given or denied.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::shows;
use crate::harness::guests::{image, push};
use crate::harness::{Cluster, eventually};

/// Reads a digit from the file `mib` of its first volume (behind `/`) every 20 ms. If it has less than so many MiB, it
/// grows to that and prints the digit.
const HOLDER: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\18\00\00\00\01\00\00\00")      ;; one byte at 24
    (data (i32.const 24) "0\n")
    (data (i32.const 32) "\18\00\00\00\02\00\00\00")     ;; the same with the end of the line
    (data (i32.const 40) "mib")
    (data (i32.const 80) "\01\00\00\00")                 ;; a subscription at 64: the monotonic clock
    (data (i32.const 88) "\00\2d\31\01\00\00\00\00")     ;; 20,000,000 ns from now
    (func $look (local $pages i32)
        (if (call $open (i32.const 4) (i32.const 1) (i32.const 40) (i32.const 3) (i32.const 0)
                (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 16))
            (then (return)))
        (drop (call $read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 48)))
        (drop (call $close (i32.load (i32.const 16))))
        (local.set $pages (i32.mul (i32.sub (i32.load8_u (i32.const 24)) (i32.const 48)) (i32.const 16)))
        (if (i32.le_u (local.get $pages) (memory.size)) (then (return)))
        (drop (memory.grow (i32.sub (local.get $pages) (memory.size))))
        (if (i32.eq (local.get $pages) (memory.size))
            (then (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 48))))))
    (func (export "_start") (loop $again
        (call $look)
        (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 56)))
        (br $again))))"#;

fn cluster() -> Cluster {
    let cluster = Cluster::start();
    push(&cluster, "holder", HOLDER);
    cluster
}

fn order(cluster: &Cluster, container: &str) -> PathBuf {
    cluster.scratch().join(container)
}

/// Tells a container how many MiB to have.
fn grow(cluster: &Cluster, container: &str, mib: u8) {
    let dir = order(cluster, container);
    fs::create_dir_all(&dir).expect("the scratch directory can be written");
    fs::write(dir.join("mib"), mib.to_string()).expect("the container's directory can be written");
}

/// A pod of such containers, each with its resources; they have names of their own in the whole cluster.
fn pod(cluster: &Cluster, name: &str, policy: &str, containers: &[(&str, Value)]) -> Value {
    let volume = |(name, _): &(&str, Value)| json!({"name": name, "hostPath": {"path": order(cluster, name)}});
    let container = |(name, resources): &(&str, Value)| json!({"name": name, "image": image("holder"), "resources": resources, "volumeMounts": [{"name": name, "mountPath": "/a"}]});
    let volumes: Vec<Value> = containers.iter().map(volume).collect();
    let containers: Vec<Value> = containers.iter().map(container).collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "restartPolicy": policy, "terminationGracePeriodSeconds": 0, "volumes": volumes, "containers": containers}})
}

fn says(cluster: &Cluster, pod: &str, container: &str, wanted: &str) {
    eventually(&format!("{container} says {wanted:?}"), || {
        let log = cluster.kubectl(&format!("logs {pod} -c {container}")).result()?;
        if log == wanted { Ok(()) } else { Err(log) }
    });
}

fn limit_memory(cluster: &Cluster, pod: &str, container: &str, limit: &str) {
    let patch = json!({"spec": {"containers": [{"name": container, "resources": {"limits": {"memory": limit}}}]}});
    cluster.kubectl(&format!("patch pod {pod} --subresource resize -p {patch}")).ok();
}

/// Containers without limits of their own share the pod's: whoever grows beyond it is killed for it, its neighbour goes
/// on and may have what it had.
#[test]
fn who_grows_beyond_the_pods_memory_is_killed_and_its_neighbour_lives() {
    let cluster = cluster();
    grow(&cluster, "a", 5);
    grow(&cluster, "b", 2);
    let mut pair = pod(&cluster, "pair", "Never", &[("a", json!({})), ("b", json!({}))]);
    pair["spec"]["resources"] = json!({"limits": {"memory": "8Mi"}});
    cluster.apply(&pair.to_string());
    says(&cluster, "pair", "a", "5\n");
    says(&cluster, "pair", "b", "2\n");
    grow(&cluster, "b", 4);
    let ended = ".status.containerStatuses[1].state.terminated";
    shows(&cluster, "pair", &format!("{ended}.reason"), "OOMKilled");
    shows(&cluster, "pair", &format!("{ended}.exitCode"), "137");
    grow(&cluster, "a", 7);
    says(&cluster, "pair", "a", "5\n7\n");
    says(&cluster, "pair", "b", "2\n");
    shows(&cluster, "pair", ".status.containerStatuses[0].restartCount", "0");
    shows(&cluster, "pair", ".status.phase", "Running");
}

/// A raised limit lets the same run grow. One below what is in use is not given: the pod says why, what it has is left
/// to it, and a limit that fits ends that.
#[test]
fn memory_is_resized_in_place() {
    let cluster = cluster();
    grow(&cluster, "main", 3);
    let resources = json!({"requests": {"memory": "2Mi"}, "limits": {"memory": "4Mi"}});
    cluster.apply(&pod(&cluster, "web", "Never", &[("main", resources)]).to_string());
    says(&cluster, "web", "main", "3\n");
    let status = ".status.containerStatuses[0]";
    let id = cluster.kubectl(&format!("get pod web -o jsonpath={{{status}.containerID}}")).ok();
    limit_memory(&cluster, "web", "main", "8Mi");
    shows(&cluster, "web", &format!("{status}.resources.limits.memory"), "8Mi");
    grow(&cluster, "main", 7);
    says(&cluster, "web", "main", "3\n7\n");

    limit_memory(&cluster, "web", "main", "5Mi");
    let hangs = ".status.conditions[?(@.type==\"PodResizeInProgress\")]";
    shows(&cluster, "web", &format!("{hangs}.reason"), "Error");
    let why = "attempting to set memory limit (5242880) of container main below current usage (7340032)";
    shows(&cluster, "web", &format!("{hangs}.message"), why);
    shows(&cluster, "web", &format!("{status}.resources.limits.memory"), "8Mi");
    let events = cluster.kubectl("get events --field-selector reason=ResizeError").ok();
    assert!(events.contains("Pod resize error: {") && events.contains(why), "{events}");

    limit_memory(&cluster, "web", "main", "9Mi");
    shows(&cluster, "web", &format!("{hangs}.reason"), "");
    shows(&cluster, "web", &format!("{status}.resources.limits.memory"), "9Mi");
    grow(&cluster, "main", 9);
    says(&cluster, "web", "main", "3\n7\n9\n");
    shows(&cluster, "web", &format!("{status}.containerID"), &id);
    shows(&cluster, "web", &format!("{status}.restartCount"), "0");
}

/// A container that wants it is started again for another memory limit, a lower one than is in use too, and not for
/// another CPU limit.
#[test]
fn a_container_that_wants_it_restarts_for_its_memory() {
    let cluster = cluster();
    grow(&cluster, "main", 3);
    let resources = json!({"requests": {"memory": "1Mi", "cpu": "10m"}, "limits": {"memory": "4Mi", "cpu": "1"}});
    let mut web = pod(&cluster, "web", "Always", &[("main", resources)]);
    web["spec"]["containers"][0]["resizePolicy"] = json!([
        {"resourceName": "memory", "restartPolicy": "RestartContainer"},
        {"resourceName": "cpu", "restartPolicy": "NotRequired"},
    ]);
    cluster.apply(&web.to_string());
    says(&cluster, "web", "main", "3\n");
    let status = ".status.containerStatuses[0]";
    let patch = json!({"spec": {"containers": [{"name": "main", "resources": {"limits": {"cpu": "2"}}}]}});
    cluster.kubectl(&format!("patch pod web --subresource resize -p {patch}")).ok();
    shows(&cluster, "web", &format!("{status}.resources.limits.cpu"), "2");
    shows(&cluster, "web", &format!("{status}.restartCount"), "0");

    grow(&cluster, "main", 1);
    limit_memory(&cluster, "web", "main", "2Mi");
    shows(&cluster, "web", &format!("{status}.restartCount"), "1");
    shows(&cluster, "web", &format!("{status}.resources.limits.memory"), "2Mi");
    says(&cluster, "web", "main", "1\n");
    let events = cluster.kubectl("get events --field-selector reason=Killing").ok();
    assert!(events.contains("Container main resize requires restart"), "{events}");
    // The new limit is the new run's.
    grow(&cluster, "main", 3);
    shows(&cluster, "web", &format!("{status}.lastState.terminated.reason"), "OOMKilled");
}
