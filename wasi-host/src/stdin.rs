//! A guest's stdin: a bounded pipe that the embedder writes and closes, and the stream that WASI sees of it.

mod guest;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc, task::Waker};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::Notify;

pub(crate) use guest::GuestStdin;

use crate::limits::STDIN_BUFFER_LIMIT_BYTES;

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
    /// How many bytes have been read ever.
    read: u64,
    /// Ends that are read once: how many bytes will have been read before each.
    ends: VecDeque<u64>,
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

    /// Completes when there is room for something to [`put`](StdinPipe::put).
    ///
    /// # Errors
    /// When the pipe is closed, also while waiting.
    pub async fn room(&self) -> Result<(), StdinClosed> {
        loop {
            let changed = self.pipe.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.pipe.state.lock();
                if state.closed {
                    return Err(StdinClosed);
                }
                if state.waiting() < STDIN_BUFFER_LIMIT_BYTES {
                    return Ok(());
                }
            }
            changed.await;
        }
    }

    /// Takes a piece as a whole, for a writer of small pieces that has waited for [`room`](StdinPipe::room). A pipe that
    /// is closed throws it away.
    pub fn put(&self, bytes: &[u8]) {
        self.pipe.change(|state| {
            if !state.closed {
                state.bytes.extend_from_slice(bytes);
            }
        });
    }

    /// The guest reads end-of-file once, behind what has been written, and then what is written next, as from a terminal
    /// at which Ctrl-D was typed.
    pub fn end_once(&self) {
        self.pipe.change(|state| {
            if !state.closed {
                let end = state.read + state.bytes.len() as u64;
                state.ends.push_back(end);
            }
        });
    }

    /// Throws away what the guest has not read.
    pub fn discard(&self) {
        self.pipe.change(|state| {
            state.bytes.clear();
            state.ends.clear();
        });
    }

    /// Waits for what the reader would read: a piece of `size` bytes at most, or an end that is read once, which is an
    /// empty one. None: it is closed, and nothing is left. For a reader in another process, of which there is one.
    pub(crate) async fn next(&self, size: usize) -> Option<Bytes> {
        loop {
            let changed = self.pipe.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.pipe.is_over() {
                return None;
            }
            if let Some(piece) = self.pipe.pull(size) {
                return Some(piece);
            }
            changed.await;
        }
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
            state.waiting() >= STDIN_BUFFER_LIMIT_BYTES
        };
        if full {
            return Ok(0);
        }
        self.change(|state| {
            let taken = bytes.len().min(STDIN_BUFFER_LIMIT_BYTES.saturating_sub(state.waiting()));
            state.bytes.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        })
    }

    /// What there is, `size` bytes at most. None: nothing yet; an empty piece: nothing ever again.
    fn pull(&self, size: usize) -> Option<Bytes> {
        {
            let state = self.state.lock();
            if state.waiting() == 0 {
                return state.closed.then(Bytes::new);
            }
        }
        self.change(|state| state.pull(size))
    }

    fn is_readable(&self) -> bool {
        self.state.lock().is_readable()
    }

    /// Whether there is nothing to read ever again.
    fn is_over(&self) -> bool {
        let state = self.state.lock();
        state.closed && state.waiting() == 0
    }
}

impl State {
    /// What there is for the guest to read; an end counts as a byte.
    fn waiting(&self) -> usize {
        self.bytes.len() + self.ends.len()
    }

    fn is_readable(&self) -> bool {
        self.closed || self.waiting() > 0
    }

    fn pull(&mut self, size: usize) -> Option<Bytes> {
        let before_end = self.ends.front().map(|end| usize::try_from(end - self.read).unwrap_or(usize::MAX));
        if before_end == Some(0) {
            self.ends.pop_front();
            return Some(Bytes::new());
        }
        if self.bytes.is_empty() {
            // Another reader of the same stdin may have been quicker; then there is nothing yet.
            return self.closed.then(Bytes::new);
        }
        let taken = size.min(self.bytes.len()).min(before_end.unwrap_or(usize::MAX));
        self.read += taken as u64;
        Some(self.bytes.split_to(taken).freeze())
    }
}
