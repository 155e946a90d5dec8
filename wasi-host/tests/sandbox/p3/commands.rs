//! Commands of WASI 0.3, from their first instruction to their exit code.

use std::time::{Duration, Instant};

use coracle_wasi_host::{Exec, Exit, ExitReason, Preopen, StdinPipe, Stream};

use super::{command, tool};
use crate::support::{Log, container, pod, until};

const ENDLESS: &str = "(loop (br 0)) (i32.const 0)";

#[tokio::test]
async fn arguments_and_environment_are_what_was_given() {
    let (config, log) = tool(&["args", "one", "two words"]);
    let exit = pod().start(config).await.unwrap().wait().await;
    assert_eq!(exit, Exit { code: 0, reason: ExitReason::Completed, message: None });
    assert_eq!(log.text(Stream::Stdout), "one\ntwo words\n");
    let (mut config, log) = tool(&["env"]);
    config.env = vec![("A".into(), "1".into())];
    pod().start(config).await.unwrap().wait().await;
    assert_eq!(log.text(Stream::Stdout), "A=1\n");
}

#[tokio::test]
async fn exit_codes_are_kept() {
    for code in [0, 1, 7, 255] {
        let (config, _) = tool(&["exit", &code.to_string()]);
        assert_eq!(pod().start(config).await.unwrap().wait().await.code, code);
    }
    let (config, log) = tool(&["nonsense"]);
    let exit = pod().start(config).await.unwrap().wait().await;
    assert_eq!((exit.code, exit.reason), (1, ExitReason::Error));
    assert!(log.text(Stream::Stderr).starts_with("toolbox-p3: args WORD…"));
}

#[tokio::test]
async fn stdin_goes_to_stdout_until_it_is_closed() {
    let (mut config, log) = tool(&["copy"]);
    let stdin = StdinPipe::new();
    config.stdin = Some(stdin.clone());
    let container = pod().start(config).await.unwrap();
    stdin.write(b"hello, ").await.unwrap();
    until("it is copied", || log.text(Stream::Stdout) == "hello, ").await;
    stdin.write(b"world").await.unwrap();
    stdin.close();
    assert_eq!(container.wait().await.code, 0);
    assert_eq!(log.text(Stream::Stdout), "hello, world");
    let (config, _) = tool(&["copy"]);
    assert_eq!(pod().start(config).await.unwrap().wait().await.code, 0, "without stdin it is at its end");
}

#[tokio::test]
async fn a_stop_is_the_end_of_stdin_which_a_program_may_answer() {
    let (mut config, log) = tool(&["copy"]);
    let stdin = StdinPipe::new();
    config.stdin = Some(stdin.clone());
    let container = pod().start(config).await.unwrap();
    stdin.write(b"x").await.unwrap();
    until("it runs", || !log.text(Stream::Stdout).is_empty()).await;
    assert_eq!(container.stop(Duration::from_secs(60)).await.reason, ExitReason::Completed);
}

#[tokio::test]
async fn a_guest_reads_and_writes_where_it_may_and_nowhere_else() {
    let outside = tempfile::tempdir().unwrap();
    let inside = outside.path().join("data");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    std::fs::write(inside.join("greeting"), "hello").unwrap();
    let run = async |args: &[&str], read_only: bool| {
        let (mut config, log) = tool(args);
        config.preopens = vec![Preopen { host_path: inside.clone(), guest_path: "/data".into(), read_only }];
        let code = pod().start(config).await.unwrap().wait().await.code;
        (code, log.text(Stream::Stdout), log.text(Stream::Stderr))
    };
    assert_eq!(run(&["cat", "/data/greeting"], true).await, (0, "hello".into(), String::new()));
    assert_eq!(run(&["write", "/data/new", "text"], false).await.0, 0);
    assert_eq!(std::fs::read_to_string(inside.join("new")).unwrap(), "text");
    let (code, _, said) = run(&["write", "/data/never", "text"], true).await;
    assert!(code == 1 && !inside.join("never").exists(), "{said}");
    for elsewhere in ["/data/../secret", "/data//etc/hostname", "/etc/hostname"] {
        let (code, shown, said) = run(&["cat", elsewhere], false).await;
        assert_eq!((code, shown.as_str()), (1, ""), "{elsewhere}: {said}");
    }
}

#[tokio::test]
async fn a_trap_tells_where() {
    let program = command("(func $inner unreachable) (func $outer (call $inner))", "(call $outer) (i32.const 0)");
    let (config, log) = container(program);
    let exit = pod().start(config).await.unwrap().wait().await;
    assert_eq!((exit.code, exit.reason), (134, ExitReason::Trap));
    let message = exit.message.unwrap();
    assert!(message.starts_with("wasm trap: wasm `unreachable` instruction executed\n"), "{message}");
    assert!(message.find("inner").unwrap() < message.find("outer").unwrap(), "innermost first: {message}");
    assert!(log.text(Stream::Stderr).contains(&message), "the log has it too");
}

#[tokio::test]
async fn an_endless_loop_can_be_stopped() {
    let (config, _) = container(command("", ENDLESS));
    let container = pod().start(config).await.unwrap();
    until("it has used CPU", || container.usage().cpu_time > Duration::from_millis(20)).await;
    let exit = container.stop(Duration::from_millis(50)).await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::Killed));
    assert_eq!(container.usage().memory_bytes, 0);
}

#[tokio::test]
async fn a_program_that_waits_uses_no_cpu_and_can_be_stopped() {
    let (config, _) = tool(&["sleep", "3600"]);
    let container = pod().start(config).await.unwrap();
    until("it has its memory", || container.usage().memory_bytes > 0).await;
    let before = container.usage().cpu_time;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let used = container.usage().cpu_time - before;
    assert!(used < Duration::from_millis(100), "{used:?}");
    assert_eq!(container.stop(Duration::ZERO).await.reason, ExitReason::Killed);
}

#[tokio::test]
async fn a_cpu_limit_throttles() {
    let (mut config, _) = container(command("", ENDLESS));
    config.cpu_limit_millis = Some(100);
    let container = pod().start(config).await.unwrap();
    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (used, elapsed) = (container.usage().cpu_time, started.elapsed());
    container.stop(Duration::ZERO).await;
    assert!(used < elapsed / 2, "used {used:?} of {elapsed:?}");
    assert!(used > Duration::ZERO);
}

#[tokio::test]
async fn growing_beyond_the_limit_is_out_of_memory() {
    let grow = "(loop (drop (memory.grow (i32.const 16))) (br 0)) (i32.const 0)";
    let (mut config, _) = container(command("", grow));
    config.memory_limit_bytes = Some(8 << 20);
    let container = pod().start(config).await.unwrap();
    let exit = container.wait().await;
    assert_eq!((exit.code, exit.reason), (137, ExitReason::OutOfMemory));
    assert_eq!(exit.message.as_deref(), Some("memory limit of 8388608 bytes exceeded"));
    assert_eq!(container.usage().memory_bytes, 0);
}

#[tokio::test]
async fn a_command_runs_beside_its_container() {
    let (config, _) = tool(&["sleep", "3600"]);
    let container = pod().start(config).await.unwrap();
    let log = std::sync::Arc::new(Log::default());
    let args = ["toolbox-p3", "args", "beside"].map(String::from).to_vec();
    let exec = Exec { args, stdin: None, terminal: false, output: log.clone() };
    assert_eq!(container.exec(exec).unwrap().wait().await.code, 0);
    assert_eq!(log.text(Stream::Stdout), "beside\n");
    container.stop(Duration::ZERO).await;
}
