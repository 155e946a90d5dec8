//! Answers of the API server that are good for a while.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Answers that are kept, in each cache.
const ENTRIES_LIMIT: usize = 4_096;

/// The last answers.
pub struct Cache<K, V> {
    entries: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// An empty one.
    pub fn new() -> Cache<K, V> {
        Cache { entries: Mutex::new(HashMap::new()) }
    }

    /// The answer, if it is still good.
    pub fn get(&self, key: &K) -> Option<V> {
        let entries = self.entries.lock();
        entries.get(key).filter(|(until, _)| *until > Instant::now()).map(|(_, value)| value.clone())
    }

    /// Keeps an answer. In a full cache those go that are not good any more, and then all: asking again is no harm.
    pub fn put(&self, key: K, value: V, good_for: Duration) {
        let (now, mut entries) = (Instant::now(), self.entries.lock());
        if entries.len() >= ENTRIES_LIMIT {
            entries.retain(|_, (until, _)| *until > now);
        }
        if entries.len() >= ENTRIES_LIMIT {
            entries.clear();
        }
        entries.insert(key, (now + good_for, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_good_for_its_time_and_the_cache_is_bounded() {
        let cache = Cache::new();
        cache.put(0, "kept", Duration::from_secs(60));
        cache.put(1, "late", Duration::ZERO);
        assert_eq!((cache.get(&0), cache.get(&1), cache.get(&2)), (Some("kept"), None, None));
        for key in 2..2 * ENTRIES_LIMIT {
            cache.put(key, "more", Duration::from_secs(60));
        }
        assert!(cache.entries.lock().len() <= ENTRIES_LIMIT);
        assert_eq!(cache.get(&(2 * ENTRIES_LIMIT - 1)), Some("more"));
    }
}
