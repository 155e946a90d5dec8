//! A guest's stdin: a bounded pipe that the embedder writes and closes, and the stream that WASI sees of it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::Notify,
};
use wasmtime_wasi::{
    cli::{IsTerminal, StdinStream},
    p2::{InputStream, Pollable, StreamError, StreamResult},
};

use crate::limits::{STDIN_BUFFER_LIMIT_BYTES, STDIN_READERS};

/// Nobody reads this stdin any more, or it has been closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the program's stdin is closed")]
pub struct StdinClosed;

/// The writing end of a guest's stdin. Clones write to the same pipe; when it is closed, by anybody, the guest reads
/// what is left and then end-of-file.
#[derive(Clone, Default)]
pub struct StdinPipe {
    pipe: Arc<Pipe>,
}

#[derive(Default)]
struct Pipe {
    state: Mutex<State>,
    /// Told whenever bytes come, bytes go, or the pipe closes.
    changed: Notify,
}

#[derive(Default)]
struct State {
    bytes: BytesMut,
    closed: bool,
    readers: Vec<Waker>,
}

impl StdinPipe {
    /// An open pipe with nothing in it.
    #[must_use]
    pub fn new() -> StdinPipe {
        StdinPipe::default()
    }

    /// Writes all of `bytes`, waiting while the guest has too much to read already.
    ///
    /// # Errors
    /// When the pipe is closed, also while waiting.
    pub async fn write(&self, mut bytes: &[u8]) -> Result<(), StdinClosed> {
        while !bytes.is_empty() {
            let changed = self.pipe.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that no change in between is missed.
            changed.as_mut().enable();
            let taken = self.pipe.push(bytes)?;
            if taken == 0 {
                changed.await;
            }
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// The guest reads what is left, then end-of-file.
    pub fn close(&self) {
        self.pipe.change(|state| state.closed = true);
    }
}

impl Pipe {
    /// Changes the state and wakes everybody who waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let result = change(&mut state);
        let readers = std::mem::take(&mut state.readers);
        drop(state);
        readers.into_iter().for_each(Waker::wake);
        self.changed.notify_waiters();
        result
    }

    /// Takes as many bytes as there is room for.
    fn push(&self, bytes: &[u8]) -> Result<usize, StdinClosed> {
        let full = {
            let state = self.state.lock();
            if state.closed {
                return Err(StdinClosed);
            }
            state.bytes.len() >= STDIN_BUFFER_LIMIT_BYTES
        };
        if full {
            return Ok(0);
        }
        self.change(|state| {
            let taken = bytes.len().min(STDIN_BUFFER_LIMIT_BYTES.saturating_sub(state.bytes.len()));
            state.bytes.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        })
    }

    /// What there is, `size` bytes at most. None: nothing yet; an empty piece: nothing ever again.
    fn pull(&self, size: usize) -> Option<Bytes> {
        let state = self.state.lock();
        if state.bytes.is_empty() {
            return state.closed.then(Bytes::new);
        }
        drop(state);
        let piece = self.change(|state| {
            let taken = size.min(state.bytes.len());
            state.bytes.split_to(taken).freeze()
        });
        // Another reader of the same stdin may have been quicker; then there is nothing yet.
        (!piece.is_empty()).then_some(piece)
    }

    fn is_readable(&self) -> bool {
        let state = self.state.lock();
        state.closed || !state.bytes.is_empty()
    }
}

/// Stdin as a guest sees it. All its streams read from the one pipe.
#[derive(Clone)]
pub(crate) struct GuestStdin {
    pipe: Arc<Pipe>,
    terminal: bool,
}

impl GuestStdin {
    pub(crate) fn new(stdin: &StdinPipe, terminal: bool) -> GuestStdin {
        GuestStdin { pipe: Arc::clone(&stdin.pipe), terminal }
    }
}

impl IsTerminal for GuestStdin {
    fn is_terminal(&self) -> bool {
        self.terminal
    }
}

impl StdinStream for GuestStdin {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for GuestStdin {
    async fn ready(&mut self) {
        loop {
            let changed = self.pipe.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.pipe.is_readable() {
                return;
            }
            changed.await;
        }
    }
}

#[async_trait::async_trait]
impl InputStream for GuestStdin {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        match self.pipe.pull(size) {
            Some(piece) if piece.is_empty() => Err(StreamError::Closed),
            Some(piece) => Ok(piece),
            None => Ok(Bytes::new()),
        }
    }
}

impl AsyncRead for GuestStdin {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(piece) = self.pipe.pull(buffer.remaining()) {
            buffer.put_slice(&piece);
            return Poll::Ready(Ok(()));
        }
        let mut state = self.pipe.state.lock();
        if state.closed || !state.bytes.is_empty() {
            // It changed between the two looks.
            cx.waker().wake_by_ref();
        } else if !state.readers.iter().any(|known| known.will_wake(cx.waker())) {
            // More readers than any program has: the oldest is woken and may ask again.
            if state.readers.len() >= STDIN_READERS {
                state.readers.remove(0).wake();
            }
            state.readers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
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
    async fn closing_wakes_a_writer_that_waits_and_a_reader_that_waits() {
        let (stdin, guest) = pipe();
        let text = vec![b'x'; STDIN_BUFFER_LIMIT_BYTES + 1];
        let (result, ()) = tokio::join!(stdin.write(&text), async { stdin.close() });
        assert_eq!(result, Err(StdinClosed));
        drop(guest);
        let (stdin, mut guest) = pipe();
        tokio::join!(guest.ready(), async { stdin.close() });
    }
}
