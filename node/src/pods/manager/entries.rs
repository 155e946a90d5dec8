//! The pods that have a worker, by UID and by name.

use std::collections::{HashMap, HashSet};

use tokio::sync::watch;

use super::Desired;

/// One of them.
pub(super) struct Entry {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) mailbox: watch::Sender<Desired>,
    /// It is not the API's.
    pub(super) is_static: bool,
}

/// All of them. Invariant: both maps know the same entries.
#[derive(Default)]
pub(super) struct Entries {
    by_uid: HashMap<String, Entry>,
    /// UIDs by name and namespace: two, while one ends and the next has begun.
    by_name: HashMap<(String, String), HashSet<String>>,
}

impl Entries {
    pub(super) fn insert(&mut self, uid: String, entry: Entry) {
        self.remove(&uid);
        let name = (entry.namespace.clone(), entry.name.clone());
        self.by_name.entry(name).or_default().insert(uid.clone());
        self.by_uid.insert(uid, entry);
    }

    pub(super) fn remove(&mut self, uid: &str) -> Option<Entry> {
        let entry = self.by_uid.remove(uid)?;
        let name = (entry.namespace.clone(), entry.name.clone());
        if let Some(uids) = self.by_name.get_mut(&name) {
            uids.remove(uid);
            if uids.is_empty() {
                self.by_name.remove(&name);
            }
        }
        Some(entry)
    }

    pub(super) fn get(&self, uid: &str) -> Option<&Entry> {
        self.by_uid.get(uid)
    }

    pub(super) fn contains(&self, uid: &str) -> bool {
        self.by_uid.contains_key(uid)
    }

    pub(super) fn uids(&self) -> impl Iterator<Item = &String> {
        self.by_uid.keys()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.by_uid.iter()
    }

    /// Those of this name.
    pub(super) fn named(&self, namespace: String, name: String) -> impl Iterator<Item = &Entry> {
        let uids = self.by_name.get(&(namespace, name));
        uids.into_iter().flatten().filter_map(|uid| self.by_uid.get(uid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namesakes_are_found_until_they_are_removed() {
        let entry = |name: &str, is_static| Entry {
            namespace: "ns".into(),
            name: name.into(),
            mailbox: watch::Sender::new(Desired::Gone),
            is_static,
        };
        let mut entries = Entries::default();
        entries.insert("1".into(), entry("a", false));
        entries.insert("2".into(), entry("a", true));
        entries.insert("3".into(), entry("b", false));
        let named = |entries: &Entries, name: &str| entries.named("ns".into(), name.into()).count();
        assert_eq!((named(&entries, "a"), named(&entries, "b"), named(&entries, "c")), (2, 1, 0));
        // One that comes again takes the place of what it was.
        entries.insert("3".into(), entry("c", false));
        assert_eq!((named(&entries, "b"), named(&entries, "c")), (0, 1));
        assert!(entries.remove("1").is_some() && entries.remove("1").is_none());
        assert!(entries.named("ns".into(), "a".into()).all(|entry| entry.is_static));
        entries.remove("2");
        assert_eq!((named(&entries, "a"), entries.by_name.len(), entries.uids().count()), (0, 1, 1));
    }
}
