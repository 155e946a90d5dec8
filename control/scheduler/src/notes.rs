//! Pod conditions and events, written behind the scheduler's back: telling about a decision never delays the next.
//!
//! Invariant: bounded; what does not fit into a queue is dropped and counted.

use crate::pod_info::PodInfo;
use coracle_client::{EventRecorder, Note, Severity};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{EventSource, ObjectReference, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Conditions that may wait to be written: two of a cluster that refuses 5,000 pods a second.
const CHANNEL: usize = 10_000;
/// Conditions written at the same time: few, because bindings come first.
const WRITERS: usize = 2;

/// What a pod is told of not being scheduled, as its condition PodScheduled.
#[derive(Debug)]
struct Unscheduled {
    pod: Arc<PodInfo>,
    reason: &'static str,
    message: String,
}

/// Takes notes without waiting.
#[derive(Debug, Clone)]
pub struct Notes {
    events: EventRecorder,
    conditions: mpsc::Sender<Unscheduled>,
    dropped: Arc<AtomicU64>,
}

impl Notes {
    /// The taker of notes, and the future that writes them until every taker is gone.
    pub fn new(client: Client, component: String) -> (Notes, impl Future<Output = ()>) {
        let (conditions, receiver) = mpsc::channel(CHANNEL);
        let source = EventSource { component: Some(component), host: None };
        let (events, writing) = EventRecorder::new(client.clone(), source);
        let notes = Notes { events, conditions, dropped: Arc::default() };
        let writing = async move {
            futures::join!(writing, write_conditions(client, receiver));
        };
        (notes, writing)
    }

    /// The pod was bound. Told as of the decision: a node may start the pod before the scheduler hears that it is bound,
    /// and the pod's story begins with `Scheduled` all the same.
    pub fn scheduled(&self, pod: &PodInfo, message: String, decided: Timestamp) {
        self.event(pod, Severity::Normal, ("Scheduled", "Binding"), message, decided);
    }

    /// The pod could not be scheduled.
    pub fn failed(&self, pod: &PodInfo, message: String) {
        self.event(pod, Severity::Warning, ("FailedScheduling", "Scheduling"), message, Timestamp::now());
    }

    fn event(
        &self,
        pod: &PodInfo,
        severity: Severity,
        (reason, action): (&'static str, &'static str),
        message: String,
        at: Timestamp,
    ) {
        let subject = Arc::new(ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.name.clone()),
            namespace: Some(pod.namespace.clone()),
            uid: Some(pod.uid.clone()),
            resource_version: pod.resource_version.clone(),
            ..ObjectReference::default()
        });
        self.events.tell(Note { subject, severity, reason, action: Some(action), message, at });
    }

    /// Has the pod's condition PodScheduled be False, or drops that if too many wait.
    pub fn unscheduled(&self, pod: Arc<PodInfo>, reason: &'static str, message: String) {
        if self.conditions.try_send(Unscheduled { pod, reason, message }).is_err() {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "pod conditions are dropped: the API server takes them too slowly");
            }
        }
    }
}

async fn write_conditions(client: Client, receiver: mpsc::Receiver<Unscheduled>) {
    let receiver = tokio::sync::Mutex::new(receiver);
    let writer = || async {
        loop {
            let next = receiver.lock().await.recv().await;
            let Some(next) = next else { return };
            if let Err(error) = write_condition(&client, next).await {
                tracing::debug!(%error, "condition not written");
            }
        }
    };
    futures::future::join_all((0..WRITERS).map(|_| writer())).await;
}

async fn write_condition(client: &Client, Unscheduled { pod, reason, message }: Unscheduled) -> kube::Result<()> {
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
