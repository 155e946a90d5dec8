//! The published state: what readers see. One writer (the state machine) replaces it, any number of
//! readers take it without waiting.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::state::State;

/// The newest state and its revision.
pub(crate) struct Memory {
    state: ArcSwap<State>,
    revision: watch::Sender<u64>,
}

impl Memory {
    /// Starts with `state`.
    pub(crate) fn new(state: Arc<State>) -> Self {
        let revision = watch::Sender::new(state.revision);
        Self { state: ArcSwap::new(state), revision }
    }

    /// The newest state.
    pub(crate) fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Reads from the newest state without taking it.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.load())
    }

    /// Makes `state` the newest.
    pub(crate) fn publish(&self, state: Arc<State>) {
        let revision = state.revision;
        self.state.store(state);
        self.revision.send_if_modified(|known| std::mem::replace(known, revision) != revision);
    }

    /// Waits until the state has reached `revision`; `false` if `deadline` comes first.
    pub(crate) async fn wait_for(&self, revision: u64, deadline: tokio::time::Instant) -> bool {
        if self.read(|state| state.revision >= revision) {
            return true;
        }
        let mut reached = self.revision.subscribe();
        let result = tokio::time::timeout_at(deadline, reached.wait_for(|now| *now >= revision)).await;
        matches!(result, Ok(Ok(_)))
    }
}
