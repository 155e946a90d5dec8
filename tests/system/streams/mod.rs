//! exec, attach, cp, port-forward and logs in streams, with kubectl over WebSocket and over SPDY, and with kube-rs.
//! (The Python client's are in tests/system/python/flows/streams.py.)

mod copies;
mod debugging;
mod forwards;
mod keys;
mod program;
mod screen;
mod slow;
mod terminals;

pub use forwards::forward;

use std::io::Write as _;
use std::process::Stdio;

use crate::harness::{Cluster, Finished, guests, run};

/// Multiplexes on the first letter of its name: `args` prints its arguments, `fail` complains and exits with 3; by any
/// other name it copies stdin to stdout.
pub const STREAMS: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 512) "wrong\n")
    (func $write (param $to i32) (param $at i32) (param $length i32)
        (block $done (loop $more
            (br_if $done (i32.eqz (local.get $length)))
            (i32.store (i32.const 0) (local.get $at))
            (i32.store (i32.const 4) (local.get $length))
            (br_if $done (call $fd_write (local.get $to) (i32.const 0) (i32.const 1) (i32.const 8)))
            (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
            (local.set $length (i32.sub (local.get $length) (i32.load (i32.const 8))))
            (br $more))))
    (func (export "_start") (local $i i32) (local $letter i32)
        (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
        (drop (call $args_get (i32.const 64) (i32.const 1024)))
        (local.set $letter (i32.load8_u (i32.const 1024)))
        (if (i32.eq (local.get $letter) (i32.const 97)) (then ;; a
            (loop $next
                (if (i32.eqz (i32.load8_u offset=1024 (local.get $i)))
                    (then (i32.store8 offset=1024 (local.get $i) (i32.const 10))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $i) (i32.load (i32.const 20)))))
            (call $write (i32.const 1) (i32.const 1024) (i32.load (i32.const 20)))
            (return)))
        (if (i32.eq (local.get $letter) (i32.const 102)) (then ;; f
            (call $write (i32.const 2) (i32.const 512) (i32.const 6))
            (call $exit (i32.const 3))))
        (loop $more
            (i32.store (i32.const 0) (i32.const 8192))
            (i32.store (i32.const 4) (i32.const 65536))
            (br_if 1 (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (local.set $i (i32.load (i32.const 8)))
            (if (local.get $i) (then
                (call $write (i32.const 1) (i32.const 8192) (local.get $i))
                (br $more))))))"#;

/// The two ways kubectl takes, whatever it would choose itself.
pub const TRANSPORTS: [(&str, &str); 2] = [("WebSocket", "true"), ("SPDY", "false")];

/// A cluster with the pod `streams`, which runs until its stdin ends and has a volume at /data.
fn cluster() -> Cluster {
    let cluster = Cluster::start();
    guests::push(&cluster, "streams", STREAMS);
    cluster.apply(&pod("streams"));
    cluster.kubectl("wait --for=condition=Ready pod/streams --timeout=60s").ok();
    cluster
}

/// A pod of the program, with a volume at /data.
pub fn pod(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  restartPolicy: Never\n  \
         terminationGracePeriodSeconds: 1\n  volumes:\n  - name: data\n    emptyDir: {{}}\n  containers:\n  \
         - name: main\n    image: {}\n    stdin: true\n    stdinOnce: true\n    volumeMounts:\n    - name: data\n      \
         mountPath: /data\n",
        guests::image("streams")
    )
}

/// Runs kubectl over one of the transports, with input.
pub fn kubectl(cluster: &Cluster, websockets: &str, line: &str, input: &[u8]) -> Finished {
    let mut command = cluster.kubectl_command();
    command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets).env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets);
    command.args(line.split(' '));
    if input.is_empty() {
        return run(&mut command);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || stdin.write_all(&input));
    let finished = child.wait_with_output().expect("kubectl ends");
    feeding.join().expect("no panic").expect("kubectl reads its input");
    finished.into()
}
