//! The history: the newest events, bounded in number, bytes and age, and the topics that watchers read them by.
//! The state machine publishes here after it has published the state; watchers read at their own pace.
//!
//! Invariant: whoever sees an event finds the object in the published state at that revision or a later one.
//! Invariant: events of one transaction are kept or dropped together.

mod history;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use self::history::History;
use crate::event::Event;
use crate::key::{Scope, WatchScope};
use crate::state::{Snapshot, State};
use crate::topic::{End, Index, Topic, matches};
use crate::watch::{Expired, Watch, WatchError};

/// How often the oldest events are looked at.
const AGEING_PERIOD: Duration = Duration::from_secs(30);

/// The bounds of the history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    pub(crate) age: Duration,
}

/// The history and its readers.
pub(crate) struct Ring {
    history: Mutex<History>,
    /// Everything up to this revision is in the topics.
    published: AtomicU64,
    /// Told when topics have something to wake their watchers for.
    dirty: Notify,
    watchers: AtomicU64,
    watcher_ids: AtomicU64,
}

/// What the history holds now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depth {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    pub(crate) compacted: u64,
    pub(crate) watchers: u64,
}

impl Ring {
    /// An empty history that starts at `state`.
    pub(crate) fn new(limits: Limits, state: Arc<State>) -> Self {
        let published = AtomicU64::new(state.revision);
        let history = Mutex::new(History::new(limits, state));
        let dirty = Notify::new();
        let (watchers, watcher_ids) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { history, published, dirty, watchers, watcher_ids }
    }

    /// Adds events in order; `state` is the state after them.
    pub(crate) fn publish(&self, events: Vec<Arc<Event>>, state: Arc<State>) {
        let mut history = self.history.lock();
        for event in events {
            history.push(event);
        }
        history.trim();
        let revision = state.revision;
        history.state = state;
        self.published.store(revision, Ordering::Release);
        let wake = !history.to_wake.is_empty();
        drop(history);
        if wake {
            self.dirty.notify_one();
        }
    }

    /// Forgets everything and starts again at `state`, which has come from elsewhere: watchers must list again.
    pub(crate) fn restart(&self, state: Arc<State>) {
        let mut history = self.history.lock();
        self.published.store(state.revision, Ordering::Release);
        let topics = history.restart(state);
        drop(history);
        topics.into_values().for_each(|topic| topic.end(End::Expired));
    }

    /// Ends all watches, now and in future.
    pub(crate) fn close(&self) {
        let mut history = self.history.lock();
        history.closed = true;
        let topics = std::mem::take(&mut history.topics);
        drop(history);
        topics.into_values().for_each(|topic| topic.end(End::Closed));
        self.dirty.notify_one();
    }

    /// Wakes watchers whenever there is something for them, until the ring is closed. A task of its own, so
    /// that a write does not wait for a thousand wake-ups. It also lets events grow old that nothing pushes out.
    pub(crate) async fn herald(&self) {
        let mut aged = Instant::now();
        loop {
            let (topics, closed) = {
                let mut history = self.history.lock();
                (std::mem::take(&mut history.to_wake), history.closed)
            };
            topics.iter().for_each(|topic| topic.wake());
            if closed {
                return;
            }
            let _ = tokio::time::timeout(AGEING_PERIOD, self.dirty.notified()).await;
            if aged.elapsed() >= AGEING_PERIOD {
                aged = Instant::now();
                self.history.lock().age(aged);
            }
        }
    }

    /// Starts a watch of the events above `from`.
    pub(crate) fn watch(self: &Arc<Self>, scope: WatchScope, from: u64) -> Result<Watch, WatchError> {
        let mut history = self.history.lock();
        if history.closed {
            return Err(WatchError::Closed);
        }
        if from < history.compacted {
            return Err(WatchError::Expired(Expired { requested: from, oldest: history.compacted }));
        }
        let topic = history.topic(Index::of_watch(&scope), from);
        let id = self.watcher_ids.fetch_add(1, Ordering::Relaxed);
        self.watchers.fetch_add(1, Ordering::Relaxed);
        let position = {
            let mut feed = topic.feed.lock();
            feed.watchers += 1;
            feed.position_after(from)
        };
        Ok(Watch::new(self.clone(), topic, scope, id, position, from))
    }

    /// The objects in `scope` as they were at `revision`: the newest state with later events undone.
    pub(crate) fn list_at(&self, scope: &Scope, revision: u64) -> Result<Snapshot, Expired> {
        let (state, later) = {
            let history = self.history.lock();
            if revision < history.compacted || revision > history.state.revision {
                return Err(Expired { requested: revision, oldest: history.compacted });
            }
            if let Some(known) = history.past_list(scope, revision) {
                return Ok(known);
            }
            (history.state.clone(), history.since(revision, &scope.resource))
        };
        // Not under the lock: undoing a long history must not keep the writers waiting.
        let past = Snapshot::new(revision, None, state.table_before(&scope.resource, later.iter()));
        self.history.lock().remember(scope.resource.clone(), past.clone());
        Ok(past.narrowed(scope.namespace.clone()))
    }

    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    /// The oldest revision a watch can start from.
    pub(crate) fn compacted(&self) -> u64 {
        self.history.lock().compacted
    }

    pub(crate) fn depth(&self) -> Depth {
        let history = self.history.lock();
        let watchers = self.watchers.load(Ordering::Relaxed);
        Depth { events: history.events.len(), bytes: history.bytes, compacted: history.compacted, watchers }
    }

    /// Forgets a watcher that is gone, and its topic if it was the last.
    pub(crate) fn leave(&self, topic: &Arc<Topic>, id: u64) {
        self.watchers.fetch_sub(1, Ordering::Relaxed);
        let mut history = self.history.lock();
        let mut feed = topic.feed.lock();
        feed.wakers.remove(&id);
        feed.watchers -= 1;
        // A topic that `restart` ended is no longer the one in the table.
        if feed.watchers == 0 && history.topics.get(&topic.index).is_some_and(|known| Arc::ptr_eq(known, topic)) {
            history.topics.remove(&topic.index);
        }
    }
}

/// Whether `event` is for a watch of `scope` above `from`; an index only narrows it down.
pub(crate) fn wanted(scope: &WatchScope, from: u64, event: &Event) -> bool {
    event.revision > from && matches(scope, event)
}

#[cfg(test)]
mod tests;
