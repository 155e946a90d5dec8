//! Writes the notes of one lane, one after the other.

use super::correlator::{Correlator, Decision};
use super::recorder::Told;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource as _};
use serde::de::IgnoredAny;
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;

use crate::answer::{is_code, is_unreachable};

/// How soon a server that can't be reached is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long a note waits for the server: the life of an Event (kube-apiserver `--event-ttl`).
const WAIT_LIMIT: SignedDuration = SignedDuration::from_hours(1);

/// See the module's documentation.
pub(super) struct Writer {
    client: Client,
    correlator: Correlator,
    /// The number in the newest event's name.
    last_id: u64,
}

impl Writer {
    /// A writer that remembers nothing yet.
    pub(super) fn new(client: Client) -> Writer {
        Writer { client, correlator: Correlator::new(), last_id: 0 }
    }

    /// Writes until every sender is gone.
    pub(super) async fn run(mut self, mut lane: mpsc::Receiver<Told>) {
        while let Some(mut told) = lane.recv().await {
            let (key, decision) = self.correlator.decide(&mut told);
            let mut written = self.write(&told, &decision).await;
            // A server that is away gets the whole story when it is back, and the lane is bounded.
            while written.as_ref().is_err_and(is_unreachable) && !lane.is_closed() && is_fresh(&told, Timestamp::now())
            {
                tokio::time::sleep(RETRY).await;
                written = self.write(&told, &decision).await;
            }
            match written {
                Ok(Some((name, count))) => self.correlator.remember(key, name, count),
                Ok(None) => {}
                // An Event that could not be written is not worth holding up the next one.
                Err(error) => tracing::debug!(%error, reason = told.note.reason, "event not written"),
            }
        }
    }

    /// The name and the count of the Event that tells of it.
    async fn write(&mut self, told: &Told, decision: &Decision) -> kube::Result<Option<(String, i32)>> {
        match decision {
            Decision::Drop => Ok(None),
            _ if !is_fresh(told, Timestamp::now()) => Ok(None),
            Decision::Create => self.create(told).await.map(|name| Some((name, 1))),
            Decision::Count { name, count } => self.count(told, name.clone(), *count).await.map(Some),
        }
    }

    fn api(&self, told: &Told) -> Api<Event> {
        Api::namespaced(self.client.clone(), namespace(told))
    }

    async fn create(&mut self, told: &Told) -> kube::Result<String> {
        self.last_id = next_id(self.last_id, told.note.at);
        let event = event(told, self.last_id);
        let body = serde_json::to_vec(&event).map_err(kube::Error::SerdeError)?;
        let events = kube::core::Request::new(Event::url_path(&(), Some(namespace(told))));
        let request = events.create(&PostParams::default(), body).map_err(kube::Error::BuildRequest)?;
        // The answer is the Event as it was stored, of which nothing is new.
        self.client.request::<IgnoredAny>(request).await?;
        Ok(event.metadata.name.unwrap_or_default())
    }

    async fn count(&mut self, told: &Told, name: String, count: i32) -> kube::Result<(String, i32)> {
        // The message too: that of an event combined from similar ones is the newest one's.
        let patch = json!({"count": count, "lastTimestamp": Time(told.note.at), "message": told.note.message});
        match self.api(told).patch(&name, &PatchParams::default(), &Patch::Strategic(patch)).await {
            Ok(_) => Ok((name, count)),
            // Events have a lifetime; this one's is over.
            Err(error) if is_code(&error, 404) => Ok((self.create(told).await?, 1)),
            Err(error) => Err(error),
        }
    }
}

/// Whether somebody may still want to hear of it.
fn is_fresh(told: &Told, now: Timestamp) -> bool {
    now.duration_since(told.note.at) < WAIT_LIMIT
}

/// Events about what has no namespace are in `default`.
fn namespace(told: &Told) -> &str {
    told.note.subject.namespace.as_deref().unwrap_or("default")
}

/// Unique and growing, from the clock, as Kubernetes names its events: lists, which are in the order of names, then
/// tell an object's story in the order in which it happened.
fn next_id(last: u64, at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0).max(last + 1)
}

fn event(told: &Told, id: u64) -> Event {
    let (note, source) = (&told.note, &told.source);
    let object = note.subject.name.as_deref().unwrap_or_default();
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{object}.{id:016x}")),
            namespace: Some(namespace(told).to_owned()),
            ..ObjectMeta::default()
        },
        involved_object: (*note.subject).clone(),
        type_: Some(note.severity.as_str().to_owned()),
        reason: Some(note.reason.to_owned()),
        action: note.action.map(str::to_owned),
        message: Some(note.message.clone()),
        source: Some((**source).clone()),
        reporting_component: source.component.clone(),
        reporting_instance: source.host.clone().or_else(|| source.component.clone()),
        count: Some(1),
        first_timestamp: Some(Time(note.at)),
        last_timestamp: Some(Time(note.at)),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;

    #[test]
    fn names_are_in_the_order_of_events_even_when_the_clock_stands_still() {
        let now = Timestamp::now();
        let first = next_id(0, now);
        let second = next_id(first, now);
        assert!(first < second && second < next_id(second, now + 1.seconds()));
    }
}
