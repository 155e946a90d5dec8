//! Ways out of the directories of a pod with a process of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use super::{END, cluster, isolated, output, pod, ready, shows};
use crate::harness::guests::{self, TOOLBOX, push, push_sample};
use crate::hostile::isolation_is_possible;

/// An attempt to open a file by preview 1: the directory (a letter at the root), the path in it, `oflags`, rights, and
/// whether it is to succeed.
type Attempt<'a> = (u8, &'a str, u32, u32, bool);

const CREATE: u32 = 1;
const TRUNCATE: u32 = 8;
const READ: u32 = 1 << 1;
const WRITE: u32 = 1 << 6;

/// Makes the link `own` to `../secret` in the first attempt's directory if it may, and then does all attempts. The number
/// of the first that ends otherwise than it should, counted from 1, is the exit code.
fn trying(attempts: &[Attempt<'_>]) -> String {
    let (mut text, mut body) = ("../secretown".to_owned(), String::new());
    for (index, (dir, path, how, rights, works)) in attempts.iter().enumerate() {
        let (at, length, number) = (1000 + text.len(), path.len(), index + 1);
        let wrong = if *works { "ne" } else { "eq" };
        text.push_str(path);
        body.push_str(&format!(
            "(if (i32.{wrong} (i32.const 0) (call $open (call $find (i32.const {})) (i32.const 1) (i32.const {at})
                (i32.const {length}) (i32.const {how}) (i64.const {rights}) (i64.const {rights})
                (i32.const 0) (i32.const 32))) (then (call $exit (i32.const {number}))))\n",
            u16::from_le_bytes([b'/', *dir])
        ));
    }
    let first = u16::from_le_bytes([b'/', attempts[0].0]);
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_symlink" (func $link (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $name (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (data (i32.const 1000) {text:?})
        ;; The directory whose name has these two letters.
        (func $find (param $letters i32) (result i32) (local $fd i32)
            (local.set $fd (i32.const 2))
            (loop
                (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
                (if (i32.gt_u (local.get $fd) (i32.const 50)) (then (call $exit (i32.const 99))))
                (i32.store (i32.const 16) (i32.const 0))
                (drop (call $name (local.get $fd) (i32.const 16) (i32.const 2)))
                (br_if 0 (i32.ne (i32.load (i32.const 16)) (local.get $letters))))
            (local.get $fd))
        (func (export "_start")
            (drop (call $link (i32.const 1000) (i32.const 9) (call $find (i32.const {first}))
                (i32.const 1009) (i32.const 3)))
            {body}))"#
    )
}

/// A directory with a file, and links in it that lead out; beside it a secret.
fn prepare(scratch: &Path) {
    let host = scratch.join("host");
    fs::create_dir(&host).unwrap();
    fs::create_dir(host.join("inside")).unwrap();
    fs::write(host.join("file"), "own").unwrap();
    fs::write(scratch.join("secret"), "the secret").unwrap();
    symlink(scratch.join("secret"), host.join("absolute")).unwrap();
    symlink("../secret", host.join("relative")).unwrap();
    symlink("../new", host.join("dangling")).unwrap();
    symlink("..", host.join("over")).unwrap();
}

/// Nothing around the directory is read, made or changed, nor anything in it where it may only be read, by any of WASI's
/// three versions.
#[test]
fn no_path_leads_out_of_a_volume_nor_past_its_read_only_mount() {
    if !isolation_is_possible() {
        return;
    }
    let cluster = cluster();
    let scratch = cluster.scratch();
    prepare(scratch);
    let mounts = json!([{"name": "h", "mountPath": "/v"}, {"name": "h", "mountPath": "/r", "readOnly": true}]);
    let volumes = json!([{"name": "h", "hostPath": {"path": scratch.join("host")}}]);
    let more = format!("volumeMounts: {mounts}");
    let spec = format!("volumes: {volumes}");

    let absolute = scratch.join("secret");
    let attempts: [Attempt<'_>; 20] = [
        (b'v', "own", 0, READ, false),
        (b'v', "../secret", 0, READ, false),
        (b'v', "../secret", 0, WRITE, false),
        (b'v', "../secret", TRUNCATE, WRITE, false),
        (b'v', "inside/../../secret", 0, READ, false),
        (b'v', absolute.to_str().unwrap(), 0, READ, false),
        (b'v', "absolute", 0, READ, false),
        (b'v', "absolute", TRUNCATE, WRITE, false),
        (b'v', "relative", 0, READ, false),
        (b'v', "relative", TRUNCATE, WRITE, false),
        (b'v', "over/secret", 0, READ, false),
        (b'v', "dangling", CREATE, WRITE, false),
        (b'v', "../new", CREATE, WRITE, false),
        (b'r', "../secret", 0, READ, false),
        (b'r', "relative", 0, READ, false),
        (b'r', "file", 0, WRITE, false),
        (b'r', "file", TRUNCATE, READ, false),
        (b'r', "new", CREATE, WRITE, false),
        (b'r', "file", 0, READ, true),
        (b'v', "file", 0, READ | WRITE, true),
    ];
    push(&cluster, "trying", &trying(&attempts));
    let first = guests::pod("trying", "Never", &format!("    {more}\n  {spec}\n"));
    cluster.apply(&isolated(&first));
    shows(&cluster, "trying", END, "0/Completed");

    let tried = [
        "cat /v/../secret",
        "cat /v/relative",
        "cat /v/absolute",
        "cat /v/over/secret",
        "write /v/relative x",
        "write /v/../new x",
        "write /v/dangling x",
        "write /r/file x",
        "touch /r/new",
        "rm /r/file",
        "mkdir /r/dir",
    ];
    let script = format!("[sh, -c, '{}; cat /v/file']", tried.join("; "));
    let said = output(&cluster, &pod("second", &script, &more, &spec), "second");
    assert_eq!(said.matches("(os error ").count(), tried.len(), "{said}");
    assert!(said.contains("own") && !said.contains("the secret"), "{said}");

    push_sample(&cluster, "toolbox-p3");
    let third = pod("third", "[toolbox-p3, sleep, '1000']", &more, &spec);
    cluster.apply(&third.replace(TOOLBOX, &guests::image("toolbox-p3")));
    ready(&cluster, "third");
    let exec = |words: &str| cluster.kubectl(&format!("exec third -- toolbox-p3 {words}"));
    assert_eq!(exec("cat /v/file").ok(), "own");
    for words in ["cat /v/../secret", "cat /v/absolute", "write /v/relative x", "write /v/../new x", "write /r/file x"]
    {
        let said = exec(words);
        assert!(said.code != 0 && !said.stdout.contains("the secret"), "{words}: {}", said.stdout);
    }

    assert_eq!(fs::read_to_string(scratch.join("secret")).unwrap(), "the secret");
    assert_eq!(fs::read_to_string(scratch.join("host/file")).unwrap(), "own");
    for none in ["new", "host/new", "host/dir"] {
        assert!(!scratch.join(none).exists(), "{none}");
    }
}
