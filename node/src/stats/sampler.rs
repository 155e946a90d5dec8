//! How much CPU everything uses now: two looks at what it has used so far, and the time between them.
//!
//! One task looks for all pods; nothing is kept per container but two numbers.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::disk::PodDisk;

/// How often is looked, and so what averages are over.
pub const PERIOD: Duration = Duration::from_secs(5);

/// CPU time used so far, and the rate at the last look.
#[derive(Debug, Clone, Copy)]
struct Track {
    used: Duration,
    at: Instant,
    nano_cores: Option<u64>,
}

impl Track {
    fn first(used: Duration, at: Instant) -> Track {
        Track { used, at, nano_cores: None }
    }

    /// Another look. Who has used less than before is another one, and begins anew.
    fn next(self, used: Duration, at: Instant) -> Track {
        let span = at.saturating_duration_since(self.at).as_nanos();
        let Some(more) = used.checked_sub(self.used) else { return Track::first(used, at) };
        if span == 0 {
            return self;
        }
        let nano_cores = u64::try_from(more.as_nanos() * 1_000_000_000 / span).unwrap_or(u64::MAX);
        Track { used, at, nano_cores: Some(nano_cores) }
    }
}

/// The looks at one pod.
#[derive(Debug, Default)]
struct PodTrack {
    containers: Vec<(String, Track)>,
    disk: Option<Arc<PodDisk>>,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Sampler {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    node: Option<Track>,
    own: Option<Track>,
    pods: HashMap<String, PodTrack>,
}

/// CPU time used so far: of the machine, of this process, of the containers of pods by UID.
pub struct Look {
    /// The machine's.
    pub node: Duration,
    /// This process's.
    pub own: Duration,
    /// By the pod's UID: names of containers that run, and theirs.
    pub pods: Vec<(String, Vec<(String, Duration)>)>,
}

impl Sampler {
    /// Takes in a look. Pods that it doesn't have are forgotten.
    pub fn take(&self, look: Look, now: Instant) {
        let mut seen = self.seen.lock();
        let next = |track: Option<Track>, used| Some(track.map_or(Track::first(used, now), |it| it.next(used, now)));
        seen.node = next(seen.node, look.node);
        seen.own = next(seen.own, look.own);
        let mut before = std::mem::take(&mut seen.pods);
        seen.pods = look
            .pods
            .into_iter()
            .map(|(uid, containers)| {
                let mut pod = before.remove(&uid).unwrap_or_default();
                let old = std::mem::take(&mut pod.containers);
                let track = |(name, used): (String, Duration)| {
                    let known = old.iter().find(|(known, _)| *known == name).map(|(_, track)| *track);
                    let track = known.map_or(Track::first(used, now), |it| it.next(used, now));
                    (name, track)
                };
                pod.containers = containers.into_iter().map(track).collect();
                (uid, pod)
            })
            .collect();
    }

    /// Takes in what a pod has on the disk.
    pub fn take_disk(&self, uid: &str, disk: PodDisk) {
        if let Some(pod) = self.seen.lock().pods.get_mut(uid) {
            pod.disk = Some(Arc::new(disk));
        }
    }

    /// The machine's rate and this process's, in billionths of a CPU.
    pub fn node(&self) -> (Option<u64>, Option<u64>) {
        let seen = self.seen.lock();
        (seen.node.and_then(|track| track.nano_cores), seen.own.and_then(|track| track.nano_cores))
    }

    /// A container's rate; None until it was looked at twice.
    pub fn container(&self, uid: &str, name: &str) -> Option<u64> {
        let seen = self.seen.lock();
        let containers = &seen.pods.get(uid)?.containers;
        containers.iter().find(|(known, _)| known == name).and_then(|(_, track)| track.nano_cores)
    }

    /// What a pod has on the disk; None until that was measured.
    pub fn disk(&self, uid: &str) -> Option<Arc<PodDisk>> {
        self.seen.lock().pods.get(uid)?.disk.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(node: u64, container: Option<u64>) -> Look {
        let pods = container.map(|millis| ("u".to_owned(), vec![("c".to_owned(), Duration::from_millis(millis))]));
        let own = Duration::ZERO;
        Look { node: Duration::from_millis(node), own, pods: pods.into_iter().collect() }
    }

    #[test]
    fn rates_need_two_looks_and_a_new_run_begins_anew() {
        let (sampler, begin) = (Sampler::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        sampler.take(look(1000, Some(100)), at(0));
        assert_eq!((sampler.node().0, sampler.container("u", "c")), (None, None));
        sampler.take(look(6000, Some(350)), at(5));
        assert_eq!(sampler.node(), (Some(1_000_000_000), Some(0)));
        assert_eq!(sampler.container("u", "c"), Some(50_000_000));
        sampler.take(look(6000, Some(10)), at(10));
        assert_eq!(sampler.container("u", "c"), None);
        sampler.take(look(6000, Some(20)), at(20));
        assert_eq!(sampler.container("u", "c"), Some(1_000_000));
        sampler.take_disk("u", PodDisk::default());
        assert!(sampler.disk("u").is_some());
        sampler.take(look(6000, None), at(25));
        assert!(sampler.container("u", "c").is_none() && sampler.disk("u").is_none());
    }
}
