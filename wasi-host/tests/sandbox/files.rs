//! Files as Kubernetes' volumes lay them out: links to links, and files with two names.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use coracle_wasi_host::{Preopen, Program, Stream};

use crate::support::{container, pod, program};

/// Opens `path` below the first directory, writes `text` to it, or prints what is in it if `text` is empty. Exits with
/// the error number.
fn guest(path: &str, text: &str) -> Program {
    let (rights, work) = if text.is_empty() {
        (2, "(call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))")
    } else {
        (64, "(i32.const 0)")
    };
    let (out, length) = if text.is_empty() {
        ("(i32.const 1)", "(i32.load (i32.const 8))".to_owned())
    } else {
        ("(local.get $fd)", format!("(i32.const {})", text.len()))
    };
    program(&format!(
        r#"(module
            (import "wasi_snapshot_preview1" "path_open"
                (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 100) {path:?}) (data (i32.const 1000) {text:?})
            (func $check (param $errno i32) (if (local.get $errno) (then (call $proc_exit (local.get $errno)))))
            (func (export "_start") (local $fd i32)
                (call $check (call $path_open (i32.const 3) (i32.const 1) (i32.const 100) (i32.const {length_of_path})
                    (i32.const 0) (i64.const {rights}) (i64.const {rights}) (i32.const 0) (i32.const 16)))
                (local.set $fd (i32.load (i32.const 16)))
                (i32.store (i32.const 0) (i32.const 1000))
                (i32.store (i32.const 4) (i32.const 1000))
                (call $check {work})
                (i32.store (i32.const 4) {length})
                (call $check (call $fd_write {out} (i32.const 0) (i32.const 1) (i32.const 8)))))"#,
        length_of_path = path.len()
    ))
}

/// Runs the guest on a directory; what it printed, or its error number.
async fn run(program: Program, dir: &Path, read_only: bool) -> Result<String, i32> {
    let (mut config, log) = container(program);
    config.preopens = vec![Preopen { host_path: dir.to_owned(), guest_path: "/data".into(), read_only }];
    match pod().start(config).await.unwrap().wait().await.code {
        0 => Ok(log.text(Stream::Stdout)),
        code => Err(code),
    }
}

/// A volume as kubelet's atomic writer makes it: `key -> ..data/key`, `..data -> ..1`.
fn volume() -> (tempfile::TempDir, PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("volume");
    for (version, text) in [("..1", "one"), ("..2", "two")] {
        fs::create_dir_all(dir.join(version).join("deep")).unwrap();
        fs::write(dir.join(version).join("key"), text).unwrap();
        fs::write(dir.join(version).join("deep/key"), text).unwrap();
    }
    symlink("..1", dir.join("..data")).unwrap();
    symlink("..data/key", dir.join("key")).unwrap();
    symlink("..data/deep", dir.join("deep")).unwrap();
    (outer, dir)
}

#[tokio::test]
async fn links_within_a_volume_are_followed_and_an_update_is_seen_whole() {
    let (_outer, dir) = volume();
    for path in ["key", "deep/key", "..data/key"] {
        assert_eq!(run(guest(path, ""), &dir, true).await.unwrap(), "one", "{path}");
    }
    symlink("..2", dir.join("..data_tmp")).unwrap();
    fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    assert_eq!(run(guest("key", ""), &dir, true).await.unwrap(), "two");
    assert!(run(guest("key", "mine"), &dir, true).await.is_err(), "it is read-only");
}

#[tokio::test]
async fn links_that_lead_out_are_not_followed() {
    let (outer, dir) = volume();
    fs::write(outer.path().join("secret"), "secret").unwrap();
    symlink("../secret", dir.join("out")).unwrap();
    symlink(outer.path().join("secret"), dir.join("absolute")).unwrap();
    for path in ["out", "absolute", "../secret"] {
        assert!(run(guest(path, ""), &dir, true).await.is_err(), "{path}");
    }
}

#[tokio::test]
async fn what_is_written_under_one_name_is_read_under_the_other() {
    let outer = tempfile::tempdir().unwrap();
    let (file, dir) = (outer.path().join("file"), outer.path().join("dir"));
    fs::create_dir(&dir).unwrap();
    fs::write(&file, "before").unwrap();
    fs::hard_link(&file, dir.join("name")).unwrap();
    assert_eq!(run(guest("name", ""), &dir, false).await.unwrap(), "before");
    run(guest("name", "after!"), &dir, false).await.unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "after!");
}
