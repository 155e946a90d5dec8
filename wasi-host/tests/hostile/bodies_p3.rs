//! Bodies of WASI 0.3 that nobody reads, and handlers that wait for ever, until their client has gone.

use std::{net::SocketAddr, time::Duration};

use coracle_wasi_host::ExitReason;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    DEADLINE,
    handlers::{resident_kib, serve, until_it_rests},
    handlers_p3::handler,
    kill,
    support::{get, until},
};

const PAGES: usize = 16;
/// The memory of one such instance.
const MEMORY_BYTES: u64 = (PAGES as u64) << 16;

/// `handle` for every path but /ok, which is answered at once.
fn unless_ok(handle: &str) -> String {
    format!(
        "(if (result i32) (i32.eq (call $path (local.get $request)) (i32.const 0x6f))
            (then (call $answer (local.get $fields) (i32.const 200))) (else {handle}))"
    )
}

async fn connect(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Whatever a handler waits for when its client goes, it goes too, unless it has answered; and the next client is answered.
#[tokio::test]
async fn handlers_that_never_end_go_with_their_clients() {
    for (handle, callback) in [
        // For nothing at all; for an hour, in two ways; for ever at work, with turns for others or without.
        ("(call $waiting (i32.const 0))", "(i32.const 0)"),
        ("(call $wait (i64.const 3600000000000)) (i32.const 0)", "(i32.const 0)"),
        ("(call $waiting (call $pause (i64.const 3600000000000)))", "(i32.const 0)"),
        ("(i32.const 1)", "(i32.const 1)"),
        ("(loop (br 0)) (i32.const 0)", "(i32.const 0)"),
        // With an answer that is seen when it waits for something, which it never does.
        ("(drop (call $answer (local.get $fields) (i32.const 200))) (loop (br 0)) (i32.const 0)", "(i32.const 0)"),
        // With a body that is begun and left open, by a handler that has ended; with one that is never read.
        ("(call $begin (local.get $fields)) (i32.const 0)", "(i32.const 0)"),
        ("(drop (call $body (local.get $request))) (call $waiting (i32.const 0))", "(i32.const 0)"),
    ] {
        let (container, _) = serve(handler(PAGES, &unless_ok(handle), callback)).await;
        let address = container.address().unwrap();
        let mut clients = Vec::new();
        for number in 0..20 {
            let body = if number % 2 == 0 { "\r\n" } else { "content-length: 1000\r\n\r\nsome" };
            clients.push(connect(address, &format!("POST /hang HTTP/1.1\r\nhost: test\r\n{body}")).await);
        }
        until("all have their instance", || container.usage().memory_bytes == 20 * MEMORY_BYTES).await;
        assert_eq!(get(address, "/ok").await.unwrap().0, 200, "beside them: {handle}");
        drop(clients);
        until(&format!("all are gone: {handle}"), || container.usage().memory_bytes == 0).await;
        assert_eq!(get(address, "/ok").await.unwrap().0, 200, "after them: {handle}");
        let exit = tokio::time::timeout(DEADLINE, container.stop(DEADLINE)).await.expect("it drains");
        assert_eq!(exit.reason, ExitReason::Terminated, "{handle}");
    }
}

/// Far more than the kernel holds of a connection, for both ends.
const FAR_TOO_MUCH: usize = 256 << 20;

/// A request's body that its handler does not read waits with its client, whether the handler has asked for it or not.
#[tokio::test]
async fn an_endless_request_that_is_not_read_waits_with_its_client() {
    for handle in [
        "(call $wait (i64.const 3600000000000)) (i32.const 0)",
        "(drop (call $body (local.get $request))) (call $wait (i64.const 3600000000000)) (i32.const 0)",
    ] {
        let (container, _) = serve(handler(PAGES, handle, "(i32.const 0)")).await;
        let head = "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut client = connect(container.address().unwrap(), head).await;
        until("it has its instance", || container.usage().memory_bytes > 0).await;
        let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
        let mut taken = 0;
        // It is full when nothing more is taken for a while.
        while tokio::time::timeout(Duration::from_secs(2), client.write_all(chunk.as_bytes()))
            .await
            .is_ok_and(|ok| ok.is_ok())
        {
            taken += chunk.len();
            assert!(taken < FAR_TOO_MUCH, "all of it is taken: {handle}");
        }
        assert_eq!(container.usage().memory_bytes, MEMORY_BYTES, "the handler is still there");
        // Nobody would see it go, as its farewell waits behind all that. The handler ends with the container.
        assert_eq!(kill(&container).await.reason, ExitReason::Killed);
        until("its instance is gone", || container.usage().memory_bytes == 0).await;
        drop(client);
    }
}

/// One that answers without reading leaves no client that must send all of it first.
#[tokio::test]
async fn who_answers_without_reading_ends_an_endless_request() {
    let handle = "(call $answer (local.get $fields) (i32.const 200))";
    let (container, _) = serve(handler(PAGES, handle, "(i32.const 0)")).await;
    let head = "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
    let (mut read, mut write) = connect(container.address().unwrap(), head).await.into_split();
    let endless = tokio::spawn(async move {
        let chunk = format!("{:x}\r\n{}\r\n", 1 << 16, "x".repeat(1 << 16));
        let mut taken = 0;
        while write.write_all(chunk.as_bytes()).await.is_ok() {
            taken += chunk.len();
            assert!(taken < FAR_TOO_MUCH, "all of it is taken");
        }
    });
    let mut head = [0; 15];
    tokio::time::timeout(DEADLINE, read.read_exact(&mut head)).await.expect("an answer").unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    tokio::time::timeout(DEADLINE, endless).await.expect("the connection is closed").unwrap();
    until("its instance is gone", || container.usage().memory_bytes == 0).await;
    kill(&container).await;
}

/// A guest writes 16 MiB at a time to clients that do not read: the host holds a few pieces of it (`P3_BODY_CHUNK_BYTES`),
/// and the guest waits until its client goes.
#[tokio::test]
async fn an_endless_answer_to_a_client_that_does_not_read_waits() {
    let handle = "(call $begin (local.get $fields)) (call $pour (i32.const 16777216))";
    let (container, _) = serve(handler(260, handle, "(call $poured (local.get $what))")).await;
    let address = container.address().unwrap();
    let before = resident_kib();
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = connect(address, "GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
        let mut first = [0; 100];
        tokio::time::timeout(DEADLINE, client.read_exact(&mut first)).await.unwrap().unwrap();
        assert!(first.starts_with(b"HTTP/1.1 200 OK\r\n"));
        clients.push(client);
    }
    until_it_rests(&container).await;
    assert_eq!(container.usage().memory_bytes, 20 * (260 << 16), "all are at work");
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 200 << 10, "the host holds {grown} KiB more for 20 answers");
    drop(clients);
    until("all instances are gone", || container.usage().memory_bytes == 0).await;
    kill(&container).await;
}
