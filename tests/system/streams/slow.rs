//! Clients that do not read.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::AttachParams;
use tokio::io::AsyncWriteExt as _;

use super::program::finish;
use crate::client::client;
use crate::harness::{Cluster, guests};

/// How often the guest below writes 64 KiB: together much more than all buffers between it and a client hold.
const WRITES: usize = 1024;

/// Waits for input, writes 64 MiB in lines of 4 KiB, says `done` and ends.
fn flood() -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 2)
        (data (i32.const 0) "\00\00\01\00\00\00\01\00") ;; 64 KiB at 64 KiB
        (data (i32.const 16) "\20\00\00\00\05\00\00\00") ;; 5 bytes at 32
        (data (i32.const 32) "done\n")
        (func (export "_start") (local $at i32) (local $left i32)
            (drop (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 8)))
            (memory.fill (i32.const 65536) (i32.const 120) (i32.const 65536))
            (local.set $at (i32.const 69631))
            (loop $lines
                (i32.store8 (local.get $at) (i32.const 10))
                (local.set $at (i32.add (local.get $at) (i32.const 4096)))
                (br_if $lines (i32.lt_u (local.get $at) (i32.const 131072))))
            (local.set $left (i32.const {WRITES}))
            (loop $more
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $more (local.get $left)))
            (i32.store (i32.const 32) (i32.const 0x656e6f64)) ;; what was read lies there
            (i32.store8 (i32.const 36) (i32.const 10))
            (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))))"#
    )
}

#[tokio::test]
async fn an_attached_client_that_does_not_read_holds_up_nobody_and_is_told() {
    let cluster = Cluster::start();
    guests::push(&cluster, "flood", &flood());
    cluster.apply(&guests::pod("flood", "Never", "    stdin: true\n"));
    cluster.kubectl("wait --for=condition=Ready pod/flood --timeout=60s").ok();
    let pods: Api<Pod> = Api::default_namespaced(client(&cluster).await);
    let mut attached = pods.attach("flood", &AttachParams::default().stdin(true).stderr(false)).await.unwrap();
    // Only the end of what it prints is of interest to the log.
    attached.stdin().unwrap().write_all(b"go\n").await.unwrap();
    let succeeded = tokio::task::spawn_blocking(move || {
        cluster.kubectl("wait --for=jsonpath={.status.phase}=Succeeded pod/flood --timeout=60s").ok();
        assert_eq!(cluster.kubectl("logs flood --tail=1").ok(), "done\n");
        cluster
    });
    let _cluster = succeeded.await.unwrap();
    let (out, _, status) = finish(attached).await;
    assert!(!out.is_empty() && out.len() < WRITES << 16, "{} bytes came", out.len());
    assert!(out.bytes().all(|byte| byte == b'x' || byte == b'\n'));
    let message = status.message.unwrap_or_default();
    assert!(message.ends_with("error attaching to container: the client reads too slowly"), "{message}");
}
