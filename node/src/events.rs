//! Events about pods and the node: what happened, in the words users search for.
//!
//! Recording never waits: a bounded queue takes the note, one task writes it. What happens again is counted on the
//! same Event, and an object that has too much to say is cut short, as by client-go's event correlator.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::sync::mpsc;

use crate::recent::RecentMap;

/// Notes that wait to be written. Ten thousand pods starting leave three each; beyond it notes are dropped.
const QUEUE_LIMIT: usize = 32_768;
/// Events remembered so that repetitions are counted on them (client-go's correlator cache).
const REMEMBERED_EVENTS: usize = 4_096;
/// Objects whose rate is remembered.
const REMEMBERED_OBJECTS: usize = 4_096;
/// Events one object may have in a burst (client-go's `defaultSpamBurst`).
const BURST: f64 = 25.0;
/// Seconds until it may have one more (client-go's `defaultSpamQPS` is 1/300).
const SECONDS_PER_EVENT: f64 = 300.0;
/// The longest message the API takes.
const MESSAGE_LIMIT_BYTES: usize = 1024;
/// Who reports.
const COMPONENT: &str = "kubelet";

/// What an event is about: `involvedObject`, made once for each pod and container.
pub type Subject = Arc<ObjectReference>;

/// Whether something is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Somebody may want to look.
    Warning,
}

/// The node as the subject of events. Its uid is its name, as kubelet has it, so that a node that registers anew
/// keeps its story.
pub fn of_node(name: &str) -> Subject {
    Arc::new(ObjectReference {
        kind: Some("Node".to_owned()),
        name: Some(name.to_owned()),
        uid: Some(name.to_owned()),
        ..ObjectReference::default()
    })
}

struct Note {
    subject: Subject,
    severity: Severity,
    reason: &'static str,
    message: String,
    at: Timestamp,
}

/// Takes notes; see the module.
pub struct EventRecorder {
    queue: mpsc::Sender<Note>,
    dropped: AtomicU64,
}

impl EventRecorder {
    /// The recorder, and the work of writing what it takes; that ends when the recorder is dropped.
    pub fn new(client: Client, node: &str) -> (EventRecorder, impl Future<Output = ()> + Send + use<>) {
        let (queue, notes) = mpsc::channel(QUEUE_LIMIT);
        let source = EventSource { component: Some(COMPONENT.to_owned()), host: Some(node.to_owned()) };
        let writer = Writer { client, source, memory: Memory::new(), last_id: 0 };
        (EventRecorder { queue, dropped: AtomicU64::new(0) }, writer.run(notes))
    }

    /// Notes that something went as it should.
    pub fn normal(&self, subject: &Subject, reason: &'static str, message: impl Into<String>) {
        self.record(subject, Severity::Normal, reason, message.into());
    }

    /// Notes that something didn't go as it should.
    pub fn warning(&self, subject: &Subject, reason: &'static str, message: impl Into<String>) {
        self.record(subject, Severity::Warning, reason, message.into());
    }

    fn record(&self, subject: &Subject, severity: Severity, reason: &'static str, message: String) {
        tracing::debug!(namespace = subject.namespace, name = subject.name, reason, message, "event");
        let note = Note { subject: Arc::clone(subject), severity, reason, message: cut(message), at: Timestamp::now() };
        if self.queue.try_send(note).is_err() && self.dropped.fetch_add(1, Ordering::Relaxed).is_power_of_two() {
            tracing::warn!(
                dropped = self.dropped.load(Ordering::Relaxed),
                "events are dropped: the API server is slow"
            );
        }
    }
}

fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_LIMIT_BYTES {
        let end = message.floor_char_boundary(MESSAGE_LIMIT_BYTES - '…'.len_utf8());
        message.truncate(end);
        message.push('…');
    }
    message
}

struct Writer {
    client: Client,
    source: EventSource,
    memory: Memory,
    /// The number in the newest event's name.
    last_id: u64,
}

impl Writer {
    async fn run(mut self, mut notes: mpsc::Receiver<Note>) {
        while let Some(note) = notes.recv().await {
            let (key, decision) = self.memory.decide(&note);
            let written = match &decision {
                Decision::Drop => continue,
                Decision::Create => self.create(&note).await.map(|name| (name, 1)),
                Decision::Count { name, count } => self.count(&note, name, *count).await,
            };
            match written {
                Ok((name, count)) => self.memory.remember(key, name, count),
                // An Event that could not be written is not worth holding up the next one.
                Err(error) => tracing::debug!(%error, reason = note.reason, "event not written"),
            }
        }
    }

    fn api(&self, note: &Note) -> Api<Event> {
        Api::namespaced(self.client.clone(), note.subject.namespace.as_deref().unwrap_or("default"))
    }

    async fn create(&mut self, note: &Note) -> kube::Result<String> {
        let object = note.subject.name.as_deref().unwrap_or_default();
        self.last_id = next_id(self.last_id, note.at);
        let name = format!("{object}.{:016x}", self.last_id);
        let namespace = note.subject.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let severity = match note.severity {
            Severity::Normal => "Normal",
            Severity::Warning => "Warning",
        };
        let event = Event {
            metadata: ObjectMeta { name: Some(name.clone()), namespace: Some(namespace), ..ObjectMeta::default() },
            involved_object: (*note.subject).clone(),
            reason: Some(note.reason.to_owned()),
            message: Some(note.message.clone()),
            type_: Some(severity.to_owned()),
            source: Some(self.source.clone()),
            reporting_component: Some(COMPONENT.to_owned()),
            reporting_instance: self.source.host.clone(),
            count: Some(1),
            first_timestamp: Some(Time(note.at)),
            last_timestamp: Some(Time(note.at)),
            ..Event::default()
        };
        self.api(note).create(&PostParams::default(), &event).await.map(|_| name)
    }

    async fn count(&mut self, note: &Note, name: &str, count: i32) -> kube::Result<(String, i32)> {
        let patch = Patch::Strategic(json!({"count": count, "lastTimestamp": Time(note.at)}));
        match self.api(note).patch(name, &PatchParams::default(), &patch).await {
            Ok(_) => Ok((name.to_owned(), count)),
            // Events have a lifetime; this one's is over.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok((self.create(note).await?, 1)),
            Err(error) => Err(error),
        }
    }
}

/// Unique and growing, from the clock, as Kubernetes names its events: lists, which are in the order of names, then
/// tell an object's story in the order in which it happened.
fn next_id(last: u64, at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0).max(last + 1)
}

/// What was written lately.
struct Memory {
    events: RecentMap<EventKey, (String, i32)>,
    rates: RecentMap<String, Rate>,
}

type EventKey = (String, Severity, &'static str, String);

/// A token bucket.
struct Rate {
    tokens: f64,
    at: Timestamp,
}

#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Create,
    Count { name: String, count: i32 },
    Drop,
}

impl Memory {
    fn new() -> Memory {
        Memory { events: RecentMap::new(REMEMBERED_EVENTS), rates: RecentMap::new(REMEMBERED_OBJECTS) }
    }

    fn decide(&mut self, note: &Note) -> (EventKey, Decision) {
        let uid = note.subject.uid.clone().unwrap_or_default();
        let subject = format!("{uid}{}", note.subject.field_path.as_deref().unwrap_or_default());
        let key = (subject, note.severity, note.reason, note.message.clone());
        if !self.spend(uid, note.at) {
            return (key, Decision::Drop);
        }
        let decision = match self.events.get_mut(&key) {
            Some((name, count)) => Decision::Count { name: name.clone(), count: *count + 1 },
            None => Decision::Create,
        };
        (key, decision)
    }

    fn remember(&mut self, key: EventKey, name: String, count: i32) {
        self.events.insert(key, (name, count));
    }

    fn spend(&mut self, uid: String, now: Timestamp) -> bool {
        let Some(rate) = self.rates.get_mut(&uid) else {
            self.rates.insert(uid, Rate { tokens: BURST - 1.0, at: now });
            return true;
        };
        let elapsed = now.duration_since(rate.at).as_secs_f64().max(0.0);
        rate.tokens = (rate.tokens + elapsed / SECONDS_PER_EVENT).min(BURST);
        rate.at = now;
        let enough = rate.tokens >= 1.0;
        if enough {
            rate.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    fn note(message: &str, at: Timestamp) -> Note {
        let subject = ObjectReference { uid: Some("u".into()), ..ObjectReference::default() };
        let message = message.to_owned();
        Note { subject: Arc::new(subject), severity: Severity::Warning, reason: "BackOff", message, at }
    }

    #[test]
    fn repetitions_are_counted_on_the_same_event() {
        let mut memory = Memory::new();
        let now = Timestamp::now();
        let (key, decision) = memory.decide(&note("a", now));
        assert_eq!(decision, Decision::Create);
        memory.remember(key, "e1".into(), 1);
        assert_eq!(memory.decide(&note("a", now)).1, Decision::Count { name: "e1".into(), count: 2 });
        assert_eq!(memory.decide(&note("b", now)).1, Decision::Create);
    }

    #[test]
    fn names_are_in_the_order_of_events_even_when_the_clock_stands_still() {
        let now = Timestamp::now();
        let first = next_id(0, now);
        let second = next_id(first, now);
        assert!(first < second && second < next_id(second, now + 1.seconds()));
    }

    #[test]
    fn one_object_cannot_flood_the_api() {
        let mut memory = Memory::new();
        let now = Timestamp::now();
        let passed = (0..100).filter(|n| memory.decide(&note(&n.to_string(), now)).1 != Decision::Drop).count();
        assert_eq!(passed, 25);
        let later = now + 301.seconds();
        assert_eq!(memory.decide(&note("later", later)).1, Decision::Create);
        assert_eq!(memory.decide(&note("at once", later)).1, Decision::Drop);
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let message = cut("ü".repeat(600));
        assert!(message.len() <= MESSAGE_LIMIT_BYTES && message.ends_with('…'));
    }
}
