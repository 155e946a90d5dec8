//! What is no plain file: links that come later, pipes, devices.

use std::{fs, os::unix::fs::symlink, process::Command};

use coracle_wasi_host::{Exec, ExitReason, Preopen, StdinPipe};

use crate::{
    end, kill,
    places::{Place, WRITABLE},
    script::{IOVEC, READ, Script, i32, i64},
    support::{container, pod, until},
};

/// A neighbour that can write the directory around it puts a link in its place: what starts later does not go there.
#[tokio::test]
async fn a_link_in_the_place_of_a_directory_is_not_opened() {
    let place = Place::new();
    // It waits for its stdin, as long as the test takes; without room to read into it would not.
    let (mut config, log) = container(crate::support::module(
        r#"(data (i32.const 32) "\40\00\00\00\10\00\00\00")"#,
        "(drop (call $fd_read (i32.const 0) (i32.const 32) (i32.const 1) (i32.const 40)))",
    ));
    config.stdin = Some(StdinPipe::new());
    config.preopens = vec![Preopen { host_path: place.at("data/sub"), guest_path: "/sub".into(), read_only: false }];
    let container = pod().start(config.clone()).await.unwrap();
    let exec = || Exec { args: vec!["x".into()], stdin: None, terminal: false, output: log.clone() };
    assert_eq!(end(&container.exec(exec()).unwrap()).await.code, 0);
    fs::rename(place.at("data/sub"), place.at("data/moved")).unwrap();
    symlink("../outside", place.at("data/sub")).unwrap();
    let Err(error) = container.exec(exec()) else { panic!("started in another directory") };
    assert!(error.to_string().contains("a link is on the way"), "{error}");
    assert!(pod().start(config).await.is_err());
    kill(&container).await;
}

/// What blocks its opener is opened by a thread of the host's own, which a stop does not wait for.
#[tokio::test]
async fn a_pipe_that_nobody_fills_holds_up_nobody_else() {
    let place = Place::new();
    assert!(Command::new("mkfifo").arg(place.at("data/pipe")).status().unwrap().success());
    let mut script = Script::default();
    let pipe = script.open(WRITABLE, "pipe", 0, READ);
    script.call("fd_read", &format!("{pipe} {} {} {}", i32(IOVEC), i32(1), i32(IOVEC + 8)));
    let mut stuck = Vec::new();
    for _ in 0..8 {
        let (mut config, _) = container(script.program());
        config.preopens = place.preopens();
        stuck.push(pod().start(config).await.unwrap());
    }
    until("the pipe's readers run", || stuck.iter().all(|container| container.usage().memory_bytes > 0)).await;
    let mut script = Script::default();
    let file = script.open(WRITABLE, "mine", 0, READ);
    script.call("fd_read", &format!("{file} {} {} {}", i32(IOVEC), i32(1), i32(IOVEC + 8)));
    assert_eq!(script.run(place.preopens()).await, [0, 0], "others read their files meanwhile");
    for container in stuck {
        assert_eq!(kill(&container).await.reason, ExitReason::Killed);
    }
    // Their opener's threads are let go, or the test's process would wait for them.
    drop(fs::OpenOptions::new().read(true).write(true).open(place.at("data/pipe")).unwrap());
}

#[tokio::test]
async fn endless_devices_are_read_a_piece_at_a_time() {
    let mut script = Script::default();
    let zero = script.open(WRITABLE, "zero", 0, READ);
    script.call("fd_read", &format!("{zero} {} {} {}", i32(IOVEC), i32(1), i32(IOVEC + 8)));
    script.call("fd_filestat_set_size", &format!("{zero} {}", i64(0)));
    let (mut config, _) = container(script.program());
    config.preopens = vec![Preopen { host_path: "/dev".into(), guest_path: "/dev".into(), read_only: true }];
    let container = pod().start(config).await.unwrap();
    assert_eq!(end(&container).await.code, 0, "it comes to an end");
}
