//! All objects at one revision, in memory. A value: a new revision is a new value that shares all but the
//! changed paths with the old one, so readers hold whatever they hold and never wait for a writer.

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;

use crate::event::{Event, EventKind};
use crate::key::{Key, Place, Scope};
use crate::record::Record;

/// The revision of an empty store. Not 0: a list says its revision, and "0" means "any" to a client.
pub(crate) const FIRST_REVISION: u64 = 1;

/// The objects of one resource, in the order of lists.
pub(crate) type Table = OrdMap<Place, Arc<Record>>;

/// Every object at one revision.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) revision: u64,
    tables: OrdMap<Arc<str>, Table>,
}

impl Default for State {
    fn default() -> Self {
        Self { revision: FIRST_REVISION, tables: OrdMap::new() }
    }
}

impl State {
    /// An empty state at `revision`.
    pub(crate) fn at(revision: u64) -> Self {
        Self { revision, tables: OrdMap::new() }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Record>> {
        self.tables.get(&key.resource)?.get(&key.place())
    }

    pub(crate) fn insert(&mut self, record: Arc<Record>) {
        let key = &record.key;
        if !self.tables.contains_key(&key.resource) {
            self.tables.insert(key.resource.clone(), Table::new());
        }
        if let Some(table) = self.tables.get_mut(&key.resource) {
            table.insert(key.place(), record);
        }
    }

    pub(crate) fn remove(&mut self, key: &Key) {
        if let Some(table) = self.tables.get_mut(&key.resource) {
            table.remove(&key.place());
        }
    }

    /// The objects in `scope` at this revision.
    pub(crate) fn snapshot(&self, scope: &Scope) -> Snapshot {
        Snapshot {
            revision: self.revision,
            namespace: scope.namespace.clone(),
            table: self.tables.get(&scope.resource).cloned().unwrap_or_default(),
        }
    }

    /// This state's table of `resource` as it was before `later`: its events, the newest first.
    pub(crate) fn table_before<'a>(&self, resource: &Arc<str>, later: impl Iterator<Item = &'a Arc<Event>>) -> Table {
        let mut table = self.tables.get(resource).cloned().unwrap_or_default();
        for event in later {
            let place = event.record.key.place();
            match (event.kind, &event.previous) {
                (EventKind::Added, _) | (_, None) => table.remove(&place),
                (_, Some(previous)) => table.insert(place, previous.clone()),
            };
        }
        table
    }

    /// Resources with the number of their objects.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&Arc<str>, usize)> {
        self.tables.iter().map(|(resource, table)| (resource, table.len()))
    }

    /// Every object, by resource and then in the order of lists.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.tables.values().flat_map(|table| table.values())
    }
}

/// The objects of a list, all as of one revision. Taking one copies nothing; holding one keeps the versions
/// in it alive, so a reply should be written and the snapshot dropped.
#[derive(Clone)]
pub struct Snapshot {
    /// The revision of the whole list: its `metadata.resourceVersion`.
    pub revision: u64,
    namespace: Option<Arc<str>>,
    table: Table,
}

impl Snapshot {
    pub(crate) fn new(revision: u64, namespace: Option<Arc<str>>, table: Table) -> Self {
        Self { revision, namespace, table }
    }

    /// The same list of one namespace only, or of all.
    pub(crate) fn narrowed(self, namespace: Option<Arc<str>>) -> Self {
        Self { namespace, ..self }
    }

    /// Whether this is known to be the same list as `other`, of another revision perhaps: nothing in the resource has
    /// changed in between. Costs a comparison of pointers.
    pub fn is_unchanged_since(&self, other: &Self) -> bool {
        self.namespace == other.namespace && self.table.ptr_eq(&other.table)
    }

    /// The records in key order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Record>> + '_ {
        self.from(Bound::Unbounded)
    }

    /// The records behind (`namespace`, `name`), which need not exist: how a list goes on where a page ended.
    pub fn iter_after(&self, namespace: &str, name: &str) -> impl Iterator<Item = &Arc<Record>> + '_ {
        self.from(Bound::Excluded(Place { namespace: namespace.into(), name: name.into() }))
    }

    fn from(&self, after: Bound<Place>) -> impl Iterator<Item = &Arc<Record>> + '_ {
        let start = match (&self.namespace, after) {
            (Some(only), Bound::Unbounded) => Bound::Included(Place { namespace: only.clone(), name: "".into() }),
            (Some(only), Bound::Excluded(place)) if place.namespace < *only => {
                Bound::Included(Place { namespace: only.clone(), name: "".into() })
            }
            (_, after) => after,
        };
        self.table
            .range((start, Bound::Unbounded))
            .map(|(_, record)| record)
            .take_while(|record| self.namespace.as_ref().is_none_or(|only| record.key.namespace == *only))
    }

    /// How many records there are. Counts them if the snapshot is of one namespace.
    pub fn len(&self) -> usize {
        if self.namespace.is_none() { self.table.len() } else { self.iter().count() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}
