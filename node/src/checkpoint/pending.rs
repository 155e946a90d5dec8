//! What waits to be written: of each object the newest.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::Key;

/// Rows that one transaction writes.
const BATCH_LIMIT: usize = 1024;
/// Rows that wait. A node of ten thousand pods that all start has four for each; beyond it what is new is not kept.
const PENDING_LIMIT: usize = 65_536;
/// Objects whose version is remembered. Others are written again, which is only work.
const KNOWN_LIMIT: usize = 8_192;

/// See the module.
#[derive(Default)]
pub struct Pending {
    /// None: it is to be removed.
    rows: HashMap<Key, Option<Bytes>>,
    /// Which pods use which objects.
    uses: HashSet<(Key, Box<str>)>,
    /// Pods that are gone.
    gone: HashSet<Box<str>>,
    versions: HashMap<Key, Box<str>>,
    is_full: bool,
}

/// What is written together.
#[derive(Debug, Default)]
pub struct Batch {
    /// What is new, or gone.
    pub rows: Vec<(Key, Option<Bytes>)>,
    /// Which pods use which objects.
    pub uses: Vec<(Key, Box<str>)>,
    /// Pods that are gone.
    pub gone: Vec<Box<str>>,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.uses.is_empty() && self.gone.is_empty()
    }
}

impl Pending {
    /// An object is this now.
    pub fn put(&mut self, key: Key, json: Bytes, user: Option<&str>) {
        if !self.has_room(&key) {
            return;
        }
        user.into_iter().for_each(|user| self.used(&key, user));
        self.rows.insert(key, Some(json));
    }

    fn has_room(&mut self, key: &Key) -> bool {
        let has_room = self.rows.len() < PENDING_LIMIT || self.rows.contains_key(key);
        if !has_room && !std::mem::replace(&mut self.is_full, true) {
            tracing::warn!("the node's checkpoint can't keep up with its disk; what is new is not in it");
        }
        has_room
    }

    /// A pod uses an object.
    pub fn used(&mut self, key: &Key, user: &str) {
        if self.uses.len() < PENDING_LIMIT {
            self.uses.insert((key.clone(), user.into()));
        }
    }

    /// An object is no more.
    pub fn remove(&mut self, key: Key) {
        self.versions.remove(&key);
        self.rows.insert(key, None);
    }

    /// A pod is gone.
    pub fn forget_pod(&mut self, uid: &str) {
        self.rows.retain(|key, _| key.uid() != Some(uid));
        self.uses.retain(|(_, user)| **user != *uid);
        // What only it used goes too, and is written again if another one comes.
        self.versions.clear();
        self.gone.insert(uid.into());
    }

    /// What waits of an object, if something does.
    pub fn get(&self, key: &Key) -> Option<Option<Bytes>> {
        self.rows.get(key).cloned()
    }

    /// Whether this version of an object is written, or waits.
    pub fn is_known(&self, key: &Key, version: &str) -> bool {
        self.versions.get(key).is_some_and(|known| **known == *version)
    }

    /// This version of the object was put.
    pub fn know(&mut self, key: Key, version: &str) {
        if self.versions.len() >= KNOWN_LIMIT {
            self.versions.clear();
        }
        self.versions.insert(key, version.into());
    }

    /// A part of what waits. It waits on until it was [`written`](Pending::written).
    pub fn batch(&self) -> Batch {
        // What pods leave behind is looked at last, when it is written who else uses it.
        let is_last = self.rows.len() <= BATCH_LIMIT && self.uses.len() <= BATCH_LIMIT;
        let gone = if is_last { BATCH_LIMIT } else { 0 };
        Batch {
            rows: self.rows.iter().take(BATCH_LIMIT).map(|(key, json)| (key.clone(), json.clone())).collect(),
            uses: self.uses.iter().take(BATCH_LIMIT).cloned().collect(),
            gone: self.gone.iter().take(gone).cloned().collect(),
        }
    }

    /// That part is on the disk. What has changed since waits on.
    pub fn written(&mut self, batch: &Batch) {
        for (key, json) in &batch.rows {
            let is_same = |now: &Option<Bytes>| match (now, json) {
                (Some(now), Some(json)) => now.as_ptr() == json.as_ptr(),
                (now, json) => now.is_none() && json.is_none(),
            };
            if self.rows.get(key).is_some_and(is_same) {
                self.rows.remove(key);
            }
        }
        for used in &batch.uses {
            self.uses.remove(used);
        }
        for gone in &batch.gone {
            self.gone.remove(gone);
        }
        self.is_full &= self.rows.len() >= PENDING_LIMIT;
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.uses.is_empty() && self.gone.is_empty()
    }
}
