//! Events, written behind the controllers' backs: telling what was done never delays doing it.
//!
//! Repetitions become one event with a count, and one object may write only so many at once, as client-go has it.
//!
//! Invariant: bounded; what does not fit into the channel is dropped and counted.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Events that may wait to be written.
const CHANNEL: usize = 10_000;
/// Objects remembered for counting repetitions.
const REMEMBERED: usize = 4096;
/// Events one object may write at once. More than client-go's 25, because one ReplicaSet tells of each of its pods.
const BURST: f64 = 100.0;
/// After which an object may write one event more.
const REFILL: Duration = Duration::from_secs(60);

struct Wish {
    component: &'static str,
    about: ObjectReference,
    kind: &'static str,
    reason: &'static str,
    message: String,
}

/// Tells events in the name of one component.
#[derive(Clone)]
pub struct Recorder {
    component: &'static str,
    sender: mpsc::Sender<Wish>,
    dropped: Arc<AtomicU64>,
}

impl Recorder {
    /// The same for another component.
    pub fn named(&self, component: &'static str) -> Recorder {
        Recorder { component, ..self.clone() }
    }

    /// Something went as it should.
    pub fn normal<K: Resource<DynamicType = ()>>(&self, about: &K, reason: &'static str, message: String) {
        self.send(about.object_ref(&()), "Normal", reason, message);
    }

    /// Something did not.
    pub fn warning<K: Resource<DynamicType = ()>>(&self, about: &K, reason: &'static str, message: String) {
        self.send(about.object_ref(&()), "Warning", reason, message);
    }

    /// Something did not, with an object known only by reference.
    pub fn warning_about(&self, about: ObjectReference, reason: &'static str, message: String) {
        self.send(about, "Warning", reason, message);
    }

    fn send(&self, about: ObjectReference, kind: &'static str, reason: &'static str, message: String) {
        let wish = Wish { component: self.component, about, kind, reason, message };
        if self.sender.try_send(wish).is_err() {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "events dropped: the API server takes them too slowly");
            }
        }
    }
}

/// Writes what recorders tell.
pub struct EventWriter {
    client: Client,
    receiver: tokio::sync::Mutex<mpsc::Receiver<Wish>>,
}

impl EventWriter {
    /// A writer, and a recorder to be named by each component.
    pub fn new(client: Client) -> (EventWriter, Recorder) {
        let (sender, receiver) = mpsc::channel(CHANNEL);
        let recorder = Recorder { component: "controller-manager", sender, dropped: Arc::default() };
        (EventWriter { client, receiver: tokio::sync::Mutex::new(receiver) }, recorder)
    }

    /// Writes for as long as it is polled.
    pub async fn run(&self) {
        let mut correlator = Correlator::default();
        let mut receiver = self.receiver.lock().await;
        while let Some(wish) = receiver.recv().await {
            if let Err(error) = self.write(&mut correlator, wish).await {
                tracing::debug!(%error, "event not written");
            }
        }
    }

    async fn write(&self, correlator: &mut Correlator, wish: Wish) -> kube::Result<()> {
        let namespace = wish.about.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let name = wish.about.name.clone().unwrap_or_default();
        let about = (wish.about.uid.clone().unwrap_or_default(), wish.component);
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        match correlator.observe(about, (wish.reason, &wish.message), Instant::now()) {
            Verdict::Drop => Ok(()),
            Verdict::Create(id) => {
                api.create(&PostParams::default(), &event(wish, event_name(&name, id), namespace)).await.map(drop)
            }
            Verdict::Count(id, count) => {
                let patch = json!({"count": count, "lastTimestamp": Time(Timestamp::now())});
                api.patch(&event_name(&name, id), &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
            }
        }
    }
}

fn event_name(object: &str, id: u64) -> String {
    format!("{object}.{id:016x}")
}

fn event(wish: Wish, name: String, namespace: String) -> Event {
    let now = Time(Timestamp::now());
    Event {
        metadata: ObjectMeta { name: Some(name), namespace: Some(namespace), ..ObjectMeta::default() },
        involved_object: wish.about,
        type_: Some(wish.kind.to_owned()),
        reason: Some(wish.reason.to_owned()),
        message: Some(wish.message),
        source: Some(EventSource { component: Some(wish.component.to_owned()), host: None }),
        reporting_component: Some(wish.component.to_owned()),
        first_timestamp: Some(now.clone()),
        last_timestamp: Some(now),
        count: Some(1),
        ..Event::default()
    }
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Create(u64),
    Count(u64, i32),
    Drop,
}

#[derive(Default)]
struct Correlator {
    objects: HashMap<(String, &'static str), Told>,
    last_id: u64,
}

struct Told {
    tokens: f64,
    refilled: Instant,
    reason: &'static str,
    message: String,
    id: u64,
    count: i32,
}

impl Correlator {
    fn observe(
        &mut self,
        about: (String, &'static str),
        (reason, message): (&'static str, &str),
        now: Instant,
    ) -> Verdict {
        if self.objects.len() >= REMEMBERED && !self.objects.contains_key(&about) {
            self.forget_quiet(now);
        }
        self.last_id = u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(0).max(self.last_id + 1);
        let id = self.last_id;
        let fresh = Told { tokens: BURST, refilled: now, reason, message: String::new(), id: 0, count: 0 };
        let told = self.objects.entry(about).or_insert(fresh);
        let refill = now.duration_since(told.refilled).as_secs_f64() / REFILL.as_secs_f64();
        told.tokens = (told.tokens + refill).min(BURST);
        told.refilled = now;
        if told.tokens < 1.0 {
            return Verdict::Drop;
        }
        told.tokens -= 1.0;
        if told.count > 0 && told.reason == reason && told.message == message {
            told.count += 1;
            return Verdict::Count(told.id, told.count);
        }
        (told.reason, told.message, told.id, told.count) = (reason, message.to_owned(), id, 1);
        Verdict::Create(id)
    }

    /// Forgets the quieter half.
    fn forget_quiet(&mut self, now: Instant) {
        let mut ages: Vec<Duration> = self.objects.values().map(|told| now.duration_since(told.refilled)).collect();
        let median = *ages.select_nth_unstable(REMEMBERED / 2).1;
        self.objects.retain(|_, told| now.duration_since(told.refilled) < median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_counted_and_floods_stopped() {
        let (mut correlator, now) = (Correlator::default(), Instant::now());
        let about = || ("u".to_owned(), "c");
        let Verdict::Create(id) = correlator.observe(about(), ("R", "m"), now) else { panic!("first") };
        assert_eq!(correlator.observe(about(), ("R", "m"), now), Verdict::Count(id, 2));
        let more = (0..200).filter(|i| correlator.observe(about(), ("R", &i.to_string()), now) != Verdict::Drop);
        assert_eq!(more.count(), 98);
        assert!(matches!(correlator.observe(("u".to_owned(), "d"), ("R", "m"), now), Verdict::Create(_)));
    }

    #[test]
    fn memory_is_bounded() {
        let (mut correlator, begin) = (Correlator::default(), Instant::now());
        for i in 0..3 * REMEMBERED {
            correlator.observe((i.to_string(), "c"), ("R", "m"), begin + Duration::from_millis(i as u64));
        }
        assert!(correlator.objects.len() <= REMEMBERED);
    }
}
