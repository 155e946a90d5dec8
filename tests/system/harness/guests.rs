//! Guests in a few lines of WebAssembly text, and the pods that run them.

use std::path::Path;

use super::cluster::{Cluster, coracle};
use super::process::{run, sample};

/// Ends at once, successfully, without a word.
pub const QUICK: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// Never ends, and never waits.
pub const LOOP: &str =
    r#"(module (memory (export "memory") 1) (func (export "_start") (loop $forever (br $forever))))"#;

/// Traps two calls deep.
pub const TRAP: &str =
    r#"(module (memory (export "memory") 1) (func $inner unreachable) (func (export "_start") (call $inner)))"#;

/// Says `failing` and exits with 3.
pub const FAILING: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\08\00\00\00") ;; where the text is, and how long
    (data (i32.const 16) "failing\n")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $exit (i32.const 3))))"#;

/// Says `tick` every 50 ms, for ever.
pub const TICKER: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\05\00\00\00")
    (data (i32.const 16) "tick\n")
    (data (i32.const 80) "\01\00\00\00")                 ;; a subscription at 64: the monotonic clock
    (data (i32.const 88) "\80\f0\fa\02\00\00\00\00")     ;; 50,000,000 ns from now
    (func (export "_start") (loop $again
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
        (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 40)))
        (br $again))))"#;

/// Asks for memory until it gets none, and then again.
pub const GROW: &str = r#"(module (memory (export "memory") 1)
    (func (export "_start") (loop $more (drop (memory.grow (i32.const 16))) (br $more))))"#;

/// Guests that end in every way: name, program, further lines of the pod, and the exit code with its reason.
pub const ENDS: [(&str, &str, &str, &str); 5] = [
    ("quick", QUICK, "", "0/Completed"),
    ("failing", FAILING, "", "3/Error"),
    ("trap", TRAP, "", "134/Error"),
    ("grow", GROW, "    resources: {limits: {memory: 16Mi}}\n", "137/OOMKilled"),
    ("loop", LOOP, "  activeDeadlineSeconds: 1\n", "137/Error"),
];

/// The name that manifests use for a guest pushed with [`push`].
pub fn image(name: &str) -> String {
    format!("registry.coracle.internal/guest/{name}:1")
}

/// Pushes a guest in WebAssembly text to the cluster's registry.
pub fn push(cluster: &Cluster, name: &str, wat: &str) {
    let file = cluster.scratch().join(format!("{name}.wat"));
    std::fs::write(&file, wat).expect("the scratch directory can be written");
    push_file(cluster, name, &file);
}

/// The toolbox sample as manifests name it, once it is pushed.
pub const TOOLBOX: &str = "registry.coracle.internal/guest/toolbox:1";

/// Pushes the toolbox sample.
pub fn push_toolbox(cluster: &Cluster) {
    push_sample(cluster, "toolbox");
}

/// Pushes a sample, as [`image`] names it.
pub fn push_sample(cluster: &Cluster, name: &str) {
    push_file(cluster, name, &sample(name).join(format!("{name}.wasm")));
}

fn push_file(cluster: &Cluster, name: &str, file: &Path) {
    run(coracle().arg("push").arg(file).arg(format!("{}/guest/{name}:1", cluster.line("registry")))).ok();
}

/// A manifest for a pod `name` of the guest `name`; `more` are further lines of the container.
pub fn pod(name: &str, restart_policy: &str, more: &str) -> String {
    pod_of(name, name, restart_policy, more)
}

/// The same for a guest of another name.
pub fn pod_of(guest: &str, name: &str, restart_policy: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  restartPolicy: {restart_policy}\n  \
         terminationGracePeriodSeconds: 1\n  containers:\n  - name: main\n    image: {}\n{more}",
        image(guest)
    )
}
