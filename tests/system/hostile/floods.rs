//! Output without measure.

use std::fs;

use super::{Class, classes, is_well, pod_dir, runs};
use crate::harness::guests::{pod, push};
use crate::harness::{Cluster, eventually};

/// Writes 60,000 bytes at a time, for ever; `byte` is what they are.
fn flood(byte: u8) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start")
            (memory.fill (i32.const 1000) (i32.const {byte}) (i32.const 60000))
            (i32.store (i32.const 0) (i32.const 1000))
            (i32.store (i32.const 4) (i32.const 60000))
            (loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br 0))))"#
    )
}

/// The default of a node: five files of ten megabytes (kubelet's `containerLogMaxFiles` and `containerLogMaxSize`).
const LOG_BYTES: u64 = 5 * (10 << 20);
/// The last write of a file may go beyond it: the buffer of one container, with a head for each empty line in it.
const SLACK_BYTES: u64 = 5 * (4 << 20);

#[test]
fn output_without_end_takes_a_bounded_place_on_the_disk() {
    let cluster = Cluster::start();
    // Lines without end, and nothing but ends of lines.
    let kinds = [("endless", b'x'), ("empty", b'\n')];
    for (name, byte) in kinds {
        push(&cluster, name, &flood(byte));
    }
    for class in classes() {
        for (name, byte) in kinds {
            is_bounded(&cluster, *class, name, byte);
        }
    }
}

/// Floods the log of a pod, and looks at what becomes of it.
fn is_bounded(cluster: &Cluster, class: Class, name: &str, byte: u8) {
    cluster.apply(&class.of(&pod(name, "Never", "")));
    runs(cluster, name);
    let dir = pod_dir(cluster, name).join("main");
    // The sixth file would be one too many; by then the first one is gone.
    eventually("it has filled its files", || {
        let taken = size(&dir);
        assert!(taken <= LOG_BYTES + SLACK_BYTES, "{class} {name}: {taken} bytes");
        if taken >= LOG_BYTES - (10 << 20) { Ok(()) } else { Err(format!("{class} {name}: {taken} bytes")) }
    });
    for _ in 0..20 {
        let taken = size(&dir);
        assert!(taken <= LOG_BYTES + SLACK_BYTES, "{class} {name}: {taken} bytes");
        assert!(fs::read_dir(&dir).unwrap().count() <= 6, "{class} {name}");
    }
    let tail = cluster.kubectl(&format!("logs {name} --tail=2 --limit-bytes=100")).ok();
    assert!(tail.len() <= 100 && tail.bytes().all(|found| found == byte || found == b'\n'), "{tail:?}");
    is_well(cluster, &format!("beside-{class}-{name}"));
    cluster.kubectl(&format!("delete pod {name} --timeout=30s")).ok();
}

/// Bytes of the files in a directory; one that is being rotated may be missed.
fn size(dir: &std::path::Path) -> u64 {
    let files = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    files.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}
