//! A map that remembers the recent and forgets the rest, so that what outsiders name can't grow it without bound.

use std::collections::HashMap;
use std::hash::Hash;

/// A map of at most `limit` entries. When it is full the half that was used longest ago is forgotten, so that
/// making room costs amortised constant time.
#[derive(Debug)]
pub struct RecentMap<K, V> {
    limit: usize,
    uses: u64,
    entries: HashMap<K, (u64, V)>,
}

impl<K: Hash + Eq, V> RecentMap<K, V> {
    /// An empty map for `limit` entries, at least 2.
    pub fn new(limit: usize) -> RecentMap<K, V> {
        RecentMap { limit: limit.max(2), uses: 0, entries: HashMap::new() }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of `key`, which counts as a use.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.uses += 1;
        let (used, value) = self.entries.get_mut(key)?;
        *used = self.uses;
        Some(value)
    }

    /// What there are values of, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.keys()
    }

    /// Sets the value of `key`.
    pub fn insert(&mut self, key: K, value: V) {
        if self.entries.len() >= self.limit && !self.entries.contains_key(&key) {
            let mut used: Vec<u64> = self.entries.values().map(|(used, _)| *used).collect();
            let middle = used.len() / 2;
            let (_, median, _) = used.select_nth_unstable(middle);
            let median = *median;
            self.entries.retain(|_, (used, _)| *used > median);
        }
        self.uses += 1;
        self.entries.insert(key, (self.uses, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_is_forgotten_first() {
        let mut map = RecentMap::new(4);
        for n in 0..4 {
            map.insert(n, n);
        }
        assert!(map.get_mut(&0).is_some());
        map.insert(4, 4);
        assert!(map.entries.len() <= 4);
        assert!(map.get_mut(&0).is_some() && map.get_mut(&4).is_some());
        assert!(map.get_mut(&1).is_none());
    }
}
