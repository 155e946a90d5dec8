//! Clocks, timers and randomness, in masses.

use std::time::Duration;

use coracle_wasi_host::{ExitReason, limits};

use crate::{
    end, kill,
    support::{container, pod, program, until},
};

/// A module with `poll_oneoff`, `random_get` and plenty of memory, whose subscriptions begin at 65536: `$fill` makes
/// `$count` of them, relative timers of the monotonic clock of `$nanos`.
fn polling(run: &str) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 400)
        (func $fill (param $count i32) (param $nanos i64) (local $at i32)
            (local.set $at (i32.const 65536))
            (loop
                (i32.store offset=16 (local.get $at) (i32.const 1))
                (i64.store offset=24 (local.get $at) (local.get $nanos))
                (local.set $at (i32.add (local.get $at) (i32.const 48)))
                (br_if 0 (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))
        (func $ask (param $count i32) (result i32)
            (call $poll (i32.const 65536) (i32.const 12000000) (local.get $count) (i32.const 0)))
        (func (export "_start") {run}))"#
    )
}

#[tokio::test]
async fn a_poll_of_a_hundred_thousand_timers_comes_to_an_end() {
    let run = "(call $fill (i32.const 100000) (i64.const 0)) (call $exit (call $ask (i32.const 100000)))";
    let exit = end(&pod().start(container(program(&polling(run))).0).await.unwrap()).await;
    assert!(matches!(exit.reason, ExitReason::Trap | ExitReason::Error), "more than a table holds: {exit:?}");
    let run = "(call $fill (i32.const 400) (i64.const 0)) (call $exit (call $ask (i32.const 400)))";
    assert_eq!(end(&pod().start(container(program(&polling(run))).0).await.unwrap()).await.code, 0);
}

#[tokio::test]
async fn lists_longer_than_memory_are_errors() {
    for count in [10_000_000_u32, 0x7fff_ffff, 0xffff_ffff] {
        let run = format!("(call $exit (call $ask (i32.const {count})))");
        let exit = end(&pod().start(container(program(&polling(&run))).0).await.unwrap()).await;
        assert!(matches!(exit.reason, ExitReason::Trap | ExitReason::Error), "{count}: {exit:?}");
    }
}

#[tokio::test]
async fn timers_of_no_time_are_turns_like_others() {
    let run = "(call $fill (i32.const 1) (i64.const 0)) (loop (drop (call $ask (i32.const 1))) (br 0))";
    let (mut config, _) = container(program(&polling(run)));
    config.cpu_limit_millis = Some(100);
    let container = pod().start(config).await.unwrap();
    until("it has used CPU", || container.usage().cpu_time > Duration::from_millis(20)).await;
    assert_eq!(kill(&container).await.reason, ExitReason::Killed);
}

#[tokio::test]
async fn a_sleep_for_ever_ends_with_a_stop() {
    for nanos in ["0x7fffffffffffffff", "0xffffffffffffffff"] {
        let run = format!(
            "(call $fill (i32.const 400) (i64.const {nanos})) (drop (call $ask (i32.const 400))) (loop (br 0))"
        );
        let container = pod().start(container(program(&polling(&run))).0).await.unwrap();
        until("it runs", || container.usage().memory_bytes > 0).await;
        assert_eq!(kill(&container).await.reason, ExitReason::Killed);
    }
}

#[tokio::test]
async fn randomness_is_given_in_portions() {
    let most = limits::RANDOM_LIMIT_BYTES;
    let run = format!("(call $exit (call $random (i32.const 0) (i32.const {most})))");
    assert_eq!(end(&pod().start(container(program(&polling(&run))).0).await.unwrap()).await.code, 0);
    for length in [most + 1, 20 << 20, 0xffff_ffff] {
        let run = format!("(call $exit (call $random (i32.const 0) (i32.const {length})))");
        let exit = end(&pod().start(container(program(&polling(&run))).0).await.unwrap()).await;
        assert!(matches!(exit.reason, ExitReason::Trap | ExitReason::Error), "{length}: {exit:?}");
    }
}

/// The same of WASI 0.2, where lengths have 64 bits and the host makes the list.
#[tokio::test]
async fn components_are_given_no_more() {
    for (length, reason) in
        [(most(), ExitReason::Completed), (most() + 1, ExitReason::Trap), (u64::MAX, ExitReason::Trap)]
    {
        let text = format!(
            r#"(component
            (import "wasi:random/random@0.2.0" (instance $random
                (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
            (core module $memory (memory (export "memory") 40)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
            (core instance $memory (instantiate $memory))
            (alias core export $memory "memory" (core memory $mem))
            (alias core export $memory "realloc" (core func $realloc))
            (core func $get (canon lower (func $random "get-random-bytes") (memory $mem) (realloc $realloc)))
            (core module $m (import "host" "get" (func $get (param i64 i32)))
                (func (export "run") (result i32) (call $get (i64.const {length}) (i32.const 16)) (i32.const 0)))
            (core instance $m (instantiate $m (with "host" (instance (export "get" (func $get))))))
            (func $run (result (result)) (canon lift (core func $m "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $run)))"#
        );
        let exit = end(&pod().start(container(program(&text)).0).await.unwrap()).await;
        assert_eq!(exit.reason, reason, "{length}: {exit:?}");
    }
}

fn most() -> u64 {
    limits::RANDOM_LIMIT_BYTES
}
