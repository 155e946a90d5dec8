use wasmtime_wasi::{
    cli::StdinStream,
    p2::{InputStream, Pollable, StreamError},
};

use super::*;

fn pipe() -> (StdinPipe, GuestStdin) {
    let stdin = StdinPipe::new();
    let guest = GuestStdin::new(&stdin, false);
    (stdin, guest)
}

#[tokio::test]
async fn a_guest_reads_what_was_written_and_then_the_end() {
    let (stdin, mut guest) = pipe();
    assert_eq!(guest.read(10).unwrap(), "");
    stdin.write(b"hello").await.unwrap();
    guest.ready().await;
    assert_eq!(guest.read(3).unwrap(), "hel");
    stdin.close();
    assert_eq!(guest.read(10).unwrap(), "lo");
    assert!(matches!(guest.read(10), Err(StreamError::Closed)));
    assert_eq!(stdin.write(b"more").await, Err(StdinClosed));
}

#[tokio::test]
async fn a_writer_waits_for_a_slow_guest() {
    let (stdin, guest) = pipe();
    let text = vec![b'x'; STDIN_BUFFER_LIMIT_BYTES * 3];
    let writing = tokio::spawn({
        let (stdin, text) = (stdin.clone(), text.clone());
        async move {
            stdin.write(&text).await.unwrap();
            stdin.close();
        }
    });
    let mut read = Vec::new();
    let mut stream = Box::into_pin(guest.async_stream());
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut read).await.unwrap();
    writing.await.unwrap();
    assert_eq!(read.len(), text.len());
}

#[tokio::test]
async fn an_end_may_be_read_once_and_what_is_not_read_be_thrown_away() {
    let (stdin, mut guest) = pipe();
    stdin.put(b"one");
    stdin.end_once();
    stdin.end_once();
    stdin.put(b"two");
    assert_eq!(guest.read(10).unwrap(), "one");
    for _ in 0..2 {
        assert!(matches!(guest.read(10), Err(StreamError::Closed)));
    }
    assert_eq!(guest.read(2).unwrap(), "tw");
    stdin.end_once();
    stdin.discard();
    assert_eq!(guest.read(10).unwrap(), "");
    stdin.put(b"three");
    assert_eq!(guest.read(10).unwrap(), "three");
}

#[tokio::test]
async fn whoever_waits_for_room_gets_it_when_the_guest_reads() {
    let (stdin, mut guest) = pipe();
    stdin.room().await.unwrap();
    stdin.put(&vec![b'x'; STDIN_BUFFER_LIMIT_BYTES - 1]);
    stdin.end_once();
    let (room, read) = tokio::join!(stdin.room(), async { guest.read(1) });
    assert_eq!((room, read.unwrap().len()), (Ok(()), 1));
    stdin.put(b"x");
    let (room, ()) = tokio::join!(stdin.room(), async { stdin.close() });
    assert_eq!(room, Err(StdinClosed));
}

#[tokio::test]
async fn closing_wakes_a_writer_that_waits_and_a_reader_that_waits() {
    let (stdin, guest) = pipe();
    let text = vec![b'x'; STDIN_BUFFER_LIMIT_BYTES + 1];
    let (result, ()) = tokio::join!(stdin.write(&text), async { stdin.close() });
    assert_eq!(result, Err(StdinClosed));
    drop(guest);
    let (stdin, mut guest) = pipe();
    tokio::join!(guest.ready(), async { stdin.close() });
}
