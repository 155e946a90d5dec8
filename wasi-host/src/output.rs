//! Where a guest's stdout and stderr go: the embedder's sink, and the stream that WASI sees of it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
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
/// does but must never wait for a reader.
pub trait Output: Send + Sync {
    /// Takes `bytes`, which `stream` carried. At most
    /// [`limits::OUTPUT_CHUNK_LIMIT_BYTES`](crate::limits::OUTPUT_CHUNK_LIMIT_BYTES) in one call.
    fn write(&self, stream: Stream, bytes: &[u8]);
}

/// A stream of one container. Nothing is buffered: a write has reached the sink when it returns.
#[derive(Clone)]
pub(crate) struct GuestStream {
    output: Arc<dyn Output>,
    stream: Stream,
}

impl GuestStream {
    pub(crate) fn new(output: Arc<dyn Output>, stream: Stream) -> GuestStream {
        GuestStream { output, stream }
    }

    fn put(&self, bytes: &[u8]) {
        for chunk in bytes.chunks(OUTPUT_CHUNK_LIMIT_BYTES) {
            self.output.write(self.stream, chunk);
        }
    }
}

impl IsTerminal for GuestStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for GuestStream {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(OUTPUT_CHUNK_LIMIT_BYTES)
    }
}

impl AsyncWrite for GuestStream {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = bytes.len().min(OUTPUT_CHUNK_LIMIT_BYTES);
        self.put(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
