//! What a controller has done that its watch does not show yet.
//!
//! A controller that created pods must not count again before it sees them, or it would create them twice.
//!
//! Invariant: an expectation that is never met is given up after [`PATIENCE`]; the watch is right in the end.

use super::informer::Delta;
use super::key::Key;
use kube::Resource;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// After which the watch is believed again, as in Kubernetes.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Expectations by the key of the object that has them.
#[derive(Default)]
pub struct Expectations(Mutex<HashMap<Key, Expected>>);

struct Expected {
    /// Below zero if creations were seen before they were expected.
    creations: i64,
    deletions: HashSet<String>,
    since: Instant,
}

impl Expectations {
    /// Whether everything expected was seen, so that counting makes sense.
    pub fn satisfied(&self, key: &Key) -> bool {
        self.satisfied_at(key, Instant::now())
    }

    fn satisfied_at(&self, key: &Key, now: Instant) -> bool {
        self.0.lock().get(key).is_none_or(|expected| {
            let met = expected.creations <= 0 && expected.deletions.is_empty();
            met || now.duration_since(expected.since) > PATIENCE
        })
    }

    /// `count` objects are about to be created.
    pub fn expect_creations(&self, key: &Key, count: usize) {
        let creations = i64::try_from(count).unwrap_or(i64::MAX);
        self.0.lock().insert(key.clone(), Expected { creations, deletions: HashSet::new(), since: Instant::now() });
    }

    /// The objects with these uids are about to be deleted.
    pub fn expect_deletions(&self, key: &Key, uids: impl IntoIterator<Item = String>) {
        let deletions = uids.into_iter().collect();
        self.0.lock().insert(key.clone(), Expected { creations: 0, deletions, since: Instant::now() });
    }

    /// An object was seen, or could not be created after all.
    pub fn created(&self, key: &Key, count: usize) {
        if let Some(expected) = self.0.lock().get_mut(key) {
            expected.creations -= i64::try_from(count).unwrap_or(i64::MAX);
        }
    }

    /// An object was seen to go, or could not be deleted after all.
    pub fn deleted(&self, key: &Key, uid: &str) {
        if let Some(expected) = self.0.lock().get_mut(key) {
            expected.deletions.remove(uid);
        }
    }

    /// The watch shows what became of an object of the one with this key.
    pub fn seen<K: Resource>(&self, key: &Key, delta: &Delta<'_, K>) {
        let meta = delta.object().meta();
        if matches!(delta, Delta::Added(_)) {
            self.created(key, 1);
        }
        if matches!(delta, Delta::Deleted(_)) || meta.deletion_timestamp.is_some() {
            self.deleted(key, meta.uid.as_deref().unwrap_or_default());
        }
    }

    /// The object that had them is gone.
    pub fn forget(&self, key: &Key) {
        self.0.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use std::sync::Arc;

    #[test]
    fn met_forgotten_or_given_up() {
        let (expectations, key) = (Expectations::default(), Key::new("ns", "a"));
        assert!(expectations.satisfied(&key));
        expectations.expect_creations(&key, 2);
        expectations.created(&key, 1);
        assert!(!expectations.satisfied(&key));
        expectations.created(&key, 1);
        assert!(expectations.satisfied(&key));
        expectations.expect_deletions(&key, ["u".to_owned()]);
        expectations.deleted(&key, "other");
        assert!(!expectations.satisfied(&key));
        expectations.deleted(&key, "u");
        assert!(expectations.satisfied(&key));
        expectations.expect_creations(&key, 1);
        assert!(!expectations.satisfied(&key));
        assert!(expectations.satisfied_at(&key, Instant::now() + PATIENCE + Duration::from_secs(1)));
    }

    #[test]
    fn what_the_watch_shows_is_no_longer_expected() {
        let (expectations, key) = (Expectations::default(), Key::new("ns", "a"));
        let mut pod = k8s_openapi::api::core::v1::Pod::default();
        pod.metadata.uid = Some("u".to_owned());
        let pod = Arc::new(pod);
        expectations.expect_creations(&key, 1);
        expectations.seen(&key, &Delta::Updated(&pod, &pod));
        assert!(!expectations.satisfied(&key));
        expectations.seen(&key, &Delta::Added(&pod));
        assert!(expectations.satisfied(&key));
        expectations.expect_deletions(&key, ["u".to_owned()]);
        let mut dying = (*pod).clone();
        dying.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        let dying = Arc::new(dying);
        expectations.seen(&key, &Delta::Updated(&pod, &dying));
        assert!(expectations.satisfied(&key), "a pod on its way out is as good as gone");
    }
}
