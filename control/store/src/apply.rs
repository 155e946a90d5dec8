//! What a transaction does to the state: preconditions, the revision, the new records and their events.
//! Pure, and the same on every voter: it depends on nothing but the state and the transaction.
//!
//! Invariant: a transaction happens completely or not at all, and takes exactly one revision if it happens.

use std::sync::Arc;

use crate::event::{Event, EventKind};
use crate::key::Key;
use crate::object::{Object, wrap};
use crate::record::{Interner, Lift, Record};
use crate::state::State;
use crate::txn::{Committed, Expect, Op, Rejection, Txn};

/// Applies transactions to a state, one after another.
pub(crate) struct Applier {
    lift: Arc<dyn Lift>,
    interner: Interner,
}

/// A state being changed, with the events of the changes.
pub(crate) struct Step {
    pub(crate) state: State,
    pub(crate) events: Vec<Arc<Event>>,
}

impl Applier {
    pub(crate) fn new(lift: Arc<dyn Lift>) -> Self {
        Self { lift, interner: Interner::default() }
    }

    /// Applies one transaction; `step` is unchanged if a precondition does not hold.
    pub(crate) fn apply(&mut self, step: &mut Step, txn: &Txn) -> Result<Committed, Rejection> {
        for op in &txn.ops {
            check(step.state.get(op.key()), op)?;
        }
        let revision = step.state.revision + 1;
        let mut records = Vec::with_capacity(txn.ops.len());
        for op in &txn.ops {
            let event = match op {
                Op::Put { key, object, .. } => self.put(step, key, object, revision),
                Op::Delete { key, last, .. } => self.delete(step, key, last.as_ref(), revision),
            };
            if let Some(event) = event {
                records.push(event.record.clone());
                step.events.push(Arc::new(event));
            }
        }
        step.state.revision = revision;
        Ok(Committed { revision, records })
    }

    /// A record from bytes that were stored, for when a store opens.
    pub(crate) fn record(&mut self, key: &Key, revision: u64, create_revision: u64, json: bytes::Bytes) -> Arc<Record> {
        let lifted = self.lift.lift(&key.resource, &json);
        let lifted = self.interner.lifted(lifted);
        Arc::new(Record { key: self.interner.key(key), revision, create_revision, json, lifted })
    }

    fn put(&mut self, step: &mut Step, key: &Key, object: &Object, revision: u64) -> Option<Event> {
        let previous = step.state.get(key).cloned();
        let kind = if previous.is_some() { EventKind::Modified } else { EventKind::Added };
        let create_revision = previous.as_ref().map_or(revision, |previous| previous.create_revision);
        let (line, json) = object.at_revision(kind, revision);
        let record = self.record(key, revision, create_revision, json);
        step.state.insert(record.clone());
        Some(Event { kind, record, previous, revision, line })
    }

    /// `None` cannot happen behind [`check`]; it would mean that there is nothing to tell of.
    fn delete(&mut self, step: &mut Step, key: &Key, last: Option<&Object>, revision: u64) -> Option<Event> {
        let previous = step.state.get(key).cloned()?;
        let (line, json) = match last {
            Some(object) => object.at_revision(EventKind::Deleted, revision),
            None => final_state(&previous, revision),
        };
        let record = self.record(key, revision, previous.create_revision, json);
        step.state.remove(key);
        Some(Event { kind: EventKind::Deleted, record, previous: Some(previous), revision, line })
    }
}

/// The stored version with the deletion's revision in it.
fn final_state(previous: &Record, revision: u64) -> (bytes::Bytes, bytes::Bytes) {
    match Object::from_json(previous.json.to_vec()) {
        Ok(object) => object.at_revision(EventKind::Deleted, revision),
        // Stored bytes were an object when they came in; if they are not now, watchers still hear of the end.
        Err(_) => wrap(EventKind::Deleted, &[&previous.json]),
    }
}

/// Whether what is stored is what `op` expects.
fn check(current: Option<&Arc<Record>>, op: &Op) -> Result<(), Rejection> {
    match (op, current) {
        (Op::Put { expect: Expect::Any, .. }, _) => Ok(()),
        (Op::Put { expect: Expect::Absent, .. }, None) => Ok(()),
        (Op::Put { key, expect: Expect::Absent, .. }, Some(_)) => Err(Rejection::AlreadyExists(key.clone())),
        (Op::Put { key, expect: Expect::Revision(_), .. }, None) => Err(Rejection::Conflict(key.clone(), None)),
        (Op::Delete { key, .. }, None) => Err(Rejection::NotFound(key.clone())),
        (Op::Delete { expect: Expect::Any, .. }, Some(_)) => Ok(()),
        (Op::Put { key, expect, .. } | Op::Delete { key, expect, .. }, Some(record)) => {
            if *expect == Expect::Revision(record.revision) {
                Ok(())
            } else {
                Err(Rejection::Conflict(key.clone(), Some(record.clone())))
            }
        }
    }
}

#[cfg(test)]
mod tests;
