//! Where a client's stdin goes.

use std::sync::Arc;

use bytes::Bytes;
use coracle_wasi_host::StdinPipe;
use tokio::sync::mpsc;

use super::terminal::Terminal;

/// The other end of a client's stdin.
pub enum Input {
    /// A guest's stdin. `once`: it ends with the client's.
    Guest {
        /// The guest's stdin.
        pipe: StdinPipe,
        /// Whether it ends with the client's.
        once: bool,
    },
    /// A guest's terminal.
    Terminal {
        /// The terminal.
        terminal: Arc<Terminal>,
        /// Whether the guest's stdin ends with the client's.
        once: bool,
        /// Whether Ctrl-C and its like end the guest.
        signals: bool,
    },
    /// A program of the node's own; dropping the sender is the end.
    Own(Option<mpsc::Sender<Bytes>>),
    /// Nowhere.
    Nowhere,
}

impl Input {
    /// Passes on what the client sent.
    pub async fn write(&mut self, bytes: Bytes) {
        // A program that reads no more is no reason to end: it may still print.
        match self {
            Input::Guest { pipe, .. } => drop(pipe.write(&bytes).await),
            Input::Terminal { terminal, signals, .. } => terminal.type_in(&bytes, *signals).await,
            Input::Own(Some(sender)) => drop(sender.send(bytes).await),
            Input::Own(None) | Input::Nowhere => {}
        }
    }

    /// The client sends no more.
    pub fn end(&mut self) {
        match self {
            Input::Guest { pipe, once: true } => pipe.close(),
            Input::Terminal { terminal, once: true, .. } => terminal.close(),
            Input::Own(sender) => *sender = None,
            Input::Guest { .. } | Input::Terminal { .. } | Input::Nowhere => {}
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.end();
    }
}
