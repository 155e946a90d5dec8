//! HTTP components that mean it harm: answers that nobody can read, none at all, more than there is room for.

use std::time::Duration;

use coracle_wasi_host::{Container, ExitReason, Program, Stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    DEADLINE, kill,
    support::{HTTP, container, get, pod, program, until},
};

/// Puts `with` after the one place where the guest's text has `after`.
fn after(text: &str, after: &str, with: &str) -> String {
    assert_eq!(text.matches(after).count(), 1, "{after}");
    text.replace(after, &format!("{after}\n{with}"))
}

/// The HTTP guest with the function `fields.append`, answering with the fields that `make` leaves in `$fields`; at 16
/// is a name of 5 letters, `$append` takes name and value (address and length each) and traps if it is refused.
fn with_fields(make: &str) -> Program {
    let text = after(
        HTTP,
        r#"(export "[constructor]fields" (func (result (own $fields))))"#,
        r#"(type $he (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
           (export "header-error" (type $header-error (eq $he)))
           (export "[method]fields.append" (func (param "self" (borrow $fields)) (param "name" string)
               (param "value" (list u8)) (result (result (error $header-error)))))"#,
    );
    let text = after(
        &text,
        r#"(core func $fields (canon lower (func $types "[constructor]fields")))"#,
        r#"(core func $append (canon lower (func $types "[method]fields.append") (memory $mem)))"#,
    );
    let text = after(
        &text,
        r#"(import "host" "fields" (func $fields (result i32)))"#,
        r#"(import "host" "append" (func $append-raw (param i32 i32 i32 i32 i32 i32)))"#,
    );
    let text = after(&text, r#"(export "memory" (memory $mem))"#, r#"(export "append" (func $append))"#);
    let made = format!(
        "(global $n (mut i32) (i32.const 0))
         (func $made (result i32) (local $fields i32)
            (local.set $fields (call $fields)) {make} (local.get $fields))
         (func $append (param i32 i32 i32 i32 i32)
            (call $append-raw (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (i32.const 48))
            (if (i32.load8_u (i32.const 48)) (then unreachable)))"
    );
    let text = after(&text, "(func $trap_here unreachable)", &made);
    program(&text.replace("(call $response (call $fields))", "(call $response (call $made))"))
}

pub async fn serve(program: Program) -> (Container, std::sync::Arc<crate::support::Log>) {
    let (config, log) = container(program);
    (pod().start(config).await.unwrap(), log)
}

#[tokio::test]
async fn floods_of_fields_in_an_answer_end_the_guest_and_not_the_host() {
    // Many small ones, one giant value, and 40,000 of one name: more than a map of headers can hold (32,768).
    for make in [
        "(loop (call $append (local.get $fields) (i32.const 16) (i32.const 5) (i32.const 16) (i32.const 5)) (br 0))",
        "(memory.fill (i32.const 1024) (i32.const 0x78) (i32.const 60000))
         (call $append (local.get $fields) (i32.const 16) (i32.const 5) (i32.const 1024) (i32.const 60000))
         (call $append (local.get $fields) (i32.const 16) (i32.const 5) (i32.const 1024) (i32.const 60000))",
        "(loop (call $append (local.get $fields) (i32.const 16) (i32.const 5) (i32.const 16) (i32.const 0))
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (br_if 0 (i32.lt_u (global.get $n) (i32.const 40000))))",
    ] {
        let (container, log) = serve(with_fields(make)).await;
        let (status, _) =
            tokio::time::timeout(DEADLINE, get(container.address().unwrap(), "/")).await.unwrap().unwrap();
        assert_eq!(status, 500, "{make}");
        assert!(log.text(Stream::Stderr).contains("wasm backtrace"), "{}", log.text(Stream::Stderr));
        until("its instance is gone", || container.usage().memory_bytes == 0).await;
        assert_eq!(kill(&container).await.reason, ExitReason::Terminated);
    }
}

#[tokio::test]
async fn fields_that_would_split_an_answer_are_refused() {
    let fits = "(call $append (local.get $fields) (i32.const 16) (i32.const 5) (i32.const 16) (i32.const 5))";
    // A value with a line end ("hello, world\n"), a name with one, and a name that is empty.
    let split = [
        "(call $append (local.get $fields) (i32.const 16) (i32.const 5) (i32.const 16) (i32.const 13))",
        "(call $append (local.get $fields) (i32.const 16) (i32.const 13) (i32.const 16) (i32.const 5))",
        "(call $append (local.get $fields) (i32.const 16) (i32.const 0) (i32.const 16) (i32.const 5))",
    ];
    for (make, wanted) in std::iter::once((fits, 200)).chain(split.map(|make| (make, 500))) {
        let (container, _) = serve(with_fields(make)).await;
        assert_eq!(get(container.address().unwrap(), "/").await.unwrap().0, wanted, "{make}");
        kill(&container).await;
    }
}

/// The guest writes as fast as it can to a client that does not read: what waits is bounded, and ends with the client.
#[tokio::test]
async fn an_endless_answer_to_a_client_that_does_not_read_waits() {
    let text = HTTP.replace(
        "(call $drop-stream (local.get $stream))",
        "(loop (call $flush (local.get $stream) (i32.const 1024) (i32.const 4096) (i32.const 128))
            (br_if 0 (i32.eqz (i32.load8_u (i32.const 128)))))
         (call $drop-stream (local.get $stream))",
    );
    let (container, _) = serve(program(&text)).await;
    let address = container.address().unwrap();
    let before = resident_kib();
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        let mut first = [0; 100];
        tokio::time::timeout(DEADLINE, client.read_exact(&mut first)).await.unwrap().unwrap();
        clients.push(client);
    }
    until_it_rests(&container).await;
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 200 << 10, "the host holds {grown} KiB more for 20 answers");
    drop(clients);
    until("all instances are gone", || container.usage().memory_bytes == 0).await;
    kill(&container).await;
}

/// Waits until none of a container's guests uses CPU any more: all wait.
pub async fn until_it_rests(container: &Container) {
    let mut spent = Duration::MAX;
    let deadline = std::time::Instant::now() + DEADLINE;
    while container.usage().cpu_time != spent {
        assert!(std::time::Instant::now() < deadline, "they never wait");
        spent = container.usage().cpu_time;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Memory of this process that is in RAM. Other tests run in it, so only large differences mean anything.
pub fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A body that is begun and left, a response that is dropped, an outparam that is set twice: thousands of times.
#[tokio::test]
async fn answers_that_are_never_finished_leave_nothing_behind() {
    let unfinished = HTTP.replace("(call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 256))", "");
    assert_ne!(unfinished, HTTP);
    let trapping = HTTP.replace("(call $drop-stream (local.get $stream))", "unreachable");
    let twice = HTTP.replace(
        "(call $write (local.get $body) (i32.const 96))",
        "(call $set (local.get $out) (i32.const 0) (local.get $response)
            (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
         (call $write (local.get $body) (i32.const 96))",
    );
    for text in [unfinished, trapping, twice] {
        let (container, _) = serve(program(&text)).await;
        let address = container.address().unwrap();
        for _ in 0..40 {
            let requests = (0..25).map(|_| get(address, "/"));
            let all = tokio::time::timeout(DEADLINE, futures::future::join_all(requests));
            // Cut answers are errors of the client's; what counts is that all come to an end.
            drop(all.await.expect("every request comes to an end"));
        }
        until("all instances are gone", || container.usage().memory_bytes == 0).await;
        let exit = tokio::time::timeout(DEADLINE, container.stop(DEADLINE)).await.expect("it drains");
        assert_eq!(exit.reason, ExitReason::Terminated);
    }
}

#[tokio::test]
async fn guests_that_trap_by_the_thousand_are_counted_and_forgotten() {
    trap_by_the_thousand(HTTP, "/nothing").await;
}

/// Handlers that trap, and as many that fail by what `failing` has them do.
pub async fn trap_by_the_thousand(text: &str, failing: &str) {
    let (container, _) = serve(program(text)).await;
    let address = container.address().unwrap();
    for _ in 0..40 {
        let requests = (0..25).map(|n| get(address, if n % 2 == 0 { "/trap" } else { failing }));
        for answer in futures::future::join_all(requests).await {
            assert_eq!(answer.unwrap().0, 500);
        }
    }
    until("all instances are gone", || container.usage().memory_bytes == 0).await;
    assert_eq!(get(address, "/").await.unwrap().0, 200);
    kill(&container).await;
}

#[tokio::test]
async fn handlers_that_spin_fill_their_own_server_only() {
    spin_beside_another(HTTP).await;
}

/// Another server answers beside one all of whose handlers spin.
pub async fn spin_beside_another(text: &str) {
    let (container, _) = serve(program(text)).await;
    let (other, _) = serve(program(text)).await;
    let address = container.address().unwrap();
    let spinning: Vec<_> = (0..32).map(|_| tokio::spawn(async move { get(address, "/loop").await })).collect();
    until("they spin", || container.usage().memory_bytes >= 32 << 16).await;
    let answer = tokio::time::timeout(DEADLINE, get(other.address().unwrap(), "/")).await.expect("an answer").unwrap();
    assert_eq!(answer.0, 200, "another server answers");
    assert_eq!(kill(&container).await.reason, ExitReason::Killed);
    for request in spinning {
        assert!(request.await.unwrap().is_err());
    }
    until("all instances are gone", || container.usage().memory_bytes == 0).await;
    kill(&other).await;
}
