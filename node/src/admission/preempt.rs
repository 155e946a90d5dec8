//! Ends pods for a critical one to have what they asked for.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    pods::{EndRequest, Holder, grace_period, subject},
    shared::Shared,
};

/// `status.reason` of a pod that had to go, and of the event.
pub const PREEMPTING: &str = "Preempting";
/// Its `status.message`.
const MESSAGE: &str = "Preempted in order to admit critical pod";
/// The message of its `DisruptionTarget` condition.
pub const DISRUPTION: &str = "Pod was preempted by Kubelet to accommodate a critical pod.";

/// The least time that is waited for a pod's end; otherwise it is one and a half of its grace period (kubelet's
/// `killPodNow`).
const LEAST_WAIT: Duration = Duration::from_secs(10);
/// How often is looked whether it has ended.
const POLL: Duration = Duration::from_millis(20);

/// Ends the victims; `resource` is what they are ended for. Returns when they have ended, or their time is over: then
/// what they had counts as free all the same.
pub async fn preempt(shared: &Shared, victims: &[Holder], resource: &'static str) {
    for Holder { uid, pod, .. } in victims {
        let Some(live) = shared.live.get(uid) else { continue };
        tracing::info!(pod = live.name, namespace = live.namespace, resource, "a pod makes room for a critical one");
        shared.events.warning(&subject(&pod.open(), None), PREEMPTING, MESSAGE);
        shared.metrics.preempted(resource);
        live.request_end(EndRequest { reason: PREEMPTING, message: MESSAGE.to_owned(), grace: None });
    }
    let longest = victims.iter().map(|it| grace_period(&it.pod.open())).max().unwrap_or_default();
    let deadline = Instant::now() + longest.saturating_add(longest / 2).max(LEAST_WAIT);
    while !victims.iter().all(|it| shared.has_ended(&it.uid)) {
        if Instant::now() >= deadline {
            tracing::warn!(resource, "pods that make room for a critical one did not end in time");
            return;
        }
        sleep(POLL).await;
    }
}
