//! Between what is in memory, which is plain, and what is on disk, where some of it is encrypted: rows of objects and
//! entries of the log pass through here in both directions, and nowhere else. It also knows which rows on disk are not
//! in the form that they would be written in now.
//!
//! Invariant: objects that are to be encrypted are never given to the database in plain, not even for a moment.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use openraft::EntryPayload;
use parking_lot::Mutex;

use crate::disk::{self, DiskError};
use crate::encryption::{Encryption, Form, Unreadable};
use crate::key::Key;
use crate::object::Object;
use crate::raft::{Batch, RaftEntry};
use crate::record::Record;
use crate::row::{row_key, row_value};
use crate::txn::{Op, Txn};

/// What a value is a part of: values of the log and of the table of objects can't be exchanged for each other.
#[derive(Clone, Copy)]
enum Place {
    Log = 1,
    Objects = 2,
}

/// The encryption of one store, with what is left to be encrypted anew.
#[derive(Default)]
pub(crate) struct Vault {
    encryption: Arc<Encryption>,
    /// Objects whose rows are of an older form.
    stale: Mutex<BTreeSet<Key>>,
    /// Whether entries of the log are of an older form.
    log_is_stale: AtomicBool,
}

impl Vault {
    /// A vault of which nothing stale is known yet.
    pub(crate) fn new(encryption: Arc<Encryption>) -> Self {
        Self { encryption, ..Self::default() }
    }

    /// The row of `record`.
    pub(crate) fn row(&self, record: &Record) -> Result<Vec<u8>, DiskError> {
        let json = self.seal_row(&record.key, &record.json)?;
        Ok(row_value(record.revision, record.create_revision, &json))
    }

    /// What a row of `key` stores for `json`.
    pub(crate) fn seal_row<'a>(&self, key: &Key, json: &'a [u8]) -> Result<Cow<'a, [u8]>, DiskError> {
        self.seal(Place::Objects, key, json)
    }

    /// The JSON that a row of `key` stores.
    pub(crate) fn open_row(&self, key: &Key, stored: &[u8]) -> Result<(Bytes, Form), DiskError> {
        let (opened, form) = self.open(Place::Objects, key, stored)?;
        Ok((opened.unwrap_or_else(|| Bytes::copy_from_slice(stored)), form))
    }

    /// An entry as it is logged.
    pub(crate) fn encode_entry(&self, entry: &RaftEntry) -> Result<Vec<u8>, DiskError> {
        let EntryPayload::Normal(batch) = &entry.payload else { return disk::encode("log entry", entry) };
        if !self.covers_any(batch) {
            return disk::encode("log entry", entry);
        }
        let seal = |op: &Op| {
            let Some((key, object)) = carried(op) else { return Ok(op.clone()) };
            Ok(match self.seal(Place::Log, key, object.json())? {
                Cow::Borrowed(_) => op.clone(),
                Cow::Owned(sealed) => with(op, object.with_json(sealed.into())),
            })
        };
        disk::encode("log entry", &RaftEntry { payload: EntryPayload::Normal(map(batch, seal)?), ..*entry })
    }

    /// An entry that was logged.
    pub(crate) fn decode_entry(&self, row: &[u8]) -> Result<(RaftEntry, Form), DiskError> {
        let entry: RaftEntry = disk::decode("log entry", row)?;
        let EntryPayload::Normal(batch) = &entry.payload else { return Ok((entry, Form::Current)) };
        let mut worst = Form::Current;
        let open = |op: &Op| {
            let Some((key, object)) = carried(op) else { return Ok(op.clone()) };
            let (opened, form) = self.open(Place::Log, key, object.json())?;
            worst = worst.max(form);
            Ok(opened.map_or_else(|| op.clone(), |json| with(op, object.with_json(json))))
        };
        let batch = map(batch, open)?;
        Ok((RaftEntry { payload: EntryPayload::Normal(batch), ..entry }, worst))
    }

    fn covers_any(&self, batch: &Batch) -> bool {
        batch.txns.iter().flat_map(|txn| &txn.ops).any(|op| self.encryption.covers(&op.key().resource))
    }

    fn seal<'a>(&self, place: Place, key: &Key, plain: &'a [u8]) -> Result<Cow<'a, [u8]>, DiskError> {
        if !self.encryption.covers(&key.resource) {
            return Ok(Cow::Borrowed(plain));
        }
        let sealed = self.encryption.seal(&key.resource, &context(place, key), plain);
        Ok(sealed.map_err(|why| unreadable(place, key, why))?.map_or(Cow::Borrowed(plain), Cow::Owned))
    }

    fn open(&self, place: Place, key: &Key, stored: &[u8]) -> Result<(Option<Bytes>, Form), DiskError> {
        let opened = self.encryption.open(&key.resource, &context(place, key), stored);
        let (opened, form) = opened.map_err(|why| unreadable(place, key, why))?;
        Ok((opened.map(Bytes::from), form))
    }

    /// Keeps in mind that the row of `key`, or an entry of the log (`None`), is of `form`.
    pub(crate) fn found(&self, key: Option<&Key>, form: Form) {
        match (form, key) {
            (Form::Current, _) => {}
            (_, Some(key)) => drop(self.stale.lock().insert(key.clone())),
            (_, None) => self.log_is_stale.store(true, Ordering::Relaxed),
        }
    }

    /// Whether the row of `key` is of an older form, so that even a write that changes nothing has something to do.
    pub(crate) fn is_stale(&self, key: &Key) -> bool {
        self.stale.lock().contains(key)
    }

    /// How many rows are of an older form.
    pub(crate) fn stale_rows(&self) -> usize {
        self.stale.lock().len()
    }

    /// Whether anything is of an older form.
    pub(crate) fn has_stale(&self) -> bool {
        self.log_is_stale() || self.stale_rows() > 0
    }

    /// Whether log entries have to be encrypted anew.
    pub(crate) fn log_is_stale(&self) -> bool {
        self.log_is_stale.load(Ordering::Relaxed)
    }

    /// The next `count` keys behind `after` whose rows are of an older form.
    pub(crate) fn stale_after(&self, after: Option<&Key>, count: usize) -> Vec<Key> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.stale.lock().range::<Key, _>((start, Bound::Unbounded)).take(count).cloned().collect()
    }

    /// These rows have been written, or will be in a form that is not an older one.
    pub(crate) fn renewed<'a>(&self, keys: impl Iterator<Item = &'a Key>) {
        let mut stale = self.stale.lock();
        if stale.is_empty() {
            return;
        }
        for key in keys {
            stale.remove(key);
        }
    }

    /// The log has no entries of an older form any more.
    pub(crate) fn log_renewed(&self) {
        self.log_is_stale.store(false, Ordering::Relaxed);
    }

    /// Nothing is of an older form any more: the whole file has been written anew.
    pub(crate) fn all_renewed(&self) {
        self.stale.lock().clear();
        self.log_renewed();
    }
}

/// What a value is bound to.
fn context(place: Place, key: &Key) -> Vec<u8> {
    let mut context = vec![place as u8];
    context.extend_from_slice(&row_key(key));
    context
}

fn unreadable(place: Place, key: &Key, why: Unreadable) -> DiskError {
    let object = match place {
        Place::Log => format!("{key} (in the log)"),
        Place::Objects => key.to_string(),
    };
    DiskError::Unreadable { object, why }
}

/// The object that an operation carries, with its key.
fn carried(op: &Op) -> Option<(&Key, &Object)> {
    match op {
        Op::Put { key, object, .. } => Some((key, object)),
        Op::Delete { key, last, .. } => Some((key, last.as_ref()?)),
    }
}

/// `op` with another object.
fn with(op: &Op, object: Object) -> Op {
    match op {
        Op::Put { key, expect, .. } => Op::Put { key: key.clone(), object, expect: *expect },
        Op::Delete { key, expect, .. } => Op::Delete { key: key.clone(), expect: *expect, last: Some(object) },
    }
}

fn map(batch: &Batch, mut each: impl FnMut(&Op) -> Result<Op, DiskError>) -> Result<Arc<Batch>, DiskError> {
    let mut txns = Vec::with_capacity(batch.txns.len());
    for txn in &batch.txns {
        txns.push(Txn::new(txn.ops.iter().map(&mut each).collect::<Result<_, _>>()?));
    }
    Ok(Arc::new(Batch { txns }))
}

#[cfg(test)]
mod tests;
