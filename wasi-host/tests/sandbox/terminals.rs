//! What a guest sees of a terminal, and how one ends it.

use std::time::Duration;

use coracle_wasi_host::{Exit, ExitReason, Program, Signal, StdinPipe};

use crate::support::{HTTP, container, module, pod, program};

/// A module whose exit code is the kind of file that its stdin is: 2 for a character device.
fn kind_of_stdin() -> Program {
    program(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $fdstat (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start")
                (drop (call $fdstat (i32.const 0) (i32.const 64)))
                (call $exit (i32.load8_u (i32.const 64)))))"#,
    )
}

/// A component that fails if its stdin is no terminal.
fn wants_a_terminal() -> Program {
    program(
        r#"(component
            (import "wasi:cli/terminal-input@0.2.0" (instance $input
                (export "terminal-input" (type (sub resource)))))
            (alias export $input "terminal-input" (type $terminal))
            (import "wasi:cli/terminal-stdin@0.2.0" (instance $stdin
                (alias outer 1 $terminal (type $outer))
                (export "terminal-input" (type $own (eq $outer)))
                (export "get-terminal-stdin" (func (result (option (own $own)))))))
            (core module $memory (memory (export "memory") 1))
            (core instance $memory (instantiate $memory))
            (alias core export $memory "memory" (core memory $mem))
            (core func $get (canon lower (func $stdin "get-terminal-stdin") (memory $mem)))
            (core module $main
                (import "host" "memory" (memory 1))
                (import "host" "get" (func $get (param i32)))
                (func (export "run") (result i32)
                    (call $get (i32.const 64))
                    (i32.eqz (i32.load8_u (i32.const 64)))))
            (core instance $main (instantiate $main (with "host" (instance
                (export "memory" (memory $mem)) (export "get" (func $get))))))
            (func $run (result (result)) (canon lift (core func $main "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $run)))"#,
    )
}

#[tokio::test]
async fn a_guest_can_tell_a_terminal_from_a_pipe() {
    for (program, pipe, terminal) in [(kind_of_stdin(), 0, 2), (wants_a_terminal(), 1, 0)] {
        for (is_terminal, code) in [(false, pipe), (true, terminal)] {
            let (mut config, _) = container(program.clone());
            config.stdin = Some(StdinPipe::new());
            config.terminal = is_terminal;
            let container = pod().start(config).await.unwrap();
            assert_eq!((container.has_terminal(), container.wait().await.code), (is_terminal, code));
        }
    }
}

#[tokio::test]
async fn a_signal_ends_a_program_with_its_number() {
    for (signal, code) in [(Signal::Interrupt, 130), (Signal::Quit, 131)] {
        let (config, _) = container(module("", "(loop (br 0))"));
        let container = pod().start(config).await.unwrap();
        container.interrupt(signal);
        let exit = Exit { code, reason: ExitReason::Interrupted, message: None };
        assert_eq!(container.wait().await, exit);
        assert_eq!(container.stop(Duration::ZERO).await, exit);
    }
    let (config, _) = container(program(HTTP));
    let server = pod().start(config).await.unwrap();
    server.interrupt(Signal::Interrupt);
    assert_eq!(server.wait().await.reason, ExitReason::Terminated);
}
