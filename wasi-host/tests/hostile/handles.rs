//! Floods of what the host holds for a guest: open files, directories, pollables, handles, lists of them.

use std::{fs, path::Path};

use coracle_wasi_host::{Exit, ExitReason, Preopen, Program, limits};

use crate::{
    end,
    script::Script,
    support::{container, pod, program},
};

const FILES: &str = include_str!("../guests/files.wat");

/// The exit code of a component that was refused a file for its being too many (`quota`).
const QUOTA: i32 = 106;
const INSUFFICIENT_MEMORY: i32 = 122;

fn guest(run: &str) -> Program {
    // A comment of the guest has the mark too.
    program(&FILES.replace("{{RUN}}", &run.replace('\n', " ")))
}

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "content").unwrap();
    dir
}

async fn run_in(dir: &Path, program: Program) -> Exit {
    let (mut config, _) = container(program);
    config.preopens = vec![Preopen { host_path: dir.to_owned(), guest_path: "/data".into(), read_only: true }];
    end(&pod().start(config).await.unwrap()).await
}

/// Descriptors that this process has on files below a directory: those of a guest.
pub fn open_files(dir: &Path) -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(Result::ok);
    open.filter(|entry| fs::read_link(entry.path()).is_ok_and(|file| file.starts_with(dir))).count()
}

#[tokio::test]
async fn a_module_has_only_so_many_open_files() {
    let dir = directory();
    let text = r#"(module
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (data (i32.const 100) "file")
        (func (export "_start") (local $n i32) (loop
            (if (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 4) (i32.const 0) (i64.const 2)
                (i64.const 2) (i32.const 0) (i32.const 16)) (then (call $exit (i32.const 7))))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $n) (i32.const {{COUNT}}))))))"#;
    let opening = |count: usize| program(&text.replace("{{COUNT}}", &count.to_string()));
    let fits = limits::FILES_PER_INSTANCE - 100;
    assert_eq!(run_in(dir.path(), opening(fits)).await.code, 0);
    let exit = run_in(dir.path(), opening(limits::FILES_PER_INSTANCE + 1)).await;
    assert!(matches!(exit.reason, ExitReason::Trap | ExitReason::Error), "{exit:?}");
    assert_eq!(open_files(dir.path()), 0, "all are closed with the instance");
}

#[tokio::test]
async fn a_component_has_only_so_many_open_files() {
    let dir = directory();
    let flood = "(loop (drop (call $open (i32.const 4))) (br_if 0 (call $more (i32.const 100000))))";
    let exit = run_in(dir.path(), guest(flood)).await;
    assert_eq!((exit.code, exit.reason), (QUOTA, ExitReason::Error), "{exit:?}");
    assert_eq!(open_files(dir.path()), 0, "all are closed with the instance");
    // Closing makes room, and so does an attempt that failed.
    let closing = "(loop (call $drop (call $open (i32.const 4))) (br_if 0 (call $more (i32.const 5000))))";
    assert_eq!(run_in(dir.path(), guest(closing)).await.code, 0);
    let failing = "(loop
        (call $open-at (global.get $dir) (i32.const 1) (i32.const 16) (i32.const 3) (i32.const 0) (i32.const 1)
            (i32.const 64))
        (br_if 0 (call $more (i32.const 3000)))) (drop (call $open (i32.const 4)))";
    assert_eq!(run_in(dir.path(), guest(failing)).await.code, 0);
}

#[tokio::test]
async fn lists_of_directories_are_bounded_together() {
    let dir = directory();
    for n in 0..2_000 {
        fs::write(dir.path().join(format!("entry-{n}")), "").unwrap();
    }
    let flood = "(loop (drop (call $list)) (br_if 0 (call $more (i32.const 100000))))";
    let exit = run_in(dir.path(), guest(flood)).await;
    assert_eq!((exit.code, exit.reason), (INSUFFICIENT_MEMORY, ExitReason::Error), "{exit:?}");
    let closing = "(loop (call $drop-list (call $list)) (br_if 0 (call $more (i32.const 100))))";
    assert_eq!(run_in(dir.path(), guest(closing)).await.code, 0);
}

#[tokio::test]
async fn a_directory_of_too_many_entries_is_refused_before_it_is_read() {
    let dir = directory();
    for n in 0..=limits::LISTED_ENTRIES_PER_INSTANCE {
        // Links to one file are made faster than files.
        fs::hard_link(dir.path().join("file"), dir.path().join(format!("link-{n}")))
            .or_else(|_| fs::write(dir.path().join(format!("link-{n}")), ""))
            .unwrap();
    }
    let exit = run_in(dir.path(), guest("(drop (call $list))")).await;
    assert_eq!((exit.code, exit.reason), (INSUFFICIENT_MEMORY, ExitReason::Error), "{exit:?}");
}

#[tokio::test]
async fn pollables_are_bounded_and_lists_of_them_too() {
    let dir = directory();
    let flood = "(loop (drop (call $timer (i64.const 0))) (br_if 0 (call $more (i32.const 200000))))";
    assert_eq!(run_in(dir.path(), guest(flood)).await.reason, ExitReason::Trap);
    // One timer a million times in one list, then lists that lie outside of memory.
    let million = "(i32.store (i32.const 70000) (call $timer (i64.const 0)))
        (memory.copy (i32.const 70004) (i32.const 70000) (i32.const 4))
        (loop (i32.store (i32.add (i32.const 70000) (i32.shl (global.get $count) (i32.const 2)))
                (i32.load (i32.const 70000)))
            (br_if 0 (call $more (i32.const 1000000))))
        (call $poll (i32.const 70000) (i32.const 1000000) (i32.const 64))";
    let exit = run_in(dir.path(), guest(million)).await;
    assert!(matches!(exit.reason, ExitReason::Completed | ExitReason::Trap), "{exit:?}");
    for (at, count) in [(70_000_u32, 0x7fff_ffff_u32), (0xffff_0000, 1), (3, 1), (70_000, 0)] {
        let run = format!("(call $poll (i32.const {at}) (i32.const {count}) (i32.const 64))");
        assert_eq!(run_in(dir.path(), guest(&run)).await.reason, ExitReason::Trap, "{at} {count}");
    }
}

#[tokio::test]
async fn handles_that_are_not_ones_own_are_traps() {
    let dir = directory();
    for run in [
        "(call $drop (i32.const 12345))",
        "(call $drop-list (global.get $dir))",
        "(call $drop (global.get $dir)) (call $drop (global.get $dir))",
        "(call $drop (i32.const -1))",
        "(call $drop (i32.const 0))",
        "(global.set $dir (call $timer (i64.const 0))) (drop (call $open (i32.const 4)))",
    ] {
        assert_eq!(run_in(dir.path(), guest(run)).await.reason, ExitReason::Trap, "{run}");
    }
}

#[tokio::test]
async fn handles_of_the_guests_own_making_are_bounded() {
    let text = r#"(component
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core module $m (import "host" "new" (func $new (param i32) (result i32)))
            (func (export "run") (result i32) (loop (drop (call $new (i32.const 1))) (br 0)) (i32.const 0)))
        (core instance $m (instantiate $m (with "host" (instance (export "new" (func $new))))))
        (func $run (result (result)) (canon lift (core func $m "run")))
        (instance $run (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $run)))"#;
    let exit = end(&pod().start(container(program(text)).0).await.unwrap()).await;
    assert_eq!(exit.reason, ExitReason::Trap, "{exit:?}");
}

#[tokio::test]
async fn paths_and_lists_out_of_bounds_are_refused() {
    let dir = directory();
    let mut script = Script::default();
    // Iovecs: far too many, at the end of memory, each pointing out of it; overlapping ones are allowed.
    script.call("fd_write", "(i32.const 1) (i32.const 1000) (i32.const 0x7fffffff) (i32.const 8)");
    script.call("fd_write", "(i32.const 1) (i32.const -8) (i32.const 1) (i32.const 8)");
    script.call("fd_write", "(i32.const 1) (i32.const 131068) (i32.const 1) (i32.const 8)");
    script.call("fd_readdir", "(i32.const 3) (i32.const 0) (i32.const -1) (i64.const 0) (i32.const 8)");
    script.call("path_create_directory", "(i32.const 3) (i32.const 131000) (i32.const 5000)");
    script.call("path_create_directory", "(i32.const 3) (i32.const -1) (i32.const -1)");
    script.call("random_get", "(i32.const 131000) (i32.const 5000)");
    let (mut config, _) = container(script.program());
    config.preopens = vec![Preopen { host_path: dir.path().to_owned(), guest_path: "/data".into(), read_only: false }];
    let exit = end(&pod().start(config).await.unwrap()).await;
    // Some are errors and some are traps; none is a fault of the host.
    assert!(matches!(exit.reason, ExitReason::Completed | ExitReason::Trap), "{exit:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
