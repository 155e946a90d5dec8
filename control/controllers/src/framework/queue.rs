//! The work queue: keys to reconcile, each at most once at a time.
//!
//! As in client-go, a key added while it is being worked on is worked on again afterwards, a key added twice is worked
//! on once, and failures of a key delay it exponentially.
//!
//! Invariant: bounded by the number of keys; a key is never worked on by two at once.

use super::key::Key;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Delay after the first failure.
const RETRY_INITIAL: Duration = Duration::from_millis(5);
/// Longest delay after failures: client-go's 1,000 s.
const RETRY_MAX: Duration = Duration::from_secs(1000);
/// Failures after which the delay certainly is the longest.
const MAX_DOUBLINGS: u32 = 18;

/// See the module's documentation.
#[derive(Default)]
pub struct WorkQueue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Key>,
    /// To be worked on: in `ready`, or again once the work going on ends.
    dirty: HashSet<Key>,
    working: HashSet<Key>,
    delayed: BTreeMap<(Instant, u64), Key>,
    delayed_until: HashMap<Key, (Instant, u64)>,
    failures: HashMap<Key, u32>,
    seq: u64,
}

impl WorkQueue {
    /// An empty queue.
    pub fn new() -> WorkQueue {
        WorkQueue::default()
    }

    /// Asks for `key` to be worked on.
    pub fn add(&self, key: Key) {
        if self.state.lock().add(key) {
            self.changed.notify_one();
        }
    }

    /// Asks for `key` to be worked on after `delay`; an earlier moment asked for before stands.
    pub fn add_after(&self, key: Key, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        self.state.lock().delay(key, Instant::now() + delay);
        self.changed.notify_one();
    }

    /// Asks for `key` again after a failure.
    pub fn retry(&self, key: Key) {
        let failures = {
            let mut state = self.state.lock();
            let failures = state.failures.entry(key.clone()).or_default();
            *failures = failures.saturating_add(1);
            *failures
        };
        self.add_after(key, retry_delay(failures));
    }

    /// Forgets the failures of `key`.
    pub fn forget(&self, key: &Key) {
        self.state.lock().failures.remove(key);
    }

    /// The next key, once there is one. It is being worked on until [`WorkQueue::done`].
    pub async fn next(&self) -> Key {
        loop {
            let changed = self.changed.notified();
            let wake = {
                let mut state = self.state.lock();
                state.wake(Instant::now());
                if let Some(key) = state.take() {
                    return key;
                }
                state.delayed.keys().next().map(|(at, _)| *at)
            };
            match wake {
                None => changed.await,
                Some(at) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(at) => {}
                },
            }
        }
    }

    /// The work on `key` ended.
    pub fn done(&self, key: &Key) {
        let mut state = self.state.lock();
        state.working.remove(key);
        if state.dirty.contains(key) {
            state.ready.push_back(key.clone());
            drop(state);
            self.changed.notify_one();
        }
    }
}

/// The delay after this many failures in a row.
fn retry_delay(failures: u32) -> Duration {
    RETRY_INITIAL.saturating_mul(1 << failures.saturating_sub(1).min(MAX_DOUBLINGS)).min(RETRY_MAX)
}

impl State {
    /// True if the key is ready now that was not before.
    fn add(&mut self, key: Key) -> bool {
        if !self.dirty.insert(key.clone()) || self.working.contains(&key) {
            return false;
        }
        self.ready.push_back(key);
        true
    }

    fn delay(&mut self, key: Key, until: Instant) {
        if let Some(earlier) = self.delayed_until.get(&key).copied() {
            if earlier.0 <= until {
                return;
            }
            self.delayed.remove(&earlier);
        }
        self.seq += 1;
        let at = (until, self.seq);
        self.delayed.insert(at, key.clone());
        self.delayed_until.insert(key, at);
    }

    fn wake(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let key = entry.remove();
            self.delayed_until.remove(&key);
            self.add(key);
        }
    }

    fn take(&mut self) -> Option<Key> {
        let key = self.ready.pop_front()?;
        self.dirty.remove(&key);
        self.working.insert(key.clone());
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("ns", name)
    }

    #[test]
    fn a_key_is_worked_on_once_at_a_time() {
        let queue = WorkQueue::new();
        let take = || queue.state.lock().take();
        queue.add(key("a"));
        queue.add(key("a"));
        assert_eq!(take(), Some(key("a")));
        assert_eq!(take(), None);
        queue.add(key("a"));
        assert_eq!(take(), None, "it is being worked on");
        queue.done(&key("a"));
        assert_eq!(take(), Some(key("a")));
        queue.done(&key("a"));
        assert_eq!(take(), None);
    }

    #[test]
    fn failures_delay_exponentially_and_success_forgets_them() {
        let delay_after = |failures| retry_delay(failures).as_millis();
        assert_eq!([1, 2, 3, 4].map(delay_after), [5, 10, 20, 40]);
        assert_eq!(retry_delay(60), RETRY_MAX);
        let queue = WorkQueue::new();
        queue.retry(key("a"));
        queue.retry(key("a"));
        assert_eq!(queue.state.lock().failures[&key("a")], 2);
        queue.forget(&key("a"));
        assert!(queue.state.lock().failures.is_empty());
    }

    #[test]
    fn the_earliest_of_several_delays_counts() {
        let (mut state, now) = (State::default(), Instant::now());
        for seconds in [60, 1, 30] {
            state.delay(key("a"), now + Duration::from_secs(seconds));
        }
        state.wake(now);
        assert_eq!(state.take(), None);
        state.wake(now + Duration::from_secs(1));
        assert_eq!(state.take(), Some(key("a")));
        state.wake(now + Duration::from_secs(100));
        assert_eq!(state.take(), None, "the others were the same wish");
    }

    #[tokio::test]
    async fn waiting_ends_when_a_key_is_due() {
        let queue = WorkQueue::new();
        queue.add_after(key("a"), Duration::from_millis(5));
        assert_eq!(tokio::time::timeout(Duration::from_secs(10), queue.next()).await, Ok(key("a")));
        let (next, ()) = tokio::join!(queue.next(), async { queue.add(key("b")) });
        assert_eq!(next, key("b"));
    }
}
