//! Commands, from their first instruction to their exit.

use std::time::{Duration, Instant};

use coracle_wasi_host::{Exit, ExitReason, Preopen, StartError, Stream};

use crate::support::{Broken, COMMAND, TestNetwork, container, module, pod, pod_with, program, until};

const ENDLESS: &str = "(loop (br 0))";

#[tokio::test]
async fn a_module_says_hello_and_completes() {
    let (config, log) = container(module(
        r#"(data (i32.const 100) "hello\n") (data (i32.const 200) "oops\n")"#,
        "(call $write (i32.const 1) (i32.const 100) (i32.const 6)) (call $write (i32.const 2) (i32.const 200) (i32.const 5))",
    ));
    let container = pod().start(config).await.unwrap();
    let exit = container.wait().await;
    assert_eq!(exit, Exit { code: 0, reason: ExitReason::Completed, message: None });
    assert_eq!((log.text(Stream::Stdout), log.text(Stream::Stderr)), ("hello\n".into(), "oops\n".into()));
    assert_eq!(container.usage().memory_bytes, 0, "all memory is returned");
    assert!(!*container.ready().borrow());
    assert_eq!(container.wait().await, exit, "the exit stays known");
}

#[tokio::test]
async fn arguments_and_environment_are_what_was_given() {
    let (mut config, log) = container(module(
        "",
        "(drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
         (drop (call $args_get (i32.const 1000) (i32.const 2000)))
         (call $write (i32.const 1) (i32.const 2000) (i32.load (i32.const 20)))
         (drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
         (drop (call $environ_get (i32.const 3000) (i32.const 4000)))
         (call $write (i32.const 1) (i32.const 4000) (i32.load (i32.const 20)))",
    ));
    config.args = vec!["tool".into(), "--fast".into()];
    config.env = vec![("A".into(), "1".into()), ("B".into(), "two words".into())];
    pod().start(config).await.unwrap().wait().await;
    assert_eq!(log.text(Stream::Stdout), "tool\0--fast\0A=1\0B=two words\0");
}

#[tokio::test]
async fn exit_codes_are_kept() {
    for code in [0, 1, 3, 125, 126, 255] {
        let (config, _) = container(module("", &format!("(call $proc_exit (i32.const {code}))")));
        let exit = pod().start(config).await.unwrap().wait().await;
        let reason = if code == 0 { ExitReason::Completed } else { ExitReason::Error };
        assert_eq!(exit, Exit { code, reason, message: None });
    }
}

#[tokio::test]
async fn a_component_command_runs_to_its_exit_code() {
    let program = program(COMMAND);
    for (args, code) in [(vec![], 0), (vec!["x"], 1), (vec!["x", "y"], 7)] {
        let (mut config, log) = container(program.clone());
        config.args.extend(args.into_iter().map(String::from));
        assert_eq!(pod().start(config).await.unwrap().wait().await.code, code);
        assert_eq!(log.text(Stream::Stdout), "run\n");
    }
}

#[tokio::test]
async fn a_trap_tells_where() {
    let (config, log) = container(module("(func $inner unreachable) (func $outer (call $inner))", "(call $outer)"));
    let exit = pod().start(config).await.unwrap().wait().await;
    assert_eq!((exit.code, exit.reason), (134, ExitReason::Trap));
    let message = exit.message.unwrap();
    assert!(message.starts_with("wasm trap: wasm `unreachable` instruction executed\n"), "{message}");
    let (inner, outer) = (message.find("inner").unwrap(), message.find("outer").unwrap());
    assert!(inner < outer, "innermost first: {message}");
    assert!(log.text(Stream::Stderr).contains(&message), "the log has it too");
}

#[tokio::test]
async fn endless_recursion_is_a_trap() {
    let (config, _) = container(module("(func $f (call $f) (call $f))", "(call $f)"));
    let exit = pod().start(config).await.unwrap().wait().await;
    assert_eq!(exit.reason, ExitReason::Trap);
    assert!(exit.message.unwrap().contains("call stack exhausted"));
}

#[tokio::test]
async fn an_endless_loop_can_be_stopped() {
    let (config, _) = container(module("", ENDLESS));
    let container = pod().start(config).await.unwrap();
    until("it has used CPU", || container.usage().cpu_time > Duration::from_millis(20)).await;
    assert!(*container.ready().borrow());
    let exit = container.stop(Duration::from_millis(50)).await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::Killed));
    assert_eq!(container.usage().memory_bytes, 0);
}

#[tokio::test]
async fn a_second_stop_may_shorten_the_grace() {
    let (config, _) = container(module("", ENDLESS));
    let container = pod().start(config).await.unwrap();
    let patient = tokio::spawn({
        let container = container.clone();
        async move { container.stop(Duration::from_secs(3600)).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(container.stop(Duration::ZERO).await.reason, ExitReason::Killed);
    assert_eq!(patient.await.unwrap().reason, ExitReason::Killed);
}

#[tokio::test]
async fn endless_loops_leave_the_others_running() {
    let pod = pod();
    let mut loops = Vec::new();
    for _ in 0..4 {
        loops.push(pod.start(container(module("", ENDLESS)).0).await.unwrap());
    }
    let (config, _) = container(module("", "(call $proc_exit (i32.const 5))"));
    assert_eq!(pod.start(config).await.unwrap().wait().await.code, 5);
    for container in loops {
        assert_eq!(container.stop(Duration::ZERO).await.reason, ExitReason::Killed);
    }
}

#[tokio::test]
async fn growing_beyond_the_limit_is_out_of_memory() {
    let (mut config, _) = container(module("", "(loop (drop (memory.grow (i32.const 16))) (br 0))"));
    config.memory_limit_bytes = Some(8 << 20);
    let container = pod().start(config).await.unwrap();
    let exit = container.wait().await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::OutOfMemory));
    assert_eq!(exit.message.as_deref(), Some("memory limit of 8388608 bytes exceeded"));
    assert_eq!(container.usage().memory_bytes, 0);
}

#[tokio::test]
async fn the_pods_limit_holds_for_all_its_containers() {
    let (pod, _) = pod_with(TestNetwork::default(), Some(1 << 20));
    let holder =
        pod.start(container(module("", &format!("(drop (memory.grow (i32.const 11))) {ENDLESS}"))).0).await.unwrap();
    until("it holds 12 pages", || holder.usage().memory_bytes == 12 << 16).await;
    let late = pod.start(container(module("", "(drop (memory.grow (i32.const 7)))")).0).await.unwrap();
    assert_eq!(late.wait().await.reason, ExitReason::OutOfMemory);
    holder.stop(Duration::ZERO).await;
    let alone = pod.start(container(module("", "(drop (memory.grow (i32.const 7)))")).0).await.unwrap();
    assert_eq!(alone.wait().await.reason, ExitReason::Completed);
}

#[tokio::test]
async fn a_program_too_large_for_its_limit_never_starts() {
    let (mut config, _) = container(module("", ""));
    config.memory_limit_bytes = Some(1000);
    assert_eq!(pod().start(config).await.unwrap().wait().await.reason, ExitReason::OutOfMemory);
}

#[tokio::test]
async fn a_cpu_limit_throttles() {
    let (mut config, _) = container(module("", ENDLESS));
    config.cpu_limit_millis = Some(100);
    let container = pod().start(config).await.unwrap();
    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (used, elapsed) = (container.usage().cpu_time, started.elapsed());
    container.stop(Duration::ZERO).await;
    // A tenth and a burst; unthrottled it would be all. One turn may count what a busy machine took from it.
    assert!(used < elapsed / 2, "used {used:?} of {elapsed:?}");
    assert!(used > Duration::ZERO);
}

#[tokio::test]
async fn a_chatty_guest_ends_like_any_other() {
    let (config, log) = container(module(
        r#"(data (i32.const 100) "x\n") (global $n (mut i32) (i32.const 0))"#,
        "(loop (call $write (i32.const 1) (i32.const 100) (i32.const 2))
               (global.set $n (i32.add (global.get $n) (i32.const 1)))
               (br_if 0 (i32.lt_u (global.get $n) (i32.const 10000))))",
    ));
    assert_eq!(pod().start(config).await.unwrap().wait().await.code, 0);
    assert_eq!(log.text(Stream::Stdout).len(), 20_000);
}

#[tokio::test]
async fn a_missing_directory_is_an_error_of_starting() {
    let (mut config, _) = container(module("", ""));
    let directory = tempfile::tempdir().unwrap();
    let preopen = |path| Preopen { host_path: path, guest_path: "/data".into(), read_only: false };
    config.preopens = vec![preopen(directory.path().to_owned())];
    assert_eq!(pod().start(config.clone()).await.unwrap().wait().await.code, 0);
    config.preopens = vec![preopen(directory.path().join("nothing"))];
    let Err(error) = pod().start(config).await else { panic!("started") };
    assert!(matches!(&error, StartError::Preopen { guest_path, .. } if guest_path == "/data"), "{error}");
}

#[tokio::test]
async fn a_module_that_cannot_find_directories_is_given_none() {
    let asks = |more: &str| {
        format!(
            r#"(module (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
                 (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) {more}
                 (memory (export "memory") 1)
                 (func (export "_start") (call $exit (call $stat (i32.const 3) (i32.const 0)))))"#
        )
    };
    let prestat = r#"(import "wasi_snapshot_preview1" "fd_prestat_get" (func (param i32 i32) (result i32)))"#;
    let directory = tempfile::tempdir().unwrap();
    // 8 is `badf`.
    for (module, code) in [(asks(""), 8), (asks(prestat), 0)] {
        let (mut config, _) = container(program(&module));
        let host_path = directory.path().to_owned();
        config.preopens = vec![Preopen { host_path, guest_path: "/data".into(), read_only: false }];
        assert_eq!(pod().start(config).await.unwrap().wait().await.code, code);
    }
}

#[tokio::test]
async fn a_guest_writes_where_it_may_and_nowhere_else() {
    let make = |path: &str| {
        module(
            &format!("(data (i32.const 100) {path:?})"),
            &format!(
                "(call $proc_exit (call $path_create_directory (i32.const 3) (i32.const 100) (i32.const {})))",
                path.len()
            ),
        )
    };
    let outside = tempfile::tempdir().unwrap();
    let inside = outside.path().join("data");
    std::fs::create_dir(&inside).unwrap();
    let code = async |path: &str, read_only: bool| {
        let (mut config, _) = container(make(path));
        config.preopens = vec![Preopen { host_path: inside.clone(), guest_path: "/data".into(), read_only }];
        pod().start(config).await.unwrap().wait().await.code
    };
    assert_eq!(code("new", false).await, 0);
    assert!(inside.join("new").is_dir());
    assert_ne!(code("never", true).await, 0);
    assert!(!inside.join("never").exists());
    assert_ne!(code("../escaped", false).await, 0);
    assert!(!outside.path().join("escaped").exists());
}

#[tokio::test]
async fn a_fault_of_the_host_ends_its_container_alone() {
    let pod = pod();
    let (mut config, _) = container(module("", "(call $write (i32.const 1) (i32.const 0) (i32.const 1))"));
    config.output = std::sync::Arc::new(Broken);
    let broken = pod.start(config).await.unwrap();
    let exit = broken.wait().await;
    assert_eq!((exit.code, exit.reason), (139, ExitReason::HostPanic));
    assert_eq!(exit.message.as_deref(), Some("host code failed: the disk is on fire"));
    assert_eq!(broken.usage().memory_bytes, 0);
    let (config, _) = container(module("", ""));
    assert_eq!(pod.start(config).await.unwrap().wait().await.code, 0);
}
