//! Stdin, and commands that are run beside a container.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use coracle_wasi_host::{Container, Exec, ExecError, ExitReason, Output, Program, StdinPipe, Stream, limits};
use futures::future::BoxFuture;
use tokio::sync::Notify;

use crate::support::{HTTP, Log, container, module, pod, program, until};

/// Copies stdin to stdout until its end; with an argument it loops for ever instead.
fn cat() -> Program {
    module(
        "",
        "(drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
         (if (i32.gt_u (i32.load (i32.const 16)) (i32.const 1)) (then (loop (br 0))))
         (loop $more
            (i32.store (i32.const 32) (i32.const 4096))
            (i32.store (i32.const 36) (i32.const 8192))
            (drop (call $fd_read (i32.const 0) (i32.const 32) (i32.const 1) (i32.const 40)))
            (if (i32.load (i32.const 40)) (then
                (call $write (i32.const 1) (i32.const 4096) (i32.load (i32.const 40)))
                (br $more))))",
    )
}

fn exec(args: &[&str], stdin: Option<StdinPipe>) -> (Exec, Arc<Log>) {
    let log = Arc::new(Log::default());
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    (Exec { args, stdin, terminal: false, output: log.clone() }, log)
}

async fn sleeping() -> Container {
    let (mut config, _) = container(cat());
    config.stdin = Some(StdinPipe::new());
    pod().start(config).await.unwrap()
}

#[tokio::test]
async fn a_program_without_stdin_reads_its_end_at_once() {
    let (config, _) = container(cat());
    assert_eq!(pod().start(config).await.unwrap().wait().await.code, 0);
}

#[tokio::test]
async fn a_stop_is_the_end_of_stdin_which_a_program_may_answer() {
    let (mut config, log) = container(cat());
    let stdin = StdinPipe::new();
    config.stdin = Some(stdin.clone());
    let container = pod().start(config).await.unwrap();
    stdin.write(b"hello").await.unwrap();
    until("it has said it", || log.text(Stream::Stdout) == "hello").await;
    let exit = container.stop(Duration::from_secs(60)).await;
    assert_eq!((exit.code, exit.reason), (0, ExitReason::Completed));
}

#[tokio::test]
async fn a_command_runs_beside_its_container_with_its_own_arguments() {
    let container = sleeping().await;
    let stdin = StdinPipe::new();
    let (exec, log) = exec(&["cat"], Some(stdin.clone()));
    let command = container.exec(exec).unwrap();
    stdin.write(b"one").await.unwrap();
    stdin.close();
    assert_eq!(command.wait().await.code, 0);
    assert_eq!(log.text(Stream::Stdout), "one");
    assert!(*container.ready().borrow(), "the container goes on");
    container.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn the_end_of_a_container_is_the_end_of_its_commands() {
    let container = sleeping().await;
    let command = container.exec(exec(&["spin", "for ever"], None).0).unwrap();
    container.stop(Duration::from_secs(60)).await;
    assert_eq!(command.wait().await.reason, ExitReason::Killed);
    assert!(matches!(container.exec(exec(&["cat"], None).0), Err(ExecError::Ended)));
}

#[tokio::test]
async fn there_may_be_only_so_many() {
    let container = sleeping().await;
    let spin = || container.exec(exec(&["spin", "for ever"], None).0);
    let all: Vec<_> = (0..limits::EXECS_PER_CONTAINER).map(|_| spin().unwrap()).collect();
    assert!(matches!(spin(), Err(ExecError::TooMany)));
    all[0].stop(Duration::ZERO).await;
    until("its place is free", || spin().is_ok()).await;
    container.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn an_http_component_has_no_command() {
    let (config, _) = container(program(HTTP));
    let container = pod().start(config).await.unwrap();
    let error = container.exec(exec(&["x"], None).0).err().unwrap();
    assert!(error.to_string().contains("does not export wasi:cli/run"), "{error}");
    container.stop(Duration::ZERO).await;
}

/// An output that takes a few bytes at a time.
#[derive(Default)]
struct Narrow {
    log: Log,
    room: AtomicUsize,
    emptied: Notify,
}

impl Output for Narrow {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        self.room.fetch_sub(bytes.len(), Ordering::AcqRel);
        self.log.write(stream, bytes);
    }

    fn room(&self) -> usize {
        self.room.load(Ordering::Acquire)
    }

    fn wait_for_room(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            while self.room() == 0 {
                self.emptied.notified().await;
            }
        })
    }
}

#[tokio::test]
async fn a_guest_waits_for_whoever_reads_its_output() {
    let container = sleeping().await;
    let (stdin, output) = (StdinPipe::new(), Arc::new(Narrow::default()));
    let own = Exec { args: vec!["cat".into()], stdin: Some(stdin.clone()), terminal: false, output: output.clone() };
    let command = container.exec(own).unwrap();
    stdin.write(b"slowly").await.unwrap();
    stdin.close();
    for length in 1..=6 {
        output.room.store(1, Ordering::Release);
        output.emptied.notify_one();
        until("another byte came", || output.log.text(Stream::Stdout).len() == length).await;
    }
    // A flush is over when there is room again.
    output.room.store(1, Ordering::Release);
    output.emptied.notify_one();
    assert_eq!(command.wait().await.code, 0);
    assert_eq!(output.log.text(Stream::Stdout), "slowly");
    container.stop(Duration::ZERO).await;
}
