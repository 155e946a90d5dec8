//! Events and pod conditions, written behind the scheduler's back: telling about a decision never delays the next.
//!
//! Repeated events about one pod become one event with a count, and a pod that fails again and again may write only
//! so many ([`BURST`], then one per [`REFILL`]), as client-go's correlator does.
//!
//! Invariant: bounded; what does not fit into the channel is dropped and counted.

use crate::pod_info::PodInfo;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Notes that may wait to be written. A cluster that binds 5,000 pods a second fills it in two.
const CHANNEL: usize = 10_000;
/// Notes written at the same time: few, because bindings come first.
const WRITERS: usize = 2;
/// Objects remembered for counting repetitions.
const REMEMBERED: usize = 4096;
/// Events one object may write at once.
const BURST: f64 = 25.0;
/// After which an object may write one event more.
const REFILL: Duration = Duration::from_secs(5 * 60);

/// Something to write about a pod.
#[derive(Debug)]
pub enum Note {
    /// An event.
    Event {
        /// About this pod.
        pod: Arc<PodInfo>,
        /// `Normal` or `Warning`.
        kind: &'static str,
        /// `Scheduled`, `FailedScheduling`.
        reason: &'static str,
        /// The sentence people read.
        message: String,
        /// When it was so. A binding counts from its decision: a node may start the pod before the scheduler hears
        /// that it is bound, and the pod's story begins with `Scheduled` all the same.
        at: Timestamp,
    },
    /// The pod's condition PodScheduled is False.
    Condition {
        /// Of this pod.
        pod: Arc<PodInfo>,
        /// `Unschedulable`, `SchedulingGated`.
        reason: &'static str,
        /// The sentence people read.
        message: String,
    },
}

/// Takes notes without waiting.
#[derive(Debug, Clone)]
pub struct Notes {
    sender: mpsc::Sender<Note>,
    dropped: Arc<AtomicU64>,
}

impl Notes {
    /// The taker of notes, and the future that writes them until every taker is gone.
    pub fn new(client: Client, component: String) -> (Notes, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::channel(CHANNEL);
        let notes = Notes { sender, dropped: Arc::default() };
        (notes, write_all(client, component, receiver))
    }

    /// Takes a note, or drops it if too many wait.
    pub fn take(&self, note: Note) {
        if self.sender.try_send(note).is_err() {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "events dropped: the API server takes them too slowly");
            }
        }
    }
}

async fn write_all(client: Client, component: String, receiver: mpsc::Receiver<Note>) {
    let receiver = tokio::sync::Mutex::new(receiver);
    let correlator = parking_lot::Mutex::new(Correlator::default());
    let writer = || async {
        loop {
            let note = receiver.lock().await.recv().await;
            let Some(note) = note else { return };
            if let Err(error) = write(&client, &component, &correlator, note).await {
                tracing::debug!(%error, "event or condition not written");
            }
        }
    };
    futures::future::join_all((0..WRITERS).map(|_| writer())).await;
}

async fn write(
    client: &Client,
    component: &str,
    correlator: &parking_lot::Mutex<Correlator>,
    note: Note,
) -> kube::Result<()> {
    match note {
        Note::Condition { pod, reason, message } => write_condition(client, &pod, reason, message).await,
        Note::Event { pod, kind, reason, message, at } => {
            let verdict = correlator.lock().observe(&pod.uid, (reason, &message, at), Instant::now());
            let api: Api<Event> = Api::namespaced(client.clone(), &pod.namespace);
            match verdict {
                Verdict::Drop => Ok(()),
                Verdict::Create(id) => {
                    let event = event(component, &pod, id, (kind, reason, message, at));
                    api.create(&PostParams::default(), &event).await.map(drop)
                }
                Verdict::Count(id, count) => {
                    let name = event_name(&pod.name, id);
                    let patch = json!({"count": count, "lastTimestamp": Time(at)});
                    api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
                }
            }
        }
    }
}

async fn write_condition(client: &Client, pod: &PodInfo, reason: &str, message: String) -> kube::Result<()> {
    let condition = PodCondition {
        type_: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_transition_time: Some(Time(Timestamp::now())),
        ..PodCondition::default()
    };
    let patch = json!({"metadata": {"uid": pod.uid}, "status": {"conditions": [condition]}});
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    api.patch_status(&pod.name, &PatchParams::default(), &Patch::Strategic(patch)).await.map(drop)
}

fn event(
    component: &str,
    pod: &PodInfo,
    id: u64,
    (kind, reason, message, at): (&str, &str, String, Timestamp),
) -> Event {
    Event {
        metadata: ObjectMeta {
            name: Some(event_name(&pod.name, id)),
            namespace: Some(pod.namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.name.clone()),
            namespace: Some(pod.namespace.clone()),
            uid: Some(pod.uid.clone()),
            resource_version: pod.resource_version.clone(),
            ..ObjectReference::default()
        },
        action: Some(if reason == "Scheduled" { "Binding" } else { "Scheduling" }.to_owned()),
        type_: Some(kind.to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(message),
        source: Some(EventSource { component: Some(component.to_owned()), host: None }),
        reporting_component: Some(component.to_owned()),
        reporting_instance: Some(component.to_owned()),
        first_timestamp: Some(Time(at)),
        last_timestamp: Some(Time(at)),
        count: Some(1),
        ..Event::default()
    }
}

fn event_name(pod: &str, id: u64) -> String {
    format!("{pod}.{id:016x}")
}

/// What is to become of an event.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// Written as a new object with this number in its name.
    Create(u64),
    /// The same as the earlier one with this number: that object gets this count.
    Count(u64, i32),
    /// The object has written too many.
    Drop,
}

/// Counts repetitions and limits what one object may write.
#[derive(Debug, Default)]
struct Correlator {
    objects: HashMap<String, Written>,
}

#[derive(Debug)]
struct Written {
    tokens: f64,
    refilled: Instant,
    last: (&'static str, String),
    id: u64,
    count: i32,
}

impl Correlator {
    fn observe(&mut self, uid: &str, (reason, message, at): (&'static str, &str, Timestamp), now: Instant) -> Verdict {
        self.make_room(now);
        let written = self.objects.entry(uid.to_owned()).or_insert_with(|| Written {
            tokens: BURST,
            refilled: now,
            last: (reason, String::new()),
            id: 0,
            count: 0,
        });
        let refill = now.duration_since(written.refilled).as_secs_f64() / REFILL.as_secs_f64();
        written.tokens = (written.tokens + refill).min(BURST);
        written.refilled = now;
        if written.tokens < 1.0 {
            return Verdict::Drop;
        }
        written.tokens -= 1.0;
        if written.count > 0 && written.last.0 == reason && written.last.1 == message {
            written.count += 1;
            return Verdict::Count(written.id, written.count);
        }
        // From the clock, as Kubernetes names its events, and growing with each event of the pod.
        let id = u64::try_from(at.as_nanosecond()).unwrap_or(0).max(written.id + 1);
        (written.last, written.id, written.count) = ((reason, message.to_owned()), id, 1);
        Verdict::Create(id)
    }

    /// Forgets the objects that have been quiet for longest, when too many are remembered.
    fn make_room(&mut self, now: Instant) {
        if self.objects.len() < REMEMBERED {
            return;
        }
        let mut ages: Vec<Duration> = self.objects.values().map(|w| now.duration_since(w.refilled)).collect();
        let (_, median, _) = ages.select_nth_unstable(REMEMBERED / 2);
        let median = *median;
        self.objects.retain(|_, w| now.duration_since(w.refilled) < median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_counted() {
        let (mut correlator, now) = (Correlator::default(), Instant::now());
        let failed = |message| ("FailedScheduling", message, Timestamp::UNIX_EPOCH);
        let Verdict::Create(id) = correlator.observe("u", failed("full"), now) else { panic!() };
        assert_eq!(correlator.observe("u", failed("full"), now), Verdict::Count(id, 2));
        assert_eq!(correlator.observe("u", failed("full"), now), Verdict::Count(id, 3));
        assert!(matches!(correlator.observe("u", failed("other"), now), Verdict::Create(next) if next > id));
        assert!(matches!(correlator.observe("v", failed("full"), now), Verdict::Create(_)));
    }

    #[test]
    fn events_are_named_by_the_time_they_tell_of() {
        let (mut correlator, now) = (Correlator::default(), Instant::now());
        let at = |second| ("Scheduled", "m", Timestamp::from_second(second).unwrap());
        assert_eq!(correlator.observe("u", at(9), now), Verdict::Create(9_000_000_000));
        assert_eq!(correlator.observe("v", at(5), now), Verdict::Create(5_000_000_000), "written later, was earlier");
    }

    #[test]
    fn one_object_can_not_flood() {
        let (mut correlator, now) = (Correlator::default(), Instant::now());
        let written = (0..100)
            .filter(|i| correlator.observe("u", ("R", &i.to_string(), Timestamp::UNIX_EPOCH), now) != Verdict::Drop)
            .count();
        assert_eq!(written, 25);
        assert_ne!(correlator.observe("u", ("R", "later", Timestamp::UNIX_EPOCH), now + REFILL), Verdict::Drop);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut correlator, begin) = (Correlator::default(), Instant::now());
        for i in 0..3 * REMEMBERED {
            let now = begin + Duration::from_millis(i as u64);
            correlator.observe(&i.to_string(), ("R", "m", Timestamp::UNIX_EPOCH), now);
        }
        assert!(correlator.objects.len() <= REMEMBERED);
    }
}
