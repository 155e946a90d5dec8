//! The stream that WASI sees of a stdin.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use wasmtime_wasi::{
    cli::{IsTerminal, StdinStream},
    p2::{InputStream, Pollable, StreamError, StreamResult},
};

use super::{Pipe, StdinPipe};
use crate::limits::STDIN_READERS;

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
        if state.is_readable() {
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
