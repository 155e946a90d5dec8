//! The pods that wait to be scheduled.
//!
//! A pod is in one of three places: *active* (next by priority, then by age), *backing off* after a failed attempt, or
//! *unschedulable*, waiting for a change in the cluster that its refusals say could help.
//!
//! Invariant: bounded by the number of pending pods; a pod is in exactly one place.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pod;

    fn queue() -> Queue {
        Queue::new(&SchedulerConfig::default())
    }

    fn names(queue: &mut Queue, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| queue.pop(now)).map(|a| a.pod.name.clone()).collect()
    }

    #[test]
    fn priority_then_age() {
        let mut queue = queue();
        for (name, priority) in [("a", 0), ("b", 5), ("c", 0)] {
            queue.upsert(Arc::new(pod(name).priority(priority).build()));
        }
        assert!(queue.has_active());
        assert_eq!(names(&mut queue, Instant::now()), ["b", "a", "c"]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn failures_back_off_from_one_to_ten_seconds() {
        let (mut queue, now) = (queue(), Instant::now());
        let attempt = |earlier| Attempt { pod: Arc::new(pod("p").build()), earlier };
        for (earlier, seconds) in [(0, 1), (1, 2), (3, 8), (4, 10), (40, 10)] {
            queue.failed(attempt(earlier), now);
            assert_eq!(queue.next_wake(), Some(now + Duration::from_secs(seconds)));
            assert!(queue.pop(now).is_none());
            let again = queue.pop(now + Duration::from_secs(seconds)).unwrap();
            assert_eq!(again.earlier, earlier + 1);
        }
    }

    #[test]
    fn only_events_that_help_move_a_pod() {
        let (mut queue, now, profile) = (queue(), Instant::now(), Profile::default());
        queue.unschedulable(Attempt { pod: Arc::new(pod("p").build()), earlier: 0 }, vec!["TaintToleration"], now);
        let later = now + Duration::from_secs(20);
        queue.cluster_event(ClusterEvent::PodRemoved, &profile, later);
        assert!(queue.pop(later).is_none());
        queue.cluster_event(ClusterEvent::NodeChanged, &profile, later);
        assert!(queue.pop(later).is_some());
    }

    #[test]
    fn an_event_right_after_a_failure_waits_for_the_back_off() {
        let (mut queue, now, profile) = (queue(), Instant::now(), Profile::default());
        queue.unschedulable(Attempt { pod: Arc::new(pod("p").build()), earlier: 0 }, vec!["NodeResourcesFit"], now);
        queue.cluster_event(ClusterEvent::PodRemoved, &profile, now);
        assert!(queue.pop(now).is_none());
        assert!(queue.pop(now + Duration::from_secs(1)).is_some());
    }

    #[test]
    fn waiting_pods_are_tried_again_after_five_minutes() {
        let (mut queue, now) = (queue(), Instant::now());
        queue.unschedulable(Attempt { pod: Arc::new(pod("p").build()), earlier: 0 }, vec!["NodeName"], now);
        queue.flush_stale(now + Duration::from_secs(299));
        assert!(!queue.has_active());
        queue.flush_stale(now + Duration::from_secs(300));
        assert!(queue.has_active());
    }

    #[test]
    fn gates_hold_a_pod_until_an_update_lifts_them() {
        let (mut queue, now) = (queue(), Instant::now());
        let mut gated = pod("p").build();
        gated.gates = vec!["example.com/wait".to_owned()];
        queue.upsert(Arc::new(gated));
        assert!(queue.pop(now).is_none());
        queue.upsert(Arc::new(pod("p").build()));
        assert!(queue.pop(now).is_some());
    }

    #[test]
    fn status_updates_do_not_end_a_back_off() {
        let (mut queue, now) = (queue(), Instant::now());
        let waiting = Arc::new(pod("p").build());
        queue.failed(Attempt { pod: waiting, earlier: 0 }, now);
        let mut update = pod("p").build();
        update.condition = Some(("Unschedulable".to_owned(), "x".to_owned()));
        queue.upsert(Arc::new(update));
        assert!(queue.pop(now).is_none());
        let again = queue.pop(now + Duration::from_secs(1)).unwrap();
        assert!(again.pod.condition.is_some(), "the newest version is what is tried");
    }

    #[test]
    fn a_removed_pod_is_nowhere() {
        let (mut queue, now) = (queue(), Instant::now());
        let pod = Arc::new(pod("p").build());
        queue.upsert(pod.clone());
        queue.remove(&pod.uid);
        assert!(queue.pop(now).is_none());
        queue.failed(Attempt { pod, earlier: 0 }, now);
        queue.retain(&HashSet::new());
        assert_eq!((queue.len(), queue.next_wake()), (0, None));
    }
}
