//! A topic is what watchers of the same thing share: the part of the history that is about it, and who is
//! to be woken when more comes. Topics are why a node agent that watches its own pods never looks at the
//! events of other nodes' pods.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use parking_lot::Mutex;

use crate::event::Event;
use crate::key::WatchScope;
use crate::record::Record;

/// The index under which events are delivered: the most selective one a [`WatchScope`] has.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Index {
    Resource(Arc<str>),
    Namespace(Arc<str>, Arc<str>),
    Name(Arc<str>, Arc<str>),
    Field(Arc<str>, Arc<str>, Arc<str>),
}

impl Index {
    /// The index for a watch.
    pub(crate) fn of_watch(watch: &WatchScope) -> Self {
        let resource = watch.scope.resource.clone();
        match (&watch.name, &watch.field, &watch.scope.namespace) {
            (Some(name), _, _) => Self::Name(resource, name.as_str().into()),
            (None, Some((field, value)), _) => Self::Field(resource, field.as_str().into(), value.as_str().into()),
            (None, None, Some(namespace)) => Self::Namespace(resource, namespace.clone()),
            (None, None, None) => Self::Resource(resource),
        }
    }

    /// Calls `each` for every index that `event` is delivered under, each once.
    pub(crate) fn each_of_event(event: &Event, mut each: impl FnMut(Index)) {
        let key = &event.record.key;
        each(Self::Resource(key.resource.clone()));
        if !key.namespace.is_empty() {
            each(Self::Namespace(key.resource.clone(), key.namespace.clone()));
        }
        each(Self::Name(key.resource.clone(), key.name.clone()));
        let field =
            |(field, value): &(Arc<str>, Arc<str>)| Self::Field(key.resource.clone(), field.clone(), value.clone());
        for pair in &event.record.lifted.fields {
            each(field(pair));
        }
        if let Some(previous) = &event.previous {
            for pair in previous.lifted.fields.iter().filter(|pair| !event.record.lifted.fields.contains(pair)) {
                each(field(pair));
            }
        }
    }
}

/// Whether a watch of `watch` is told of `event`: by what the object is, or by what it was.
pub(crate) fn matches(watch: &WatchScope, event: &Event) -> bool {
    watch.scope.contains(&event.record.key)
        && watch.name.as_deref().is_none_or(|name| *name == *event.record.key.name)
        && watch.field.as_ref().is_none_or(|(field, value)| {
            let has = |record: &Record| record.lifted.field(field) == Some(value);
            has(&event.record) || event.previous.as_deref().is_some_and(has)
        })
}

/// Why no more events come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Closed,
    Expired,
}

/// The events of one topic, for all its watchers.
pub(crate) struct Topic {
    pub(crate) index: Index,
    pub(crate) feed: Mutex<Feed>,
}

/// What a topic holds. Events are numbered from `base`; the numbers mean something only inside the topic.
pub(crate) struct Feed {
    pub(crate) base: u64,
    pub(crate) events: VecDeque<Arc<Event>>,
    /// The feed holds every kept event of its index with a revision above this.
    pub(crate) since: u64,
    pub(crate) end: Option<End>,
    /// How many watchers read it; the last one takes the topic with it.
    pub(crate) watchers: usize,
    /// Whether the topic is on the list of those to be woken.
    pub(crate) dirty: bool,
    /// By watcher, so that polling twice does not add up.
    pub(crate) wakers: HashMap<u64, Waker>,
}

/// Where numbering starts: far from both ends, because older events are put in front for a watcher that
/// starts further back than the ones before it.
const BASE: u64 = 1 << 62;

impl Topic {
    /// An empty topic whose next event is the first above `since`.
    pub(crate) fn new(index: Index, since: u64) -> Self {
        let feed = Feed {
            base: BASE,
            events: VecDeque::new(),
            since,
            end: None,
            watchers: 0,
            dirty: false,
            wakers: HashMap::new(),
        };
        Self { index, feed: Mutex::new(feed) }
    }

    /// Wakes whoever waits. Called outside the publisher, which must not spend a thousand wake-ups per write.
    pub(crate) fn wake(&self) {
        let wakers = {
            let mut feed = self.feed.lock();
            feed.dirty = false;
            std::mem::take(&mut feed.wakers)
        };
        for waker in wakers.into_values() {
            waker.wake();
        }
    }

    /// Ends the topic for everybody.
    pub(crate) fn end(&self, end: End) {
        self.feed.lock().end = Some(end);
        self.wake();
    }
}

impl Feed {
    /// The number of the first event with a revision above `revision`.
    pub(crate) fn position_after(&self, revision: u64) -> u64 {
        self.base + self.events.partition_point(|event| event.revision <= revision) as u64
    }

    /// The number the next event will get.
    pub(crate) fn next(&self) -> u64 {
        self.base + self.events.len() as u64
    }

    /// Puts events that are older than all others in front; `older` is in order.
    pub(crate) fn extend_back(&mut self, older: Vec<Arc<Event>>, since: u64) {
        for event in older.into_iter().rev() {
            self.base -= 1;
            self.events.push_front(event);
        }
        self.since = since;
    }

    /// Drops the oldest event if it is `event`, as the ring just did.
    pub(crate) fn trim(&mut self, event: &Arc<Event>) {
        if self.events.front().is_some_and(|front| Arc::ptr_eq(front, event)) {
            self.events.pop_front();
            self.base += 1;
        }
        self.since = self.since.max(event.revision);
    }
}
