//! Takes notes without waiting.

use super::writer::Writer;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{EventSource, ObjectReference};
use kube::{Client, Resource};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Queues, each with a writer of its own that has one request under way. What they send together the server writes
/// together: with fewer, ten thousand pods that start are told of half a minute late.
pub(super) const LANES: usize = 8;
/// Notes that wait in all lanes. Ten thousand pods starting leave three each; beyond it notes are dropped.
const WAITING_LIMIT: usize = 32_768;
/// The longest message the API takes.
const MESSAGE_LIMIT_BYTES: usize = 1024;

/// What an event is about: `involvedObject`.
pub type Subject = Arc<ObjectReference>;

/// This object as the subject of events.
pub fn about<K: Resource<DynamicType = ()>>(object: &K) -> Subject {
    Arc::new(object.object_ref(&()))
}

/// Whether something is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Somebody may want to look.
    Warning,
}

impl Severity {
    /// The Event's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Normal => "Normal",
            Severity::Warning => "Warning",
        }
    }
}

/// Something to tell.
#[derive(Debug, Clone)]
pub struct Note {
    /// About whom.
    pub subject: Subject,
    /// How bad it is.
    pub severity: Severity,
    /// One word in CamelCase.
    pub reason: &'static str,
    /// What was done, in one word, by components that say so.
    pub action: Option<&'static str>,
    /// The sentence people read.
    pub message: String,
    /// When it was so, which may be before it is told.
    pub at: Timestamp,
}

/// A note with who told it.
#[derive(Debug)]
pub(super) struct Told {
    pub note: Note,
    pub source: Arc<EventSource>,
}

/// Tells events in the name of one component.
#[derive(Debug, Clone)]
pub struct EventRecorder {
    source: Arc<EventSource>,
    queue: Arc<Queue>,
}

#[derive(Debug)]
struct Queue {
    lanes: [mpsc::Sender<Told>; LANES],
    dropped: AtomicU64,
}

impl EventRecorder {
    /// The recorder, and the work of writing what it takes; that ends when the last recorder is dropped.
    pub fn new(client: Client, source: EventSource) -> (EventRecorder, impl Future<Output = ()> + Send + use<>) {
        let mut writers = Vec::with_capacity(LANES);
        let lanes = std::array::from_fn(|_| {
            let (sender, receiver) = mpsc::channel(WAITING_LIMIT / LANES);
            writers.push(Writer::new(client.clone()).run(receiver));
            sender
        });
        let queue = Arc::new(Queue { lanes, dropped: AtomicU64::new(0) });
        let writing = async {
            futures::future::join_all(writers).await;
        };
        (EventRecorder { source: Arc::new(source), queue }, writing)
    }

    /// The same for another component of this process.
    pub fn named(&self, component: &str) -> EventRecorder {
        let source = EventSource { component: Some(component.to_owned()), host: self.source.host.clone() };
        EventRecorder { source: Arc::new(source), queue: Arc::clone(&self.queue) }
    }

    /// Something went as it should.
    pub fn normal(&self, subject: &Subject, reason: &'static str, message: impl Into<String>) {
        self.tell_now(subject, Severity::Normal, reason, message.into());
    }

    /// Something did not.
    pub fn warning(&self, subject: &Subject, reason: &'static str, message: impl Into<String>) {
        self.tell_now(subject, Severity::Warning, reason, message.into());
    }

    fn tell_now(&self, subject: &Subject, severity: Severity, reason: &'static str, message: String) {
        let at = Timestamp::now();
        self.tell(Note { subject: Arc::clone(subject), severity, reason, action: None, message, at });
    }

    /// Tells what the shorter ways can't.
    pub fn tell(&self, mut note: Note) {
        let Note { subject, reason, message, .. } = &note;
        tracing::debug!(namespace = subject.namespace, name = subject.name, reason, message, "event");
        let lane = lane_of(subject);
        note.message = cut(note.message);
        if self.queue.lanes[lane].try_send(Told { note, source: Arc::clone(&self.source) }).is_err() {
            let dropped = self.queue.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "events are dropped: the API server takes them too slowly");
            }
        }
    }
}

/// One object, one lane: that keeps its events in order.
fn lane_of(subject: &ObjectReference) -> usize {
    let mut hasher = DefaultHasher::new();
    (&subject.namespace, &subject.name).hash(&mut hasher);
    usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0)
}

fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_LIMIT_BYTES {
        let end = message.floor_char_boundary(MESSAGE_LIMIT_BYTES - '…'.len_utf8());
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use kube::client::Body;
    use parking_lot::Mutex;
    use serde_json::Value;

    type Requests = Arc<Mutex<Vec<(http::Method, String, Value)>>>;

    /// An API server that takes everything and answers with what it got; a PATCH of what has expired is a 404.
    fn server(requests: &Requests, expired: bool) -> Client {
        let requests = Arc::clone(requests);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let requests = Arc::clone(&requests);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
                let value: Value = serde_json::from_slice(&body)?;
                requests.lock().push((head.method.clone(), head.uri.path().to_owned(), value));
                let (code, answer) = if head.method == http::Method::PATCH && expired {
                    (404, br#"{"kind":"Status","code":404,"message":"gone","reason":"NotFound"}"#.to_vec())
                } else if head.method == http::Method::PATCH {
                    (200, br#"{"metadata":{},"involvedObject":{}}"#.to_vec())
                } else {
                    (201, body.to_vec())
                };
                let answer = http::Response::builder().status(code).body(Body::from(answer));
                answer.map_err(std::io::Error::other)
            }
        });
        Client::new(service, "default")
    }

    fn pod(name: &str) -> Subject {
        Arc::new(ObjectReference {
            kind: Some("Pod".into()),
            namespace: Some("d".into()),
            name: Some(name.into()),
            uid: Some(name.into()),
            ..ObjectReference::default()
        })
    }

    async fn told(expired: bool, tell: impl FnOnce(&EventRecorder)) -> Vec<(http::Method, String, Value)> {
        let requests = Requests::default();
        let source = EventSource { component: Some("kubelet".into()), host: Some("n1".into()) };
        let (recorder, writing) = EventRecorder::new(server(&requests, expired), source);
        tell(&recorder);
        drop(recorder);
        writing.await;
        std::mem::take(&mut *requests.lock())
    }

    #[tokio::test]
    async fn events_are_created_and_counted_in_order() {
        let requests = told(false, |recorder| {
            recorder.normal(&pod("a"), "Started", "s");
            recorder.warning(&pod("a"), "BackOff", "b");
            recorder.warning(&pod("a"), "BackOff", "b");
            recorder.named("other").warning(&pod("a"), "BackOff", "b");
        })
        .await;
        let verbs: Vec<_> = requests.iter().map(|(method, ..)| method.as_str()).collect();
        assert_eq!(verbs, ["POST", "POST", "PATCH", "POST"]);
        assert_eq!(requests[0].1, "/api/v1/namespaces/d/events");
        let names: Vec<_> = [0, 1, 3].map(|at: usize| requests[at].2["metadata"]["name"].as_str().unwrap()).into();
        assert!(names.is_sorted() && names[0].starts_with("a."), "{names:?}");
        assert_eq!(requests[1].2["type"], "Warning");
        assert_eq!(requests[1].2["source"], serde_json::json!({"component": "kubelet", "host": "n1"}));
        assert!(requests[2].1.ends_with(names[1]));
        assert_eq!(requests[2].2["count"], 2);
        assert_eq!(requests[3].2["reportingComponent"], "other");
    }

    #[tokio::test]
    async fn events_wait_for_a_server_that_is_away_and_not_for_ever() {
        let requests = Requests::default();
        let (there, asked) = (server(&requests, false), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&asked);
        let away = tower::service_fn(move |request: http::Request<Body>| {
            let (there, first) = (there.clone(), count.fetch_add(1, Ordering::Relaxed) == 0);
            async move { if first { Err("connection refused".into()) } else { Ok(there.send(request).await?) } }
        });
        let away = tower::ServiceExt::map_err(away, |error: Box<dyn std::error::Error + Send + Sync>| error);
        let (recorder, writing) = EventRecorder::new(Client::new(away, "default"), EventSource::default());
        let writing = tokio::spawn(writing);
        let at = Timestamp::now() - jiff::SignedDuration::from_hours(2);
        let old = Note { at, ..note("a", "Old") };
        recorder.tell(old);
        recorder.tell(note("a", "New"));
        while requests.lock().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        drop(recorder);
        writing.await.unwrap();
        assert_eq!((requests.lock().len(), asked.load(Ordering::Relaxed)), (1, 2));
        assert_eq!(requests.lock()[0].2["reason"], "New");
    }

    fn note(name: &str, reason: &'static str) -> Note {
        let (subject, message, at) = (pod(name), String::new(), Timestamp::now());
        Note { subject, severity: Severity::Normal, reason, action: None, message, at }
    }

    #[tokio::test]
    async fn an_expired_event_is_written_anew() {
        let requests = told(true, |recorder| (0..2).for_each(|_| recorder.warning(&pod("a"), "BackOff", "b"))).await;
        let verbs: Vec<_> = requests.iter().map(|(method, ..)| method.as_str()).collect();
        assert_eq!(verbs, ["POST", "PATCH", "POST"]);
        assert_eq!(requests[2].2["count"], 1);
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let message = cut("ü".repeat(600));
        assert!(message.len() <= MESSAGE_LIMIT_BYTES && message.ends_with('…'));
    }
}
