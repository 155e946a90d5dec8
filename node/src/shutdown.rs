//! Graceful shutdown: the node ends its pods itself, in the order of their priority, before it goes (kubelet's
//! `nodeshutdown`).

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    events::of_node,
    eviction::{CRITICAL_PRIORITY, priority},
    pods::{EndRequest, KeptPod},
    shared::Shared,
};

const REASON: &str = "Terminated";
const MESSAGE: &str = "Pod was terminated in response to imminent node shutdown.";
/// How often is looked whether pods have ended.
const POLL: Duration = Duration::from_millis(20);

/// How long a shutdown may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShutdownGrace {
    /// `--shutdown-grace-period`: in all. Nothing: pods are left in the API as they are, and come back.
    pub total: Duration,
    /// `--shutdown-grace-period-critical-pods`: the part of it for critical pods, which end last.
    pub critical: Duration,
}

/// Critical pods would have more than all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid configuration: shutdownGracePeriodCriticalPods {critical:?} must be <= shutdownGracePeriod {total:?}")]
pub struct GraceError {
    critical: Duration,
    total: Duration,
}

impl ShutdownGrace {
    /// The periods, if they make sense.
    ///
    /// # Errors
    /// When critical pods would have more than all.
    pub fn check(self) -> Result<Self, GraceError> {
        let ShutdownGrace { total, critical } = self;
        if critical > total { Err(GraceError { critical, total }) } else { Ok(self) }
    }

    /// Whether pods are ended at all.
    pub fn is_graceful(self) -> bool {
        !self.total.is_zero()
    }
}

/// Pods that end together, and how long they have.
#[derive(Debug)]
struct Group {
    pods: Vec<(String, Arc<KeptPod>)>,
    period: Duration,
}

/// Ordinary pods, then critical ones.
fn groups(pods: Vec<(String, Arc<KeptPod>)>, grace: ShutdownGrace) -> [Group; 2] {
    let (critical, ordinary) = pods.into_iter().partition(|(_, pod)| priority(&pod.open()) >= CRITICAL_PRIORITY);
    [
        Group { pods: ordinary, period: grace.total.saturating_sub(grace.critical) },
        Group { pods: critical, period: grace.critical },
    ]
}

/// What a pod has of its group's period: its own grace period, if that is shorter.
fn share(pod: &Pod, period: Duration) -> Duration {
    let own = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    own.and_then(|seconds| u64::try_from(seconds).ok()).map_or(period, |own| period.min(Duration::from_secs(own)))
}

/// Ends all pods. Returns when they have ended and the API knows, or their time is over.
pub async fn end_pods(shared: &Shared, node: &str, grace: ShutdownGrace) {
    shared.health.shut_down();
    shared.events.normal(&of_node(node), "Shutdown", "Shutdown manager detected shutdown event");
    for group in groups(shared.roster.active(), grace) {
        for (uid, pod) in &group.pods {
            let Some(live) = shared.live.get(uid) else { continue };
            let grace = Some(share(&pod.open(), group.period));
            live.request_end(EndRequest { reason: REASON, message: MESSAGE.to_owned(), grace });
        }
        let ended = |(uid, _): &(String, Arc<KeptPod>)| shared.roster.get(uid).is_none_or(|pod| pod.has_ended);
        let all_ended = async {
            while !group.pods.iter().all(ended) {
                sleep(POLL).await;
            }
        };
        let begun = Instant::now();
        if timeout(group.period, all_ended).await.is_err() {
            let left = group.pods.iter().filter(|pod| !ended(pod)).count();
            tracing::warn!(left, after = ?begun.elapsed(), "pods did not end in time before the node's shutdown");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(priority: Option<i32>, grace: i64) -> Pod {
        let spec = json!({"containers": [], "priority": priority, "terminationGracePeriodSeconds": grace});
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap()
    }

    #[test]
    fn critical_pods_end_last_and_have_a_time_of_their_own() {
        let seconds = Duration::from_secs;
        let grace = ShutdownGrace { total: seconds(30), critical: seconds(10) }.check().unwrap();
        let pods = vec![
            ("a".to_owned(), KeptPod::of(&pod(None, 5))),
            ("b".to_owned(), KeptPod::of(&pod(Some(2_000_001_000), 60))),
            ("c".to_owned(), KeptPod::of(&pod(Some(1_000_000_000), 60))),
        ];
        let [ordinary, critical] = groups(pods, grace);
        let names = |group: &Group| group.pods.iter().map(|(uid, _)| uid.clone()).collect::<Vec<_>>();
        assert_eq!((names(&ordinary), ordinary.period), (vec!["a".to_owned(), "c".to_owned()], seconds(20)));
        assert_eq!((names(&critical), critical.period), (vec!["b".to_owned()], seconds(10)));
        assert_eq!([share(&pod(None, 5), seconds(20)), share(&pod(None, 60), seconds(20))], [seconds(5), seconds(20)]);
    }

    #[test]
    fn critical_pods_can_not_have_more_than_all() {
        let grace = ShutdownGrace { total: Duration::from_secs(5), critical: Duration::from_secs(6) };
        assert!(grace.check().unwrap_err().to_string().ends_with("6s must be <= shutdownGracePeriod 5s"));
        assert!(!ShutdownGrace::default().is_graceful());
    }
}
