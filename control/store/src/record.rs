//! A stored object as readers see it: the bytes that go over the wire, and the few facts about it
//! that selectors, owners and indexes ask for, lifted out once so that nobody parses it again.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::key::Key;

/// One version of one object. Never changed: a write makes a new one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Where it lives.
    pub key: Key,
    /// The revision of the transaction that wrote this version: its `metadata.resourceVersion`.
    pub revision: u64,
    /// The revision that created the object; later versions keep it.
    pub create_revision: u64,
    /// The complete object as JSON, `metadata.resourceVersion` included.
    #[serde(with = "crate::wire")]
    pub json: Bytes,
    /// What was lifted out of it.
    pub lifted: Lifted,
}

/// Facts about an object that are asked for without parsing it.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lifted {
    /// `metadata.labels`, sorted by key.
    pub labels: Box<[(Arc<str>, Arc<str>)]>,
    /// Selectable fields by path (`spec.nodeName`), sorted by path.
    pub fields: Box<[(Arc<str>, Arc<str>)]>,
    /// The uids of the objects in `metadata.ownerReferences`.
    pub owners: Box<[Box<str>]>,
    /// `metadata.uid`, empty if there is none.
    pub uid: Box<str>,
}

impl Lifted {
    /// Facts from their parts, in any order: labels and fields are sorted here.
    pub fn new<L, F, O>(labels: L, fields: F, owners: O, uid: &str) -> Self
    where
        L: IntoIterator<Item = (Arc<str>, Arc<str>)>,
        F: IntoIterator<Item = (Arc<str>, Arc<str>)>,
        O: IntoIterator<Item = Box<str>>,
    {
        let mut labels: Vec<_> = labels.into_iter().collect();
        labels.sort();
        let mut fields: Vec<_> = fields.into_iter().collect();
        fields.sort();
        Self { labels: labels.into(), fields: fields.into(), owners: owners.into_iter().collect(), uid: uid.into() }
    }

    /// The value of the label `key`.
    pub fn label(&self, key: &str) -> Option<&str> {
        find(&self.labels, key)
    }

    /// The value of the lifted field `path`.
    pub fn field(&self, path: &str) -> Option<&str> {
        find(&self.fields, path)
    }
}

fn find<'a>(pairs: &'a [(Arc<str>, Arc<str>)], key: &str) -> Option<&'a str> {
    pairs.binary_search_by(|(name, _)| (**name).cmp(key)).ok().map(|at| &*pairs[at].1)
}

/// Lifts the facts out of an object. Provided by whoever knows the kinds (the API server's catalogue);
/// called once for every version that is written, and once per object when the store opens.
pub trait Lift: Send + Sync {
    /// The facts of `json`, a complete object of `resource`. An object that makes no sense lifts to
    /// [`Lifted::default`]: it has been accepted already, so there is nobody to complain to.
    fn lift(&self, resource: &str, json: &[u8]) -> Lifted;
}

/// How many strings the interner remembers. Beyond it all are forgotten, which costs sharing, not correctness.
const INTERNED_STRINGS: usize = 16_384;

/// Makes equal strings share one allocation: thousands of objects have the same namespace and labels.
#[derive(Default)]
pub(crate) struct Interner {
    known: HashSet<Arc<str>>,
}

impl Interner {
    /// The shared copy of `text`.
    pub(crate) fn intern(&mut self, text: &Arc<str>) -> Arc<str> {
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        if self.known.len() >= INTERNED_STRINGS {
            self.known.clear();
        }
        self.known.insert(text.clone());
        text.clone()
    }

    /// `key` with the parts that other keys have too, shared. A name is nearly always its own.
    pub(crate) fn key(&mut self, key: &Key) -> Key {
        Key { resource: self.intern(&key.resource), namespace: self.intern(&key.namespace), name: key.name.clone() }
    }

    /// `lifted` with its strings shared.
    pub(crate) fn lifted(&mut self, mut lifted: Lifted) -> Lifted {
        for (key, value) in lifted.labels.iter_mut().chain(lifted.fields.iter_mut()) {
            *key = self.intern(key);
            *value = self.intern(value);
        }
        lifted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_found_whatever_order_they_came_in() {
        let pair = |key: &str, value: &str| (Arc::from(key), Arc::from(value));
        let lifted = Lifted::new([pair("b", "2"), pair("a", "1")], [pair("spec.nodeName", "n1")], ["u1".into()], "u2");
        assert_eq!(lifted.label("a"), Some("1"));
        assert_eq!(lifted.label("b"), Some("2"));
        assert_eq!(lifted.label("c"), None);
        assert_eq!(lifted.field("spec.nodeName"), Some("n1"));
        assert_eq!(&*lifted.uid, "u2");
    }

    #[test]
    fn equal_strings_are_shared_until_there_are_too_many() {
        let mut interner = Interner::default();
        let first = interner.intern(&Arc::from("default"));
        let second = interner.intern(&Arc::from("default"));
        assert!(Arc::ptr_eq(&first, &second));
        for number in 0..=INTERNED_STRINGS {
            interner.intern(&Arc::from(number.to_string()));
        }
        assert!(interner.known.len() <= INTERNED_STRINGS);
    }
}
