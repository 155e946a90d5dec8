//! The task that looks at what is left, and acts.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    candidate::{Candidate, is_critical, rank},
    logs::remove_former_logs,
    message::{REASON, of_shortage},
    observe::Observations,
    signal::Condition,
    state::State,
    storage::exceeded,
    thresholds::{EvictionSettings, Threshold, ThresholdError},
};
use crate::{
    events::{Subject, of_node},
    machine::Machine,
    pods::{EndRequest, KeptPod, LivePod, PodAtHand, subject},
    shared::Shared,
    volumes::VOLUMES_DIR,
};

/// How often is looked (kubelet's `evictionMonitoringPeriod`).
const PERIOD: Duration = Duration::from_secs(10);
/// How long is waited for an evicted pod to be gone before the next look (kubelet `podCleanupTimeout`).
const CLEANUP_WAIT: Duration = Duration::from_secs(30);
/// How often is looked whether it is (kubelet `podCleanupPollFreq`).
const CLEANUP_POLL: Duration = Duration::from_millis(250);
/// What a pod has when the node can't wait (kubelet's `immediateEvictionGracePeriodSeconds`).
const IMMEDIATE: Duration = Duration::from_secs(1);

struct Manager {
    shared: Arc<Shared>,
    machine: Machine,
    data_dir: PathBuf,
    state: State,
    max_grace: Duration,
    node: Subject,
}

/// Looks and acts until `shutdown`.
///
/// # Errors
/// When the settings contradict each other; they are checked before anything is started.
pub fn run_eviction(
    shared: Arc<Shared>,
    machine: Machine,
    data_dir: PathBuf,
    node: &str,
    settings: &EvictionSettings,
    shutdown: CancellationToken,
) -> Result<impl Future<Output = ()> + Send + use<>, ThresholdError> {
    let state = State::new(settings.thresholds()?, settings.pressure_transition_period);
    let max_grace = settings.max_pod_grace_period;
    let mut manager = Manager { shared, machine, data_dir, state, max_grace, node: of_node(node) };
    Ok(async move { manager.run(shutdown).await })
}

impl Manager {
    async fn run(&mut self, shutdown: CancellationToken) {
        loop {
            let evicted = self.look().await;
            let pause = async {
                match evicted.is_empty() {
                    true => tokio::time::sleep(PERIOD).await,
                    false => self.wait_for(&evicted).await,
                }
            };
            if shutdown.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// One look. Returns the UIDs of pods that are to end.
    async fn look(&mut self) -> Vec<String> {
        let Some(observations) = self.observe().await else { return Vec::new() };
        let now = Instant::now();
        let threshold = self.state.observe(&observations, now);
        self.shared.health.set_conditions(self.state.conditions(now));
        let over = self.evict_over_limit();
        let Some(threshold) = threshold.filter(|_| over.is_empty()) else { return over };
        let resource = threshold.signal.resource();
        let message = format!("Attempting to reclaim {resource}");
        self.shared.events.warning(&self.node, "EvictionThresholdMet", message);
        if threshold.signal.condition() == Condition::Disk {
            self.free_disk().await;
            let relieved = self.observe().await.is_some_and(|now| self.state.is_relieved(&now));
            if relieved {
                tracing::info!(resource, "the shortage is over without ending a pod");
                return Vec::new();
            }
        }
        self.evict_one(&threshold, &observations).into_iter().collect()
    }

    async fn observe(&self) -> Option<Observations> {
        let (machine, data_dir) = (self.machine.clone(), self.data_dir.clone());
        tokio::task::spawn_blocking(move || Observations::read(&machine, &data_dir)).await.ok()
    }

    /// Removes images that no pod uses, and logs of runs that are over.
    async fn free_disk(&self) {
        let shared = Arc::clone(&self.shared);
        let freeing = tokio::task::spawn_blocking(move || {
            let live = shared.live.all();
            live.iter().for_each(|pod| remove_former_logs(&pod.dir));
            let in_use: Vec<String> = live.iter().flat_map(|pod| pod.images()).collect();
            if let Err(error) = shared.images.collect_unused(&in_use) {
                tracing::warn!(%error, "unused images could not be removed");
            }
        });
        if let Err(error) = freeing.await {
            tracing::debug!(%error, "the disk was not freed");
        }
    }

    /// Pods that have not ended and are looked for, with what they use.
    fn candidates(&self, wanted: impl Fn(&KeptPod) -> bool) -> Vec<(Candidate, Arc<LivePod>)> {
        let active = self.shared.roster.active().into_iter().filter(|(_, pod)| wanted(pod));
        let candidate = |(uid, pod): (String, Arc<KeptPod>)| {
            let pod = PodAtHand::from(pod);
            let live = self.shared.live.get(&uid)?;
            let used = live.running().into_iter().map(|(name, handle)| (name, handle.usage().memory_bytes));
            Some((Candidate { pod, memory: used.collect(), disk: self.shared.stats.disk(&uid) }, live))
        };
        active.filter_map(candidate).collect()
    }

    /// Ends pods that have more on the disk than they may.
    fn evict_over_limit(&self) -> Vec<String> {
        let over = self.candidates(|pod| pod.limits_storage).into_iter().filter_map(|(candidate, live)| {
            let message = exceeded(&candidate)?;
            self.evict(&candidate, &live, message, IMMEDIATE, "ephemeralpodfs.limit").then(|| live.uid.clone())
        });
        over.collect()
    }

    /// Ends the first pod in the order that may be ended.
    fn evict_one(&self, threshold: &Threshold, observations: &Observations) -> Option<String> {
        let (candidates, live): (Vec<_>, Vec<_>) = self.candidates(|_| true).into_iter().unzip();
        let candidates = rank(candidates, threshold.signal);
        let grace = if threshold.grace.is_zero() { IMMEDIATE } else { self.max_grace.max(IMMEDIATE) };
        let chosen = candidates.iter().find_map(|candidate| {
            let uid = candidate.pod.metadata.uid.as_deref()?;
            let live = live.iter().find(|live| live.uid == uid)?;
            let message = of_shortage(threshold, observations.get(threshold.signal), candidate);
            self.evict(candidate, live, message, grace, threshold.signal.name()).then(|| live.uid.clone())
        });
        if chosen.is_none() {
            tracing::error!(signal = %threshold.signal, "the node is short, and no pod may be ended");
        }
        chosen
    }

    fn evict(&self, candidate: &Candidate, live: &LivePod, message: String, grace: Duration, signal: &str) -> bool {
        if is_critical(&candidate.pod) {
            tracing::error!(pod = live.name, namespace = live.namespace, "a critical pod is not evicted");
            return false;
        }
        self.shared.events.warning(&subject(&candidate.pod, None), REASON, message.clone());
        self.shared.metrics.evicted(signal);
        live.request_end(EndRequest { reason: REASON, message, grace: Some(grace) });
        true
    }

    /// Waits until pods are gone, or have nothing running, have been reported to have ended and their volumes are gone:
    /// what is looked at then is what their end has freed.
    async fn wait_for(&self, uids: &[String]) {
        let has_volumes = |uid: &str| self.shared.live.get(uid).is_some_and(|it| it.dir.join(VOLUMES_DIR).exists());
        let is_over = |uid: &String| self.shared.has_ended(uid) && !has_volumes(uid);
        let deadline = Instant::now() + CLEANUP_WAIT;
        while Instant::now() < deadline && !uids.iter().all(is_over) {
            tokio::time::sleep(CLEANUP_POLL).await;
        }
    }
}
