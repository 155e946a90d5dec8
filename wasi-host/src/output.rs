//! Where a guest's stdout and stderr go: the embedder's sink, and the stream that WASI sees of it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError, StreamResult},
};

use crate::limits::OUTPUT_CHUNK_LIMIT_BYTES;

/// One of the two streams a program writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The program's standard output.
    Stdout,
    /// The program's standard error, and what the host has to say about the program (a trap's backtrace).
    Stderr,
}

/// The host's side of stdout and stderr.
///
/// Chunks arrive as the guest writes them: lines may be split and joined anywhere. `write` is called on the
/// guest's own turn and its slowness is the guest's back-pressure, so it may take as long as writing to a file
/// does but must never wait for a reader: an output with a reader says how much [`room`](Output::room) there is.
pub trait Output: Send + Sync {
    /// Takes `bytes`, which `stream` carried. At most
    /// [`limits::OUTPUT_CHUNK_LIMIT_BYTES`](crate::limits::OUTPUT_CHUNK_LIMIT_BYTES) in one call.
    fn write(&self, stream: Stream, bytes: &[u8]);

    /// How many bytes it takes now. An output that a reader empties, such as that of an exec, says 0 while the reader
    /// is behind, and the guest waits for [`room`](Output::wait_for_room). What is written nevertheless is still taken.
    fn room(&self) -> usize {
        OUTPUT_CHUNK_LIMIT_BYTES
    }

    /// Completes once there is room.
    fn wait_for_room(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A stream of one container. Nothing is buffered: a write has reached the sink when it returns.
#[derive(Clone)]
pub(crate) struct GuestStream {
    output: Arc<dyn Output>,
    stream: Stream,
    terminal: bool,
}

impl GuestStream {
    pub(crate) fn new(output: Arc<dyn Output>, stream: Stream, terminal: bool) -> GuestStream {
        GuestStream { output, stream, terminal }
    }

    fn put(&self, bytes: &[u8]) {
        for chunk in bytes.chunks(OUTPUT_CHUNK_LIMIT_BYTES) {
            self.output.write(self.stream, chunk);
        }
    }
}

impl IsTerminal for GuestStream {
    fn is_terminal(&self) -> bool {
        self.terminal
    }
}

impl StdoutStream for GuestStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(AsyncStream { stream: self.clone(), waiting: Mutex::default() })
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(LeaveStream { stream: self.clone(), leave: 0 })
    }
}

/// The stream as WASI 0.2 knows it: who writes has asked before how much it may be (`check-write`), and traps otherwise.
struct LeaveStream {
    stream: GuestStream,
    /// Bytes that may still be written.
    leave: usize,
}

#[async_trait::async_trait]
impl Pollable for LeaveStream {
    async fn ready(&mut self) {
        self.stream.output.wait_for_room().await;
    }
}

impl OutputStream for LeaveStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let Some(left) = self.leave.checked_sub(bytes.len()) else {
            return Err(StreamError::trap("more is written than check-write has allowed"));
        };
        self.leave = left;
        self.stream.put(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.leave = self.stream.output.room().min(OUTPUT_CHUNK_LIMIT_BYTES);
        Ok(self.leave)
    }
}

/// The stream as tokio knows it, with the waiting for room that is under way.
struct AsyncStream {
    stream: GuestStream,
    waiting: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl AsyncWrite for AsyncStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            if let Some(waiting) = self.waiting.get_mut() {
                ready!(waiting.as_mut().poll(cx));
                *self.waiting.get_mut() = None;
            }
            let taken = bytes.len().min(self.stream.output.room()).min(OUTPUT_CHUNK_LIMIT_BYTES);
            if taken > 0 || bytes.is_empty() {
                self.stream.put(&bytes[..taken]);
                return Poll::Ready(Ok(taken));
            }
            let output = Arc::clone(&self.stream.output);
            *self.waiting.get_mut() = Some(Box::pin(async move { output.wait_for_room().await }));
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything, and has room for ten bytes.
    #[derive(Default)]
    struct Narrow(Mutex<Vec<u8>>);

    impl Output for Narrow {
        fn write(&self, _stream: Stream, bytes: &[u8]) {
            self.0.lock().extend_from_slice(bytes);
        }

        fn room(&self) -> usize {
            10
        }
    }

    #[test]
    fn who_writes_without_leave_traps() {
        let output = Arc::new(Narrow::default());
        let mut stream = GuestStream::new(output.clone(), Stream::Stdout, false).p2_stream();
        let mut write = |bytes: usize| stream.write(vec![b'x'; bytes].into());
        assert!(matches!(write(1), Err(StreamError::Trap(_))), "nobody has asked");
        assert_eq!(stream.check_write().unwrap(), 10);
        let mut write = |bytes: usize| stream.write(vec![b'x'; bytes].into());
        write(4).unwrap();
        assert!(matches!(write(7), Err(StreamError::Trap(_))));
        write(6).unwrap();
        assert!(matches!(write(1), Err(StreamError::Trap(_))));
        assert!(matches!(stream.write_zeroes(1 << 40), Err(StreamError::Trap(_))));
        stream.write_zeroes(10).unwrap();
        assert_eq!(output.0.lock().len(), 20);
    }
}
