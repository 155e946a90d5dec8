//! The task that looks: at CPU time every few seconds, at the disk now and then.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    disk::measure,
    sampler::{Look, PERIOD},
};
use crate::{
    machine::{cpu_time, own_cpu_time},
    shared::Shared,
};

/// Looks between two walks of the disk for pods with limits (kubelet looks every 10 s).
const LIMITED_EVERY: u64 = 2;
/// Looks between two walks for all others (kubelet `volumeStatsAggPeriod`, a minute).
const OTHERS_EVERY: u64 = 12;

/// Looks until `shutdown`.
pub async fn run_stats(shared: Arc<Shared>, shutdown: CancellationToken) {
    let mut round: u64 = 0;
    loop {
        let look_at = Arc::clone(&shared);
        // Counters in /proc and directories of pods: quick, but the disk may be slow.
        let looked = tokio::task::spawn_blocking(move || look(&look_at, round)).await;
        if let Err(error) = looked {
            tracing::debug!(%error, "usage is no longer looked at");
            return;
        }
        round += 1;
        if shutdown.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_none() {
            return;
        }
    }
}

fn look(shared: &Shared, round: u64) {
    let live = shared.live.all();
    let pods = live.iter().map(|pod| {
        let used = pod.running().into_iter().map(|(name, handle)| (name, handle.usage().cpu_time)).collect();
        (pod.uid.clone(), used)
    });
    let look = Look { node: cpu_time(), own: own_cpu_time(), pods: pods.collect() };
    shared.stats.take(look, Instant::now());
    for pod in &live {
        let Some(kept) = shared.roster.get(&pod.uid) else { continue };
        let every = if kept.limits_storage { LIMITED_EVERY } else { OTHERS_EVERY };
        // A pod that is new is measured at once.
        if round.is_multiple_of(every) || shared.stats.disk(&pod.uid).is_none() {
            shared.stats.take_disk(&pod.uid, measure(&kept.open(), &pod.dir));
        }
    }
}
