//! HTTP handlers of WASI 0.3 that mean it harm: what those of 0.2 do, and answers that go on in the background.

use std::time::Duration;

use bytes::Bytes;
use coracle_wasi_host::{ExitReason, Program, Stream, limits};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::{
    DEADLINE,
    clients::leave_by_the_thousand,
    handlers::{serve, spin_beside_another, trap_by_the_thousand},
    kill,
    support::{exchange, get, program, until},
};

pub const HTTP: &str = include_str!("../guests/http-p3.wat");
const HANDLER: &str = include_str!("../guests/handler-p3.wat");

/// Pages of memory that are enough for most.
const PAGES: usize = 16;

/// A handler that does `handle`, and `callback` for each event; see the guest.
pub fn handler(pages: usize, handle: &str, callback: &str) -> Program {
    // A comment of the guest has the marks too.
    let line = |text: &str| text.replace('\n', " ");
    let text = HANDLER.replace("{{PAGES}}", &pages.to_string());
    program(&text.replace("{{HANDLE}}", &line(handle)).replace("{{CALLBACK}}", &line(callback)))
}

/// A handler that answers with the fields that `make` leaves in `$fields`, and the status 400 and what is in `$refused`.
fn with_fields(make: &str) -> Program {
    let answer = "(call $answer (local.get $fields) (i32.add (i32.const 400) (local.get $refused)))";
    handler(PAGES, &format!("{make} {answer}"), "(i32.const 0)")
}

/// How [`with_fields`] answers if a field was refused.
const INVALID_SYNTAX: u16 = 401;
const FORBIDDEN: u16 = 402;
const SIZE_EXCEEDED: u16 = 404;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";

/// All that comes back for a request to a new server of this program, and the code of its answer.
async fn answer_of(program: Program) -> (u16, String) {
    let (container, _) = serve(program).await;
    let asked = exchange(container.address().unwrap(), REQUEST);
    let text = tokio::time::timeout(DEADLINE, asked).await.expect("an answer").unwrap();
    until("its instance is gone", || container.usage().memory_bytes == 0).await;
    assert_eq!(kill(&container).await.reason, ExitReason::Terminated);
    (text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), text)
}

/// A field "hello: hello", until one is refused.
const FLOOD: &str = "(loop
    (local.set $refused
        (call $append (local.get $fields) (i32.const 16) (i32.const 5) (i32.const 16) (i32.const 5)))
    (br_if 0 (i32.eqz (local.get $refused))))";

/// A guest is told that its fields are too large, by whichever way it makes them, before a map of headers is as full as it
/// can be (32,768 fields). What fits is sent.
#[tokio::test]
async fn floods_of_fields_in_an_answer_are_refused() {
    let of_one_name = "(loop
        (local.set $refused
            (call $append (local.get $fields) (i32.const 16) (i32.const 5) (i32.const 16) (i32.const 0)))
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (br_if 0 (i32.and (i32.eqz (local.get $refused)) (i32.lt_u (global.get $count) (i32.const 40000)))))";
    let giants = "(memory.fill (i32.const 65536) (i32.const 0x78) (i32.const 60000))
        (if (call $append (local.get $fields) (i32.const 16) (i32.const 5) (i32.const 65536) (i32.const 60000))
            (then unreachable))
        (local.set $refused
            (call $append (local.get $fields) (i32.const 16) (i32.const 5) (i32.const 65536) (i32.const 60000)))";
    let many_values = "(local.set $refused
        (call $set (local.get $fields) (i32.const 16) (i32.const 5) (i32.const 65536) (i32.const 40000)))";
    let list = "(loop
            (i32.store (i32.add (i32.const 65536) (i32.shl (global.get $count) (i32.const 4))) (i32.const 16))
            (i32.store (i32.add (i32.const 65540) (i32.shl (global.get $count) (i32.const 4))) (i32.const 5))
            (global.set $count (i32.add (global.get $count) (i32.const 1)))
            (br_if 0 (i32.lt_u (global.get $count) (i32.const 40000))))
        (local.set $refused (call $list (i32.const 65536) (i32.const 40000)))";
    for (make, fits) in
        [(FLOOD, 500..2_000), (of_one_name, 500..2_000), (giants, 1..2), (many_values, 0..1), (list, 0..1)]
    {
        let (status, text) = answer_of(with_fields(make)).await;
        assert_eq!(status, SIZE_EXCEEDED, "{make}");
        let sent = text.matches("\r\nhello: ").count();
        assert!(fits.contains(&sent), "{sent} fields: {make}");
        assert!(text.len() < limits::HTTP_HEADER_LIMIT_BYTES, "{} bytes: {make}", text.len());
    }
}

/// Neither a line end in a name or a value, nor a field that says where the answer ends, unless it is a number.
#[tokio::test]
async fn fields_that_would_split_an_answer_are_refused() {
    for (field, wanted) in [
        ("(i32.const 16) (i32.const 5) (i32.const 16) (i32.const 5)", 400),
        ("(i32.const 16) (i32.const 5) (i32.const 16) (i32.const 13)", INVALID_SYNTAX),
        ("(i32.const 16) (i32.const 13) (i32.const 16) (i32.const 5)", INVALID_SYNTAX),
        ("(i32.const 16) (i32.const 0) (i32.const 16) (i32.const 5)", INVALID_SYNTAX),
        ("(i32.const 1056) (i32.const 14) (i32.const 16) (i32.const 5)", INVALID_SYNTAX),
        ("(i32.const 1024) (i32.const 17) (i32.const 16) (i32.const 5)", FORBIDDEN),
    ] {
        let make = format!("(local.set $refused (call $append (local.get $fields) {field}))");
        let (status, text) = answer_of(with_fields(&make)).await;
        assert_eq!(status, wanted, "{make}");
        assert_eq!(text.matches("\r\nhello: hello\r\n").count(), usize::from(wanted == 400), "{text}");
    }
}

/// An answer that says it has three bytes: what is more or less never reaches a client as a whole answer, or as part of the
/// next one.
#[tokio::test]
async fn a_length_that_lies_ends_the_connection() {
    let says_three = "(if (call $append (local.get $fields)
            (i32.const 1056) (i32.const 14) (i32.const 1088) (i32.const 1)) (then unreachable))
        (call $begin (local.get $fields)) (drop (call $give (global.get $tail) (i32.const 256)))";
    for (body, whole) in [
        ("(drop (call $pour (i32.const 4)))", false),
        ("(drop (call $write (global.get $out) (i32.const 16) (i32.const 2))) (call $wait (i64.const 1))", false),
        ("(drop (call $write (global.get $out) (i32.const 16) (i32.const 3))) (call $wait (i64.const 1))", true),
    ] {
        let handle = format!("{says_three} {body} (call $close (global.get $out)) (i32.const 0)");
        let (container, _) = serve(handler(PAGES, &handle, "(i32.const 0)")).await;
        // Two requests on one connection: the second is answered only if the first was sound.
        let twice = [b"GET / HTTP/1.1\r\nhost: test\r\n\r\n", REQUEST].concat();
        let asked = exchange(container.address().unwrap(), &twice);
        let text = tokio::time::timeout(DEADLINE, asked).await.expect("an end").unwrap_or_default();
        assert_eq!(text.matches("\r\n\r\nhel").count(), if whole { 2 } else { 0 }, "{body}: {text}");
        assert_eq!(text.matches(" 200 OK").count() == 2, whole, "{body}: {text}");
        until("its instance is gone", || container.usage().memory_bytes == 0).await;
        kill(&container).await;
    }
}

/// Trailers are fields with the same bound, and those that fit arrive; an error in their place is none of the client's.
#[tokio::test]
async fn floods_of_trailers_are_refused() {
    let handle = format!(
        "{FLOOD} (i32.store (i32.const 264) (i32.const 1)) (i32.store (i32.const 268) (local.get $fields))
        (call $answer (call $fields) (i32.add (i32.const 400) (local.get $refused)))"
    );
    let (container, _) = serve(handler(PAGES, &handle, "(i32.const 0)")).await;
    let stream = TcpStream::connect(container.address().unwrap()).await.unwrap();
    let mut http2 = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    http2.max_header_list_size(1 << 20);
    let (mut client, connection) = http2.handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("http://test/").body(Empty::<Bytes>::new()).unwrap();
    let response = tokio::time::timeout(DEADLINE, client.send_request(request)).await.expect("an answer").unwrap();
    assert_eq!(response.status(), SIZE_EXCEEDED);
    let body = tokio::time::timeout(DEADLINE, response.into_body().collect()).await.expect("an end").unwrap();
    let sent = body.trailers().unwrap().get_all("hello").iter().count();
    assert!((500..2_000).contains(&sent), "{sent} trailers");
    until("its instance is gone", || container.usage().memory_bytes == 0).await;
    drop(client);
    kill(&container).await;
    connection.await.unwrap().unwrap_or_default();

    let handle = "(i32.store8 (i32.const 256) (i32.const 1)) (i32.store8 (i32.const 264) (i32.const 35))
        (call $answer (local.get $fields) (i32.const 200))";
    let (_, text) = answer_of(handler(PAGES, handle, "(i32.const 0)")).await;
    let is_whole = text.ends_with("0\r\n\r\n") || text.contains("content-length: 0\r\n");
    assert!(!text.contains(" 200 OK") || !is_whole, "{text}");
}

/// No answer, two answers, one that takes back its trailers, one that is followed by a trap at once: hundreds of each.
#[tokio::test]
async fn handlers_that_break_the_protocol_fail_their_request_alone() {
    for (handle, why) in [
        ("(i32.const 0)", "wasm trap: "),
        (
            "(call $respond (local.get $fields) (i32.const 200) (i32.const 0) (i32.const 0))
            (call $respond (call $fields) (i32.const 200) (i32.const 0) (i32.const 0)) (i32.const 0)",
            "",
        ),
        (
            "(call $respond (local.get $fields) (i32.const 200) (i32.const 0) (i32.const 0))
            (call $keep-back (global.get $tail)) (i32.const 0)",
            "",
        ),
        ("(call $begin (local.get $fields)) unreachable", "wasm trap: wasm `unreachable` instruction executed"),
        ("(i32.const 7)", ""),
    ] {
        let (container, log) = serve(handler(PAGES, handle, "(i32.const 0)")).await;
        let address = container.address().unwrap();
        for _ in 0..8 {
            let requests = futures::future::join_all((0..25).map(|_| get(address, "/")));
            for answer in tokio::time::timeout(DEADLINE, requests).await.expect("every request comes to an end") {
                assert_eq!(answer.unwrap(), (500, "the handler gave no answer\n".into()), "{handle}");
            }
        }
        let said = log.text(Stream::Stderr);
        assert!(said.contains(why), "{handle}: {said}");
        until("all instances are gone", || container.usage().memory_bytes == 0).await;
        let exit = tokio::time::timeout(DEADLINE, container.stop(DEADLINE)).await.expect("it drains");
        assert_eq!(exit.reason, ExitReason::Terminated);
    }
}

/// A body that breaks off is none that has ended.
#[tokio::test]
async fn a_trap_in_the_middle_of_a_body_is_not_its_end() {
    let handle = "(call $begin (local.get $fields))
        (drop (call $write (global.get $out) (i32.const 65536) (i32.const 100)))
        (call $waiting (call $pause (i64.const 200000000)))";
    let (status, text) = answer_of(handler(PAGES, handle, "unreachable")).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("\r\n\r\n64\r\n\0"), "some of it was sent: {text}");
    assert!(!text.ends_with("0\r\n\r\n"), "{text}");
}

/// The ways to go of `clients.rs`.
#[tokio::test]
async fn clients_that_leave_leave_nothing_behind() {
    leave_by_the_thousand(program(HTTP)).await;
}

#[tokio::test]
async fn guests_that_trap_by_the_thousand_are_counted_and_forgotten() {
    trap_by_the_thousand(HTTP, "/error").await;
}

#[tokio::test]
async fn handlers_that_spin_fill_their_own_server_only() {
    spin_beside_another(HTTP).await;
}

/// What a handler does after its answer is the container's still: it counts, and ends with it.
#[tokio::test]
async fn a_handler_that_goes_on_after_its_answer_ends_with_its_container() {
    let answer = "(drop (call $answer (local.get $fields) (i32.const 200)))";
    for go_on in
        ["(call $wait (i64.const 3600000000000)) (i32.const 0)", "(call $waiting (i32.const 0))", "(i32.const 1)"]
    {
        let (container, _) = serve(handler(PAGES, &format!("{answer} {go_on}"), "(i32.const 1)")).await;
        let asked = get(container.address().unwrap(), "/");
        assert_eq!(tokio::time::timeout(DEADLINE, asked).await.expect("an answer").unwrap().0, 200);
        assert_eq!(container.usage().memory_bytes, (PAGES as u64) << 16, "its instance is at work: {go_on}");
        let exit = tokio::time::timeout(DEADLINE, container.stop(Duration::from_millis(50))).await.expect("an end");
        assert_eq!(exit.reason, ExitReason::Killed, "{go_on}");
        until("its instance is gone", || container.usage().memory_bytes == 0).await;
    }
}
