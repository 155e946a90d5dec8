//! The pods that wait to be scheduled.
//!
//! A pod is in one of three places: *active* (next by priority, then by age), *backing off* after a failed attempt, or
//! *unschedulable*, waiting for a change in the cluster that its refusals say could help.
//!
//! Invariant: bounded by the number of pending pods; a pod is in exactly one place.

#[cfg(test)]
mod tests;

use crate::config::SchedulerConfig;
use crate::framework::{ClusterEvent, Profile};
use crate::pod_info::PodInfo;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Doublings after which the back-off certainly is at its maximum; keeps the shift in range.
const MAX_DOUBLINGS: u32 = 16;

/// Orders active pods: priority first, then the order of arrival.
type ActiveKey = (Reverse<i32>, u64);

/// A pod taken from the queue, to be given back with [`Queue::failed`] if it can't be bound.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The pod.
    pub pod: Arc<PodInfo>,
    /// How many attempts came before this one.
    pub earlier: u32,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Queue {
    pods: HashMap<String, Entry>,
    active: BTreeMap<ActiveKey, String>,
    backing_off: BTreeMap<(Instant, u64), String>,
    next_seq: u64,
    backoff_initial: Duration,
    backoff_max: Duration,
    unschedulable_timeout: Duration,
}

#[derive(Debug)]
struct Entry {
    pod: Arc<PodInfo>,
    seq: u64,
    attempts: u32,
    place: Place,
    last_failed: Option<Instant>,
}

#[derive(Debug, Clone)]
enum Place {
    Active,
    BackingOff(Instant),
    /// The filters that refused it, and when it will be tried again all the same.
    Unschedulable(Vec<&'static str>),
    /// Has scheduling gates: only an update of the pod helps.
    Gated,
}

impl Queue {
    /// An empty queue.
    pub fn new(config: &SchedulerConfig) -> Queue {
        Queue {
            pods: HashMap::new(),
            active: BTreeMap::new(),
            backing_off: BTreeMap::new(),
            next_seq: 0,
            backoff_initial: config.backoff_initial,
            backoff_max: config.backoff_max,
            unschedulable_timeout: config.unschedulable_timeout,
        }
    }

    /// Takes in a pending pod, or its new version. An update that scheduling does not look at changes nothing.
    pub fn upsert(&mut self, pod: Arc<PodInfo>) {
        let (mut seq, mut attempts) = (self.next_seq, 0);
        if let Some(entry) = self.pods.get_mut(&pod.uid) {
            if entry.pod.asks_the_same(&pod) {
                entry.pod = pod;
                return;
            }
            (seq, attempts) = (entry.seq, entry.attempts);
            self.remove(&pod.uid);
        } else {
            self.next_seq += 1;
        }
        let place = if pod.gates.is_empty() { Place::Active } else { Place::Gated };
        self.insert(Entry { pod, seq, attempts, place, last_failed: None });
    }

    /// Forgets a pod that was bound, deleted or is somebody else's.
    pub fn remove(&mut self, uid: &str) {
        let Some(entry) = self.pods.remove(uid) else { return };
        match entry.place {
            Place::Active => drop(self.active.remove(&(Reverse(entry.pod.priority), entry.seq))),
            Place::BackingOff(until) => drop(self.backing_off.remove(&(until, entry.seq))),
            Place::Unschedulable(_) | Place::Gated => {}
        }
    }

    /// Forgets the pods that a new list no longer has.
    pub fn retain(&mut self, present: &HashSet<String>) {
        let gone: Vec<String> = self.pods.keys().filter(|uid| !present.contains(*uid)).cloned().collect();
        gone.iter().for_each(|uid| self.remove(uid));
    }

    /// Takes the next pod out, if one is active at `now`.
    pub fn pop(&mut self, now: Instant) -> Option<Attempt> {
        self.wake(now);
        let (_, uid) = self.active.pop_first()?;
        let entry = self.pods.remove(&uid)?;
        Some(Attempt { pod: entry.pod, earlier: entry.attempts })
    }

    /// Whether a pod can be taken now.
    pub fn has_active(&self) -> bool {
        !self.active.is_empty()
    }

    /// Gives back a pod that could not be bound for a reason outside the cluster's state: it backs off.
    pub fn failed(&mut self, attempt: Attempt, now: Instant) {
        let attempts = attempt.earlier + 1;
        let place = Place::BackingOff(now + self.backoff(attempts));
        self.readmit(attempt.pod, attempts, place, now);
    }

    /// Gives back a pod that fits nowhere: it waits for an event that helps the filters that refused it.
    pub fn unschedulable(&mut self, attempt: Attempt, refused: Vec<&'static str>, now: Instant) {
        self.readmit(attempt.pod, attempt.earlier + 1, Place::Unschedulable(refused), now);
    }

    /// Something changed: pods it may help become active, or back off if they failed only just now.
    pub fn cluster_event(&mut self, event: ClusterEvent, profile: &Profile, now: Instant) {
        self.release(now, |refused| refused.is_empty() || profile.could_help(refused, event));
    }

    /// Tries again the pods that have waited for an event for too long.
    pub fn flush_stale(&mut self, now: Instant) {
        let limit = self.unschedulable_timeout;
        let stale: Vec<String> = self
            .pods
            .iter()
            .filter(|(_, e)| matches!(e.place, Place::Unschedulable(_)))
            .filter(|(_, e)| e.last_failed.is_none_or(|at| now.duration_since(at) >= limit))
            .map(|(uid, _)| uid.clone())
            .collect();
        stale.iter().for_each(|uid| self.move_to(uid, Place::Active));
    }

    /// When the next pod stops backing off.
    pub fn next_wake(&self) -> Option<Instant> {
        self.backing_off.keys().next().map(|(at, _)| *at)
    }

    /// How many pods wait.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    fn release(&mut self, now: Instant, helps: impl Fn(&[&'static str]) -> bool) {
        let helped: Vec<(String, Place)> = self
            .pods
            .iter()
            .filter(|(_, entry)| matches!(&entry.place, Place::Unschedulable(refused) if helps(refused)))
            .map(|(uid, entry)| {
                let until = entry.last_failed.map_or(now, |at| at + self.backoff(entry.attempts));
                (uid.clone(), if until <= now { Place::Active } else { Place::BackingOff(until) })
            })
            .collect();
        for (uid, place) in helped {
            self.move_to(&uid, place);
        }
    }

    fn wake(&mut self, now: Instant) {
        while let Some(entry) = self.backing_off.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let uid = entry.remove();
            if let Some(entry) = self.pods.get_mut(&uid) {
                entry.place = Place::Active;
                self.active.insert((Reverse(entry.pod.priority), entry.seq), uid);
            }
        }
    }

    fn readmit(&mut self, pod: Arc<PodInfo>, attempts: u32, place: Place, now: Instant) {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.insert(Entry { pod, seq, attempts, place, last_failed: Some(now) });
    }

    fn move_to(&mut self, uid: &str, place: Place) {
        if let Some(mut entry) = self.pods.remove(uid) {
            entry.place = place;
            self.insert(entry);
        }
    }

    fn insert(&mut self, entry: Entry) {
        let uid = entry.pod.uid.clone();
        match entry.place {
            Place::Active => drop(self.active.insert((Reverse(entry.pod.priority), entry.seq), uid.clone())),
            Place::BackingOff(until) => drop(self.backing_off.insert((until, entry.seq), uid.clone())),
            Place::Unschedulable(_) | Place::Gated => {}
        }
        self.pods.insert(uid, entry);
    }

    fn backoff(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(MAX_DOUBLINGS);
        self.backoff_initial.saturating_mul(1 << doublings).min(self.backoff_max)
    }
}
