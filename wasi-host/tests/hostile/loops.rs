//! Programs that never end, wherever the host calls them.

use std::time::Duration;

use coracle_wasi_host::{Container, ExitReason, Program};

use crate::{
    end, kill,
    support::{container, module, pod, program, until},
};

async fn start(program: Program) -> Container {
    pod().start(container(program).0).await.unwrap()
}

/// Starts a program that never ends and stops it while it spins.
async fn spins_until_stopped(program: Program) {
    let spinning = start(program).await;
    until("it has used CPU", || spinning.usage().cpu_time > Duration::from_millis(20)).await;
    let (config, _) = container(module("", ""));
    assert_eq!(end(&pod().start(config).await.unwrap()).await.code, 0, "others run meanwhile");
    let exit = kill(&spinning).await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::Killed));
    assert_eq!(spinning.usage().memory_bytes, 0);
}

#[tokio::test]
async fn in_the_start_function_of_a_module() {
    let text = r#"(module (memory (export "memory") 1) (func $spin (loop (br 0))) (start $spin)
        (func (export "_start")))"#;
    spins_until_stopped(program(text)).await;
}

#[tokio::test]
async fn in_the_start_function_of_a_component() {
    let text = r#"(component
        (core module $m (func $spin (loop (br 0))) (start $spin) (func (export "run") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $run (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $run)))"#;
    spins_until_stopped(program(text)).await;
}

/// The host asks the guest for memory to put a list in, and the guest never gives it.
#[tokio::test]
async fn in_the_allocator_that_the_host_calls() {
    spins_until_stopped(program(&with_allocator("(loop (br 0)) (i32.const 0)"))).await;
}

/// A command that asks for its arguments, which the host puts where `realloc` says.
fn with_allocator(realloc: &str) -> String {
    format!(
        r#"(component
        (import "wasi:cli/environment@0.2.0" (instance $environment
            (export "get-arguments" (func (result (list string))))))
        (core module $memory (memory (export "memory") 1)
            (func $realloc (export "realloc") (param i32 i32 i32 i32) (result i32) {realloc}))
        (core instance $memory (instantiate $memory))
        (alias core export $memory "memory" (core memory $mem))
        (alias core export $memory "realloc" (core func $realloc))
        (core func $arguments (canon lower (func $environment "get-arguments") (memory $mem) (realloc $realloc)))
        (core module $m
            (import "host" "arguments" (func $arguments (param i32)))
            (func (export "run") (result i32) (call $arguments (i32.const 0)) (i32.const 0)))
        (core instance $m (instantiate $m (with "host" (instance (export "arguments" (func $arguments))))))
        (func $run (result (result)) (canon lift (core func $m "run")))
        (instance $run (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $run)))"#
    )
}

#[tokio::test]
async fn an_allocator_that_lies_is_a_trap() {
    for realloc in [
        // Beyond the memory, at its very end, not aligned, and one that calls itself until the stack is gone.
        "(i32.const -8)",
        "(i32.const 65535)",
        "(i32.const 1)",
        "(call $realloc (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        "unreachable",
    ] {
        let exit = end(&start(program(&with_allocator(realloc))).await).await;
        assert_eq!(exit.reason, ExitReason::Trap, "{realloc}");
    }
}

/// Frames of the guest and of the host's functions lie on one stack of their own, which ends in a guard page.
#[tokio::test]
async fn deep_recursion_through_host_calls_is_a_trap() {
    let body = "(func $f (local i64 i64 i64 i64)
        (call $write (i32.const 1) (i32.const 100) (i32.const 0)) (call $f) (call $f))";
    let exit = end(&start(module(body, "(call $f)")).await).await;
    assert_eq!((exit.code, exit.reason), (134, ExitReason::Trap));
    assert!(exit.message.unwrap().contains("call stack exhausted"));
}

#[tokio::test]
async fn deep_recursion_without_a_frame_to_spare_is_a_trap_in_the_host_too() {
    // Goes down to where the next call fails, and calls the host from each depth on the way back.
    let body = "(global $depth (mut i32) (i32.const 0))
        (func $down (param $left i32)
            (if (local.get $left) (then (call $down (i32.sub (local.get $left) (i32.const 1)))))
            (call $write (i32.const 1) (i32.const 100) (i32.const 1)))";
    for depth in [1_000, 5_000, 10_000, 100_000] {
        let exit = end(&start(module(body, &format!("(call $down (i32.const {depth}))"))).await).await;
        assert!(matches!(exit.reason, ExitReason::Trap | ExitReason::Completed), "{depth}: {exit:?}");
    }
}

#[tokio::test]
async fn a_stop_comes_through_a_storm_of_host_calls() {
    for call in [
        "(drop (call $args_sizes_get (i32.const 16) (i32.const 20)))",
        "(call $write (i32.const 1) (i32.const 100) (i32.const 1))",
        "(call $write (i32.const 99) (i32.const 100) (i32.const 1))",
    ] {
        let spinning = start(module("", &format!("(loop {call} (br 0))"))).await;
        until("it has used CPU", || spinning.usage().cpu_time > Duration::from_millis(20)).await;
        assert_eq!(kill(&spinning).await.reason, ExitReason::Killed, "{call}");
    }
}

/// More spinning guests than there are threads to run them.
#[tokio::test]
async fn many_that_spin_are_all_stopped() {
    let pod = pod();
    let spin = module("", "(loop (br 0))");
    let mut all = Vec::new();
    for _ in 0..50 {
        all.push(pod.start(container(spin.clone()).0).await.unwrap());
    }
    until("each has had a turn", || all.iter().all(|one| one.usage().cpu_time > Duration::ZERO)).await;
    for one in &all {
        assert_eq!(kill(one).await.reason, ExitReason::Killed);
    }
}
