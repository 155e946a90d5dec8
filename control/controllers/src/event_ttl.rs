//! Deletes events that are older than an hour (`--event-ttl`), which a Kubernetes API server does by itself.

use crate::cluster::Cluster;
use crate::framework::{Key, MAX_PARALLEL_WRITES, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use coracle_client::is_code;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use std::sync::Arc;
use std::time::Duration;

/// How often events are looked at; more often if they are kept for less.
const PERIOD: Duration = Duration::from_secs(5 * 60);
/// The shortest pause.
const SHORTEST_PERIOD: Duration = Duration::from_secs(1);
/// Events read at once.
const PAGE: u32 = 500;

/// See the module's documentation.
pub struct EventTtlController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
}

impl EventTtlController {
    /// The controller; its only key is the cluster.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<EventTtlController> {
        let queue = WorkQueue::new();
        if let Some(ttl) = cluster.config.event_ttl {
            queue.add_after(Key::new("", "cluster"), period(ttl));
        }
        Arc::new(EventTtlController { cluster: cluster.clone(), queue })
    }

    async fn delete(&self, event: &Event) -> kube::Result<()> {
        let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<Event> = Api::namespaced(self.cluster.client.clone(), namespace);
        match api.delete(event.metadata.name.as_deref().unwrap_or_default(), &DeleteParams::default()).await {
            Err(error) if !is_code(&error, 404) => Err(error),
            _ => Ok(()),
        }
    }
}

fn period(ttl: Duration) -> Duration {
    ttl.clamp(SHORTEST_PERIOD, PERIOD)
}

/// When the event happened last.
fn last_seen(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|s| s.last_observed_time.as_ref()).map(|t| t.0);
    let times = [
        series,
        event.last_timestamp.as_ref().map(|t| t.0),
        event.event_time.as_ref().map(|t| t.0),
        event.metadata.creation_timestamp.as_ref().map(|t| t.0),
    ];
    times.into_iter().flatten().max()
}

fn is_expired(event: &Event, ttl: Duration, now: Timestamp) -> bool {
    let age = last_seen(event).map(|seen| now.duration_since(seen));
    age.is_some_and(|age| !age.is_negative() && age.unsigned_abs() > ttl)
}

#[async_trait]
impl Reconcile for EventTtlController {
    fn name(&self) -> &'static str {
        "event-ttl"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, _: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(ttl) = self.cluster.config.event_ttl else { return Ok(None) };
        let api: Api<Event> = Api::all(self.cluster.client.clone());
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = api.list(&params).await?;
            let now = Timestamp::now();
            let expired: Vec<Event> = page.items.into_iter().filter(|event| is_expired(event, ttl, now)).collect();
            let deletions = stream::iter(expired).map(|event| async move { self.delete(&event).await });
            let results: Vec<kube::Result<()>> = deletions.buffer_unordered(MAX_PARALLEL_WRITES).collect().await;
            results.into_iter().collect::<kube::Result<()>>()?;
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(Some(period(ttl))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_time_counts() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}, "involvedObject": {},
            "lastTimestamp": "2026-01-01T00:30:00Z",
        }))
        .unwrap();
        let hour = Duration::from_secs(3600);
        assert!(!is_expired(&event, hour, "2026-01-01T01:29:00Z".parse().unwrap()));
        assert!(is_expired(&event, hour, "2026-01-01T01:31:00Z".parse().unwrap()));
        assert!(!is_expired(&event, hour, "2025-01-01T00:00:00Z".parse().unwrap()), "from the future");
    }
}
