//! What is known of one of a child's containers.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use crate::{Exit, Usage, exit::truncate, limits};

/// What a child has said of a container, and what part of the CPUs it is to have.
pub(super) struct Entry {
    cpu_shares: AtomicU32,
    started: Mutex<Option<oneshot::Sender<Result<(), String>>>>,
    memory_bytes: AtomicU64,
    cpu_nanos: AtomicU64,
    said: watch::Sender<Option<Exit>>,
}

impl Entry {
    pub(super) fn new(cpu_shares: u32, started: oneshot::Sender<Result<(), String>>) -> Entry {
        Entry {
            cpu_shares: AtomicU32::new(cpu_shares),
            started: Mutex::new(Some(started)),
            memory_bytes: AtomicU64::new(0),
            cpu_nanos: AtomicU64::new(0),
            said: watch::channel(None).0,
        }
    }

    pub(super) fn start(&self, mut result: Result<(), String>) {
        if let Err(message) = &mut result {
            truncate(message, limits::ISOLATED_TEXT_BYTES);
            // Nothing else will be said of it.
            self.end(gone(), Usage::default());
        }
        if let Some(started) = self.started.lock().take() {
            // Who does not wait for it has taken it for granted.
            let _ = started.send(result);
        }
    }

    pub(super) fn uses(&self, usage: Usage) {
        self.memory_bytes.store(usage.memory_bytes, Ordering::Relaxed);
        let nanos = u64::try_from(usage.cpu_time.as_nanos()).unwrap_or(u64::MAX);
        // Time that is spent stays spent, whatever is said.
        self.cpu_nanos.fetch_max(nanos, Ordering::Relaxed);
    }

    /// The first word counts.
    pub(super) fn end(&self, exit: Exit, usage: Usage) {
        self.uses(usage);
        self.said.send_if_modified(|said| {
            let first = said.is_none();
            said.get_or_insert_with(|| exit.bounded());
            first
        });
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            memory_bytes: self.memory_bytes.load(Ordering::Relaxed),
            cpu_time: Duration::from_nanos(self.cpu_nanos.load(Ordering::Relaxed)),
        }
    }

    /// Its own shares. A run beside a container has none.
    pub(super) fn cpu_shares(&self) -> u32 {
        self.cpu_shares.load(Ordering::Relaxed)
    }

    pub(super) fn set_cpu_shares(&self, shares: u32) {
        self.cpu_shares.store(shares, Ordering::Relaxed);
    }

    /// The end that was told, once it is.
    pub(super) fn said(&self) -> watch::Receiver<Option<Exit>> {
        self.said.subscribe()
    }
}

/// The end of what nobody will hear of any more.
pub(super) fn gone() -> Exit {
    Exit::sandbox_lost(Exit::CODE_HOST_PANIC, "the process of the pod's sandbox is gone".into())
}
