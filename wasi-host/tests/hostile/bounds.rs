//! Bounds of one call, one program, one connection and one container, exactly where they are.

use std::{fs, sync::Arc};

use coracle_wasi_host::{CompileError, Exec, Exit, ExitReason, Preopen, Program, Stream, limits};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    end, kill, sockets_p3,
    support::{Log, container, engine, pod, program, until},
};

const MOST: usize = limits::HOSTCALL_LIMIT_BYTES;

async fn exit_of(program: Program) -> Exit {
    end(&pod().start(container(program).0).await.unwrap()).await
}

fn is_too_much(exit: &Exit) -> bool {
    let message = exit.message.as_deref().unwrap_or_default();
    exit.reason == ExitReason::Trap && message.contains("too much data is being copied between the host and the guest")
}

/// A component whose only call is one with a text of `length` bytes. It succeeds if it is told that there is no such store.
fn opening(length: usize, run: &str) -> Program {
    program(&format!(
        r#"(component
        (import "wasi:keyvalue/store@0.2.0-draft" (instance $store
            (export "bucket" (type $bucket (sub resource)))
            (type $cases (variant (case "no-such-store") (case "access-denied") (case "other" string)))
            (export "error" (type $error (eq $cases)))
            (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))))
        (core module $libc
            (memory (export "memory") 258)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
        (core instance $libc (instantiate $libc))
        (alias core export $libc "memory" (core memory $memory))
        (alias core export $libc "realloc" (core func $realloc))
        (core func $open (canon lower (func $store "open") (memory $memory) (realloc $realloc)))
        (core module $main
            (import "host" "open" (func $open (param i32 i32 i32)))
            (import "libc" "memory" (memory 258))
            (func (export "run") (result i32)
                (call $open (i32.const 65536) (i32.const {length}) (i32.const 16))
                (i32.ne (i32.load8_u (i32.const 16)) (i32.add (i32.const 1) (i32.load8_u (i32.const 20))))))
        (core instance $main (instantiate $main
            (with "host" (instance (export "open" (func $open))))
            (with "libc" (instance $libc))))
        {run}
        (func $run (type $run-type) (canon lift (core func $main "run")))
        (instance $run (export "run" (func $run)))
        (export "wasi:cli/run@0.{minor}.0" (instance $run)))"#,
        minor = if run.contains("async") { 3 } else { 2 }
    ))
}

/// What a component hands over in one call is copied up to the limit; one byte more is a trap, before it is copied.
#[tokio::test]
async fn a_call_of_a_component_carries_only_so_much() {
    for run in ["(type $run-type (func (result (result))))", "(type $run-type (func async (result (result))))"] {
        assert_eq!(exit_of(opening(MOST, run)).await.reason, ExitReason::Completed, "{run}");
        for length in [MOST + 1, MOST + 60_000] {
            let exit = exit_of(opening(length, run)).await;
            assert!(is_too_much(&exit), "{run} {length}: {exit:?}");
        }
    }
}

/// The same of calls by 0.3 that need not end at once.
#[tokio::test]
async fn a_call_that_may_wait_carries_no_more() {
    let asking = |length: usize| {
        sockets_p3::guest(&format!(
            "(drop (memory.grow (i32.const 256)))
            (if (i32.ne (call $lookup-raw (i32.const 65536) (i32.const {length}) (i32.const 128)) (i32.const 2))
                (then unreachable))
            (call $exit (i32.add (i32.const 100) (i32.load8_u (i32.const 132))))"
        ))
    };
    // It is no name (`invalid-argument`).
    assert_eq!(exit_of(asking(MOST)).await.code, 101);
    let exit = exit_of(asking(MOST + 1)).await;
    assert!(is_too_much(&exit), "{exit:?}");
}

/// `nomem` and `inval` of preview 1.
const NOMEM: i32 = 48;
const INVAL: i32 = 28;

/// A module is told that it was too much.
#[tokio::test]
async fn a_call_of_a_module_carries_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let making = |length: usize| {
        program(&format!(
            r#"(module
            (import "wasi_snapshot_preview1" "path_create_directory" (func $make (param i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 258)
            (func (export "_start")
                (call $exit (call $make (i32.const 3) (i32.const 65536) (i32.const {length})))))"#
        ))
    };
    for (length, code) in [(MOST, INVAL), (MOST + 1, NOMEM)] {
        let (mut config, _) = container(making(length));
        config.preopens =
            vec![Preopen { host_path: dir.path().to_owned(), guest_path: "/data".into(), read_only: false }];
        assert_eq!(end(&pod().start(config).await.unwrap()).await.code, code, "{length}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// A program with more tables than there may be is refused when it is compiled, however they are distributed.
#[tokio::test]
async fn a_program_has_only_so_many_tables() {
    let tables = |count: u32| "(table 1 funcref)".repeat(count as usize);
    let module = |count: u32| format!(r#"(module {} (func (export "_start")))"#, tables(count));
    let component = |one: u32, other: u32| {
        format!(
            r#"(component
            (core module $one {} (func (export "run") (result i32) (i32.const 0)))
            (core module $other {})
            (core instance $one (instantiate $one))
            (core instance (instantiate $other))
            (func $run (result (result)) (canon lift (core func $one "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $run)))"#,
            tables(one),
            tables(other)
        )
    };
    let most = limits::TABLES_PER_INSTANCE;
    for text in [module(most), component(most, 0), component(most / 2, most / 2)] {
        assert_eq!(exit_of(program(&text)).await.reason, ExitReason::Completed);
    }
    for text in [module(most + 1), component(most + 1, 0), component(most / 2, most / 2 + 1)] {
        let Err(error) = engine().compile(text.as_bytes()) else { panic!("compiled") };
        assert!(matches!(error, CompileError::Engine(_)), "{error:?}");
        let told = error.to_string();
        assert!(told.contains(" 33") && told.contains("tables") && told.contains(" of 32"), "{told}");
    }
}

/// A guest that opens sockets, says so when it has as many as an instance may have, and keeps them. It ends with 77 if it was
/// refused the first, and with 78 if another one.
fn hoarder() -> Program {
    sockets_p3::guest(&format!(
        "(loop
            (call $tcp-raw (i32.const 0) (i32.const 64))
            (if (i32.load8_u (i32.const 64)) (then
                (call $exit (i32.add (i32.const 77) (i32.ne (global.get $count) (i32.const 0))))))
            (br_if 0 (call $more (i32.const {}))))
        (call $say) (call $wait (i64.const 3600000000000))",
        limits::SOCKETS_PER_INSTANCE
    ))
}

/// All instances of a container have its descriptors together, and another container has its own.
#[tokio::test]
async fn a_container_has_only_so_many_descriptors() {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
    let full = |log: &Log| log.text(Stream::Stdout) == ".";
    let (pod, program) = (pod(), hoarder());
    let (config, log) = container(program.clone());
    let hoarding = pod.start(config).await.unwrap();
    until("it is full", || full(&log)).await;
    let exec = || {
        let log = Arc::new(Log::default());
        let exec = Exec { args: vec!["main".into()], stdin: None, terminal: false, output: log.clone() };
        (hoarding.exec(exec).unwrap(), log)
    };
    let others = limits::DESCRIPTORS_PER_CONTAINER / limits::SOCKETS_PER_INSTANCE as usize - 1;
    let mut beside = Vec::new();
    for _ in 0..others {
        let (running, log) = exec();
        until("it is full", || full(&log)).await;
        beside.push(running);
    }
    assert_eq!(exec().0.wait().await.code, 77, "there is none for one more instance");
    let (config, log) = container(program);
    let other = pod.start(config).await.unwrap();
    until("another container has its own", || full(&log)).await;
    kill(&other).await;
    kill(&hoarding).await;
    drop(beside);
}
