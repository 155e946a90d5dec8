//! What the ring guards: the kept events, the topics they are delivered through, and lists of the past.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::event::Event;
use crate::key::Scope;
use crate::ring::Limits;
use crate::state::{Snapshot, State};
use crate::topic::{Feed, Index, Topic};

/// Pages of one consistent list are read one after another; this many lists are remembered between pages.
const PAST_LISTS: usize = 8;

/// Everything under the ring's lock.
pub(crate) struct History {
    limits: Limits,
    pub(crate) events: VecDeque<Arc<Event>>,
    pub(crate) bytes: usize,
    /// How far the history had come at these times, the oldest first; one of each [`History::age`].
    marks: VecDeque<(Instant, u64)>,
    /// Events above this revision are all here.
    pub(crate) compacted: u64,
    /// The state as of the last event, to compute earlier ones from.
    pub(crate) state: Arc<State>,
    pub(crate) topics: HashMap<Index, Arc<Topic>>,
    pub(crate) to_wake: Vec<Arc<Topic>>,
    past: VecDeque<(Arc<str>, Snapshot)>,
    pub(crate) closed: bool,
}

impl History {
    /// An empty history that starts at `state`.
    pub(crate) fn new(limits: Limits, state: Arc<State>) -> Self {
        Self {
            limits,
            events: VecDeque::new(),
            bytes: 0,
            marks: VecDeque::new(),
            compacted: state.revision,
            state,
            topics: HashMap::new(),
            to_wake: Vec::new(),
            past: VecDeque::new(),
            closed: false,
        }
    }

    /// Forgets everything and starts again at `state`; returns the topics, which have to be ended.
    pub(crate) fn restart(&mut self, state: Arc<State>) -> HashMap<Index, Arc<Topic>> {
        self.events.clear();
        self.past.clear();
        self.marks.clear();
        self.bytes = 0;
        self.compacted = state.revision;
        self.state = state;
        std::mem::take(&mut self.topics)
    }

    /// Adds the newest event and hands it to its topics.
    pub(crate) fn push(&mut self, event: Arc<Event>) {
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
    pub(crate) fn trim(&mut self) {
        while self.events.len() > self.limits.events || self.bytes > self.limits.bytes {
            let Some(revision) = self.events.front().map(|event| event.revision) else { break };
            self.drop_up_to(revision);
        }
        self.forget_past();
    }

    /// Drops the events that have reached their age.
    pub(crate) fn age(&mut self, now: Instant) {
        self.marks.push_back((now, self.state.revision));
        while let Some(&(then, revision)) = self.marks.front() {
            if now.saturating_duration_since(then) < self.limits.age {
                break;
            }
            self.marks.pop_front();
            self.drop_up_to(revision);
        }
        self.forget_past();
    }

    /// Drops the events up to this revision.
    fn drop_up_to(&mut self, revision: u64) {
        while let Some(oldest) = self.events.front().map(|event| event.revision).filter(|oldest| *oldest <= revision) {
            self.drop_oldest();
            self.compacted = oldest;
        }
    }

    fn forget_past(&mut self) {
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
    pub(crate) fn past_list(&self, scope: &Scope, revision: u64) -> Option<Snapshot> {
        let wanted =
            |(resource, past): &&(Arc<str>, Snapshot)| past.revision == revision && *resource == scope.resource;
        self.past.iter().find(wanted).map(|(_, past)| past.clone().narrowed(scope.namespace.clone()))
    }

    /// Remembers a list of the past for the next page.
    pub(crate) fn remember(&mut self, resource: Arc<str>, past: Snapshot) {
        if past.revision >= self.compacted {
            self.past.truncate(PAST_LISTS - 1);
            self.past.push_front((resource, past));
        }
    }

    /// The events of `resource` above `revision`, the newest first.
    pub(crate) fn since(&self, revision: u64, resource: &Arc<str>) -> Vec<Arc<Event>> {
        let later = self.events.iter().rev().take_while(|event| event.revision > revision);
        later.filter(|event| event.record.key.resource == *resource).cloned().collect()
    }

    /// The topic for `index`, reaching back at least to `from`.
    pub(crate) fn topic(&mut self, index: Index, from: u64) -> Arc<Topic> {
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
