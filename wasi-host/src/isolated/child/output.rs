//! A container's stdout and stderr, into the one pipe that leads to the parent.

use std::{io, os::fd::OwnedFd, sync::Arc};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::net::unix::pipe::Sender;

use crate::{
    Output, Stream,
    isolated::{frames::head, pumps::kind_of},
    limits::OUTPUT_CHUNK_LIMIT_BYTES,
};

/// The writing end, and what it has not taken yet: no more than a turn of each of the guest's streams.
pub(super) struct PipeOutput {
    /// None: it is closed, or nobody reads it.
    pipe: Mutex<Option<Arc<Sender>>>,
    pending: Mutex<Vec<u8>>,
}

impl PipeOutput {
    pub(super) fn new(pipe: OwnedFd) -> io::Result<PipeOutput> {
        Ok(PipeOutput { pipe: Mutex::new(Some(Arc::new(Sender::from_owned_fd(pipe)?))), pending: Mutex::default() })
    }

    /// Writes what is left, and closes the pipe.
    pub(super) async fn finish(&self) {
        self.wait_for_room().await;
        *self.pipe.lock() = None;
    }

    /// Writes what the pipe takes. Whether nothing is left.
    fn flush(&self) -> bool {
        let (mut pipe, mut pending) = (self.pipe.lock(), self.pending.lock());
        while !pending.is_empty() {
            let Some(open) = &*pipe else {
                pending.clear();
                break;
            };
            match open.try_write(&pending) {
                Ok(taken) => drop(pending.drain(..taken)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => *pipe = None,
            }
        }
        true
    }

    /// Completes when the pipe takes something, or is closed.
    async fn writable(&self) {
        let pipe = self.pipe.lock().clone();
        if let Some(pipe) = pipe {
            // An error shows at the next write.
            let _ = pipe.writable().await;
        }
    }
}

impl Output for PipeOutput {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        let head = head(kind_of(stream), bytes.len());
        let mut pending = self.pending.lock();
        pending.reserve(head.len() + bytes.len());
        pending.extend_from_slice(&head);
        pending.extend_from_slice(bytes);
        drop(pending);
        self.flush();
    }

    fn room(&self) -> usize {
        if self.flush() { OUTPUT_CHUNK_LIMIT_BYTES } else { 0 }
    }

    fn wait_for_room(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            while !self.flush() {
                self.writable().await;
            }
        })
    }
}
