//! Files of one volume change together.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::harness::guests::{image, push};
use crate::harness::{Cluster, eventually};

/// Opens `..data` of its first volume again and again and reads the files `a` and `b` of the directory that it is then.
/// Says `torn` if they differ, and what is in them whenever it is something else than before; ends when that is `end`.
/// A directory that has been replaced may be gone before both are read. The volume at `/a` comes behind `/` (see
/// `READER`).
const PAIR: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 100) "..data")
    (data (i32.const 110) "ab")
    (data (i32.const 120) "end\00\00\00\00\00")
    (data (i32.const 130) "torn\n")
    (global $last (mut i64) (i64.const 0))
    (func $print (param $at i32) (param $length i32)
        (i32.store (i32.const 0) (local.get $at))
        (i32.store (i32.const 4) (local.get $length))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    ;; Up to eight bytes of the file whose name is one letter; 0: it isn't there, or is empty.
    (func $content (param $dir i32) (param $name i32) (result i64)
        (i64.store (i32.const 200) (i64.const 0))
        (if (call $open (local.get $dir) (i32.const 1) (local.get $name) (i32.const 1) (i32.const 0)
                (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 16))
            (then (return (i64.const 0))))
        (i32.store (i32.const 0) (i32.const 200))
        (i32.store (i32.const 4) (i32.const 8))
        (drop (call $read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
        (drop (call $close (i32.load (i32.const 16))))
        (i64.load (i32.const 200)))
    (func $look (local $dir i32) (local $a i64) (local $b i64)
        (if (call $open (i32.const 4) (i32.const 1) (i32.const 100) (i32.const 6) (i32.const 2)
                (i64.const 8194) (i64.const 8194) (i32.const 0) (i32.const 16)) ;; to read, and to open what is in it
            (then (return)))
        (local.set $dir (i32.load (i32.const 16)))
        (local.set $a (call $content (local.get $dir) (i32.const 110)))
        (local.set $b (call $content (local.get $dir) (i32.const 111)))
        (drop (call $close (local.get $dir)))
        (if (i32.or (i64.eqz (local.get $a)) (i64.eqz (local.get $b))) (then (return)))
        (if (i64.ne (local.get $a) (local.get $b)) (then (call $print (i32.const 130) (i32.const 5)) (return)))
        (if (i64.eq (local.get $a) (global.get $last)) (then (return)))
        (global.set $last (local.get $a))
        (i64.store (i32.const 200) (local.get $a))
        (i32.store8 (i32.const 203) (i32.const 10)) ;; contents have three letters
        (call $print (i32.const 200) (i32.const 4)))
    (func (export "_start") (loop $again
        (call $look)
        (br_if $again (i64.ne (global.get $last) (i64.load (i32.const 120)))))))"#;

fn patch(cluster: &Cluster, value: &str) {
    let data = format!("{{\"data\":{{\"a\":\"{value}\",\"b\":\"{value}\"}}}}");
    cluster.kubectl(&format!("patch configmap pair -p {data}")).ok();
}

/// The directory that the node has for the volume.
fn directory(cluster: &Cluster) -> PathBuf {
    let uid = cluster.kubectl("get pod pair -o jsonpath={.metadata.uid}").ok();
    cluster.data_dir().join(format!("node/pods/default_pair_{uid}/volumes/v"))
}

/// However often two files change together, nobody who holds the directory they are in sees one old and one new; what a
/// user sees stays the same links, and one rename puts new files behind them.
#[test]
fn nobody_sees_some_files_new_and_others_old() {
    let cluster = Cluster::start();
    push(&cluster, "pair", PAIR);
    cluster.kubectl("create configmap pair --from-literal=a=v00 --from-literal=b=v00").ok();
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: pair}}\nspec:\n  restartPolicy: Never\n  volumes: [{{name: v, \
         configMap: {{name: pair}}}}]\n  containers: [{{name: main, image: '{}', volumeMounts: [{{name: v, mountPath: \
         /a}}]}}]\n",
        image("pair")
    ));
    eventually("the guest has read the first files", || {
        let log = cluster.kubectl("logs pair").result()?;
        if log == "v00\n" { Ok(()) } else { Err(log) }
    });
    let volume = directory(&cluster);
    let link = |name: &str| fs::read_link(volume.join(name)).expect("what a user sees is a link");
    let inode = |name: &str| fs::symlink_metadata(volume.join(name)).expect("the link is there").ino();
    let (data, links) = (link("..data"), (inode("a"), inode("b")));
    assert_eq!((link("a"), link("b")), (PathBuf::from("..data/a"), PathBuf::from("..data/b")));
    (1..10).for_each(|round| patch(&cluster, &format!("v{round:02}")));
    eventually("the guest has read the last of them", || {
        let log = cluster.kubectl("logs pair").result()?;
        if log.ends_with("v09\n") { Ok(()) } else { Err(log) }
    });
    assert_ne!(link("..data"), data);
    assert_eq!((inode("a"), inode("b")), links, "no link that a user sees was made anew");
    // What was there before is swept after the rename.
    eventually("nothing but the newest files and their links is there", || {
        let entries = fs::read_dir(&volume).expect("the volume is there as long as the pod");
        let names: BTreeSet<_> = entries.flatten().map(|entry| PathBuf::from(entry.file_name())).collect();
        let wanted = BTreeSet::from([PathBuf::from("..data"), link("..data"), "a".into(), "b".into()]);
        if names == wanted { Ok(()) } else { Err(format!("{names:?}")) }
    });

    patch(&cluster, "end");
    cluster.kubectl("wait --for=jsonpath={.status.phase}=Succeeded pod/pair --timeout=60s").ok();

    let log = cluster.kubectl("logs pair").ok();
    let mut seen: Vec<&str> = log.lines().collect();
    assert!(seen.len() > 2 && seen.ends_with(&["end"]), "{log}");
    seen.pop();
    assert!(seen.iter().all(|line| line.starts_with('v')) && seen.is_sorted(), "{log}");
}
