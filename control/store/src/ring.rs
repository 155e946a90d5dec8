//! The history: the newest events, bounded in number and bytes, and the topics that watchers read them by.
//! The state machine publishes here after it has published the state; watchers read at their own pace.
//!
//! Invariant: whoever sees an event finds the object in the published state at that revision or a later one.
//! Invariant: events of one transaction are kept or dropped together.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::event::Event;
use crate::key::{Scope, WatchScope};
use crate::state::{Snapshot, State};
use crate::topic::{End, Feed, Index, Topic, matches};
use crate::watch::{Expired, Watch, WatchError};

/// Pages of one consistent list are read one after another; this many lists are remembered between pages.
const PAST_LISTS: usize = 8;

/// The bounds of the history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

/// The history and its readers.
pub(crate) struct Ring {
    inner: Mutex<Inner>,
    /// Everything up to this revision is in the topics.
    published: AtomicU64,
    /// Told when topics have something to wake their watchers for.
    dirty: Notify,
    watchers: AtomicU64,
    watcher_ids: AtomicU64,
}

struct Inner {
    limits: Limits,
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// Events above this revision are all here.
    compacted: u64,
    /// The state as of the last event, to compute earlier ones from.
    state: Arc<State>,
    topics: HashMap<Index, Arc<Topic>>,
    to_wake: Vec<Arc<Topic>>,
    past: VecDeque<(Arc<str>, Snapshot)>,
    closed: bool,
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
        let inner = Inner {
            limits,
            events: VecDeque::new(),
            bytes: 0,
            compacted: state.revision,
            state,
            topics: HashMap::new(),
            to_wake: Vec::new(),
            past: VecDeque::new(),
            closed: false,
        };
        let dirty = Notify::new();
        let (watchers, watcher_ids) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { inner: Mutex::new(inner), published, dirty, watchers, watcher_ids }
    }

    /// Adds events in order; `state` is the state after them.
    pub(crate) fn publish(&self, events: Vec<Arc<Event>>, state: Arc<State>) {
        let mut inner = self.inner.lock();
        for event in events {
            inner.push(event);
        }
        inner.trim();
        let revision = state.revision;
        inner.state = state;
        self.published.store(revision, Ordering::Release);
        let wake = !inner.to_wake.is_empty();
        drop(inner);
        if wake {
            self.dirty.notify_one();
        }
    }

    /// Forgets everything and starts again at `state`, which has come from elsewhere: watchers must list again.
    pub(crate) fn restart(&self, state: Arc<State>) {
        let mut inner = self.inner.lock();
        inner.events.clear();
        inner.past.clear();
        inner.bytes = 0;
        inner.compacted = state.revision;
        self.published.store(state.revision, Ordering::Release);
        inner.state = state;
        let topics = std::mem::take(&mut inner.topics);
        drop(inner);
        topics.into_values().for_each(|topic| topic.end(End::Expired));
    }

    /// Ends all watches, now and in future.
    pub(crate) fn close(&self) {
        let mut inner = self.inner.lock();
        inner.closed = true;
        let topics = std::mem::take(&mut inner.topics);
        drop(inner);
        topics.into_values().for_each(|topic| topic.end(End::Closed));
        self.dirty.notify_one();
    }

    /// Wakes watchers whenever there is something for them, until the ring is closed. A task of its own, so
    /// that a write does not wait for a thousand wake-ups.
    pub(crate) async fn herald(&self) {
        loop {
            let (topics, closed) = {
                let mut inner = self.inner.lock();
                (std::mem::take(&mut inner.to_wake), inner.closed)
            };
            topics.iter().for_each(|topic| topic.wake());
            if closed {
                return;
            }
            self.dirty.notified().await;
        }
    }

    /// Starts a watch of the events above `from`.
    pub(crate) fn watch(self: &Arc<Self>, scope: WatchScope, from: u64) -> Result<Watch, WatchError> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(WatchError::Closed);
        }
        if from < inner.compacted {
            return Err(WatchError::Expired(Expired { requested: from, oldest: inner.compacted }));
        }
        let topic = inner.topic(Index::of_watch(&scope), from);
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
            let inner = self.inner.lock();
            if revision < inner.compacted || revision > inner.state.revision {
                return Err(Expired { requested: revision, oldest: inner.compacted });
            }
            if let Some(known) = inner.past_list(scope, revision) {
                return Ok(known);
            }
            (inner.state.clone(), inner.since(revision, &scope.resource))
        };
        // Not under the lock: undoing a long history must not keep the writers waiting.
        let past = Snapshot::new(revision, None, state.table_before(&scope.resource, later.iter()));
        let mut inner = self.inner.lock();
        if revision >= inner.compacted {
            inner.past.truncate(PAST_LISTS - 1);
            inner.past.push_front((scope.resource.clone(), past.clone()));
        }
        Ok(past.narrowed(scope.namespace.clone()))
    }

    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    /// The oldest revision a watch can start from.
    pub(crate) fn compacted(&self) -> u64 {
        self.inner.lock().compacted
    }

    pub(crate) fn depth(&self) -> Depth {
        let inner = self.inner.lock();
        let watchers = self.watchers.load(Ordering::Relaxed);
        Depth { events: inner.events.len(), bytes: inner.bytes, compacted: inner.compacted, watchers }
    }

    /// Forgets a watcher that is gone, and its topic if it was the last.
    pub(crate) fn leave(&self, topic: &Arc<Topic>, id: u64) {
        self.watchers.fetch_sub(1, Ordering::Relaxed);
        let mut inner = self.inner.lock();
        let mut feed = topic.feed.lock();
        feed.wakers.remove(&id);
        feed.watchers -= 1;
        // A topic that `restart` ended is no longer the one in the table.
        if feed.watchers == 0 && inner.topics.get(&topic.index).is_some_and(|known| Arc::ptr_eq(known, topic)) {
            inner.topics.remove(&topic.index);
        }
    }
}

impl Inner {
    fn push(&mut self, event: Arc<Event>) {
        self.bytes += event.cost_bytes();
        let (topics, to_wake) = (&self.topics, &mut self.to_wake);
        if !topics.is_empty() {
            Index::each_of_event(&event, |index| {
                let Some(topic) = topics.get(&index) else { return };
                let mut feed = topic.feed.lock();
                feed.events.push_back(event.clone());
                if !std::mem::replace(&mut feed.dirty, true) {
                    to_wake.push(topic.clone());
                }
            });
        }
        self.events.push_back(event);
    }

    /// Drops the oldest transactions until the history is within its bounds.
    fn trim(&mut self) {
        while self.events.len() > self.limits.events || self.bytes > self.limits.bytes {
            let Some(revision) = self.events.front().map(|event| event.revision) else { return };
            while self.events.front().is_some_and(|event| event.revision == revision) {
                self.drop_oldest();
            }
            self.compacted = revision;
        }
        let compacted = self.compacted;
        self.past.retain(|(_, past)| past.revision >= compacted);
    }

    fn drop_oldest(&mut self) {
        let Some(event) = self.events.pop_front() else { return };
        self.bytes -= event.cost_bytes();
        let topics = &self.topics;
        if !topics.is_empty() {
            Index::each_of_event(&event, |index| {
                if let Some(topic) = topics.get(&index) {
                    topic.feed.lock().trim(&event);
                }
            });
        }
    }

    /// A list of the past that was computed for an earlier page.
    fn past_list(&self, scope: &Scope, revision: u64) -> Option<Snapshot> {
        let wanted = |(resource, past): &&(Arc<str>, Snapshot)| past.revision == revision && *resource == scope.resource;
        self.past.iter().find(wanted).map(|(_, past)| past.clone().narrowed(scope.namespace.clone()))
    }

    /// The events of `resource` above `revision`, the newest first.
    fn since(&self, revision: u64, resource: &Arc<str>) -> Vec<Arc<Event>> {
        let later = self.events.iter().rev().take_while(|event| event.revision > revision);
        later.filter(|event| event.record.key.resource == *resource).cloned().collect()
    }

    /// The topic for `index`, reaching back at least to `from`.
    fn topic(&mut self, index: Index, from: u64) -> Arc<Topic> {
        let newest = self.state.revision;
        let topic = self.topics.entry(index.clone()).or_insert_with(|| Arc::new(Topic::new(index, newest))).clone();
        let mut feed = topic.feed.lock();
        if from < feed.since {
            let older = self.between(&topic.index, from, &feed);
            feed.extend_back(older, from);
        }
        drop(feed);
        topic
    }

    /// The kept events under `index` above `from` that `feed` does not reach back to.
    fn between(&self, index: &Index, from: u64, feed: &Feed) -> Vec<Arc<Event>> {
        let start = self.events.partition_point(|event| event.revision <= from);
        let end = self.events.partition_point(|event| event.revision <= feed.since);
        let delivered = |event: &Event| {
            let mut found = false;
            Index::each_of_event(event, |other| found |= other == *index);
            found
        };
        self.events.range(start..end.max(start)).filter(|event| delivered(event)).cloned().collect()
    }
}

/// Whether `event` is for a watch of `scope` above `from`; an index only narrows it down.
pub(crate) fn wanted(scope: &WatchScope, from: u64, event: &Event) -> bool {
    event.revision > from && matches(scope, event)
}

#[cfg(test)]
mod tests;
