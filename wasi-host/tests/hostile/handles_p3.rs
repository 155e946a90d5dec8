//! Floods of open files by WASI 0.3, where streams outlive what they were made of.

use std::{fs, path::Path};

use coracle_wasi_host::{Exit, ExitReason, Preopen, Program, limits};

use crate::{
    end,
    handles::open_files,
    support::{container, pod, program},
};

const FILES: &str = include_str!("../guests/files-p3.wat");

/// The exit code of a component that was refused a file for its being too many (`quota`).
const QUOTA: i32 = 105;
/// No link.
const INVALID: i32 = 111;
const NAME_TOO_LONG: i32 = 117;

fn guest(run: &str) -> Program {
    // A comment of the guest has the mark too.
    program(&FILES.replace("{{RUN}}", &run.replace('\n', " ")))
}

fn directory(entries: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for n in 1..entries {
        fs::write(dir.path().join(format!("entry-{n}")), "").unwrap();
    }
    fs::write(dir.path().join("file"), "content").unwrap();
    dir
}

async fn run_in(dir: &Path, run: &str) -> Exit {
    let (mut config, _) = container(guest(run));
    config.preopens = vec![Preopen { host_path: dir.to_owned(), guest_path: "/data".into(), read_only: true }];
    end(&pod().start(config).await.unwrap()).await
}

#[tokio::test]
async fn a_component_has_only_so_many_open_files() {
    let dir = directory(1);
    let exit =
        run_in(dir.path(), "(loop (drop (call $open (i32.const 4))) (br_if 0 (call $more (i32.const 100000))))").await;
    assert_eq!((exit.code, exit.reason), (QUOTA, ExitReason::Error), "{exit:?}");
    assert_eq!(open_files(dir.path()), 0, "all are closed with the instance");
    let closing = "(loop (call $drop (call $open (i32.const 4))) (br_if 0 (call $more (i32.const 3000))))";
    assert_eq!(run_in(dir.path(), closing).await.code, 0);
    let failing = "(loop
        (call $open-at (global.get $dir) (i32.const 1) (i32.const 16) (i32.const 3) (i32.const 0) (i32.const 1)
            (i32.const 64))
        (br_if 0 (call $more (i32.const 3000)))) (drop (call $open (i32.const 4)))";
    assert_eq!(run_in(dir.path(), failing).await.code, 0);
}

#[tokio::test]
async fn a_stream_counts_as_the_file_it_keeps_open() {
    let dir = directory(1);
    let keeping = "(loop
        (local.set $at (call $open (i32.const 4)))
        (drop (call $read (local.get $at)))
        (call $drop (local.get $at))
        (br_if 0 (call $more (i32.const 5000))))";
    let exit = run_in(dir.path(), keeping).await;
    assert_eq!((exit.code, exit.reason), (QUOTA, ExitReason::Error), "{exit:?}");
    assert_eq!(open_files(dir.path()), 0, "all are closed with the instance");
    let closing =
        keeping.replace("(drop (call $read (local.get $at)))", "(call $drop-bytes (call $read (local.get $at)))");
    assert_eq!(run_in(dir.path(), &closing).await.code, 0);
}

#[tokio::test]
async fn a_list_comes_whole_in_pieces() {
    let dir = directory(limits::P3_ENTRIES_AT_ONCE * 2 + 5);
    let run = "(local.set $at (call $list))
        (loop
            (global.set $count (call $take (local.get $at)))
            (global.set $sum (i32.add (global.get $sum) (i32.shr_u (global.get $count) (i32.const 4))))
            (br_if 0 (i32.eqz (i32.and (global.get $count) (i32.const 1)))))
        (call $exit (global.get $sum))";
    assert_eq!(run_in(dir.path(), run).await.code, 69);
    assert_eq!(open_files(dir.path()), 0);
}

/// A thread for each would be all the threads there are for files.
#[tokio::test]
async fn lists_that_nobody_reads_hold_nobody_up() {
    let dir = directory(limits::P3_ENTRIES_AT_ONCE * 2);
    let run =
        "(loop (call $begin (call $list)) (br_if 0 (call $more (i32.const 1000)))) (drop (call $open (i32.const 4)))";
    assert_eq!(run_in(dir.path(), run).await.code, 0);
    let flood = run.replace("1000", "2000");
    assert_eq!(run_in(dir.path(), &flood).await.code, QUOTA, "they count as open files");
    assert_eq!(open_files(dir.path()), 0, "all are closed with the instance");
}

/// Thousands of calls may wait at once, each with its path in the host.
#[tokio::test]
async fn paths_longer_than_any_are_refused_before_they_are_looked_at() {
    let dir = directory(1);
    for (function, length, code) in
        [("$open", 4097, NAME_TOO_LONG), ("$readlink", 4097, NAME_TOO_LONG), ("$readlink", 4, INVALID)]
    {
        let run = format!("(drop (call {function} (i32.const {length})))");
        assert_eq!(run_in(dir.path(), &run).await.code, code, "{function} {length}");
    }
}
