//! What is on disk: one redb file with the raft log, the objects, and the few values around them.
//! Formats of rows live here and nowhere else.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `log` | raft index | the entry, postcard; the JSON of its objects is encrypted if their resources are |
//! | `objects` | resource NUL namespace NUL name | revision, create revision (u64 little endian each), JSON, encrypted if its resource is |
//! | `meta` | name | postcard |

use std::io;
use std::sync::Arc;

use openraft::StoredMembership;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::apply::Applier;
use crate::encryption::{Form, Unreadable};
use crate::raft::{LogId, Node, NodeId, RaftEntry, Vote};
use crate::record::{Lift, Record};
use crate::row::Row;
use crate::state::{FIRST_REVISION, State};
use crate::vault::Vault;

pub(crate) const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
pub(crate) const OBJECTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("objects");
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

const NODE_ID: &str = "node-id";
const VOTE: &str = "vote";
const PURGED: &str = "purged";
const APPLIED: &str = "applied";

/// Objects below which one thread lifts them all: starting others would take longer.
const PARALLEL_LIFT_OBJECTS: usize = 512;

/// A row or a file that cannot be what this code wrote, or a failing disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskError {
    #[error(transparent)]
    Redb(#[from] redb::Error),
    #[error("{0}")]
    Format(String),
    /// Something encrypted that no key opens; the text names the object, never its content.
    #[error("{object} cannot be decrypted: {why}")]
    Unreadable { object: String, why: Unreadable },
}

macro_rules! from_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for DiskError {
            fn from(error: redb::$error) -> Self {
                Self::Redb(error.into())
            }
        })*
    };
}

impl From<io::Error> for DiskError {
    fn from(error: io::Error) -> Self {
        Self::Redb(redb::Error::Io(error))
    }
}

from_redb!(TransactionError, TableError, StorageError, CommitError, DatabaseError, SetDurabilityError);

impl DiskError {
    /// Whether the file is damaged, rather than the disk failing or in use.
    pub(crate) fn is_corruption(&self) -> bool {
        match self {
            Self::Format(_) => true,
            Self::Unreadable { .. } => false,
            Self::Redb(redb::Error::Io(error)) => {
                matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
            }
            Self::Redb(error) => matches!(
                error,
                redb::Error::Corrupted(_)
                    | redb::Error::UpgradeRequired(_)
                    | redb::Error::TableTypeMismatch { .. }
                    | redb::Error::TableIsMultimap(_)
                    | redb::Error::TypeDefinitionChanged { .. }
            ),
        }
    }
}

/// How far the objects on disk have come: written in the same transaction as they are.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub(crate) struct Applied {
    pub(crate) log_id: Option<LogId>,
    pub(crate) membership: StoredMembership<NodeId, Node>,
    pub(crate) revision: u64,
}

impl Default for Applied {
    fn default() -> Self {
        Self { log_id: None, membership: StoredMembership::default(), revision: FIRST_REVISION }
    }
}

/// Everything that is read when a store opens.
pub(crate) struct Loaded {
    pub(crate) vote: Option<Vote>,
    pub(crate) purged: Option<LogId>,
    pub(crate) last: Option<LogId>,
    pub(crate) applied: Applied,
    pub(crate) state: State,
    /// Whether something is stored in plain that should be encrypted.
    pub(crate) plain: bool,
}

/// Makes the tables of a new file and writes down whose it is; for an old one returns whose it is.
pub(crate) fn prepare(db: &Database, node_id: NodeId) -> Result<NodeId, DiskError> {
    let txn = db.begin_write()?;
    let owner = {
        txn.open_table(LOG)?;
        txn.open_table(OBJECTS)?;
        let meta = txn.open_table(META)?;
        meta.get(NODE_ID)?.map(|row| decode::<NodeId>("node id", row.value())).transpose()?
    };
    if let Some(owner) = owner {
        txn.abort()?;
        return Ok(owner);
    }
    put_meta(&txn, NODE_ID, &node_id)?;
    txn.commit()?;
    Ok(node_id)
}

/// Reads the state of the file. Objects are lifted here, on all processors. Everything that is encrypted is opened, also
/// what nobody asks for yet, so that a missing key is found out now and not in the middle of the work; `vault` is told
/// what is of an older form.
pub(crate) fn load(db: &Database, lift: &Arc<dyn Lift>, vault: &Vault) -> Result<Loaded, DiskError> {
    let txn = db.begin_read()?;
    let meta = txn.open_table(META)?;
    let vote = get_meta(&meta, VOTE)?;
    let purged: Option<LogId> = get_meta(&meta, PURGED)?;
    let applied: Applied = get_meta(&meta, APPLIED)?.unwrap_or_default();
    let log = txn.open_table(LOG)?;
    let last = match log.last()? {
        Some((_, row)) => Some(decode::<RaftEntry>("log entry", row.value())?.log_id),
        None => purged,
    };
    let mut rows = Vec::new();
    let mut worst = Form::Current;
    for row in txn.open_table(OBJECTS)?.iter()? {
        let (key, value) = row?;
        let mut row = Row::read(key.value(), value.value())?;
        let (json, form) = vault.open_row(&row.key, &row.json)?;
        row.json = json;
        vault.found(Some(&row.key), form);
        worst = worst.max(form);
        rows.push(row);
    }
    for row in log.iter()? {
        let form = vault.decode_entry(row?.1.value())?.1;
        vault.found(None, form);
        worst = worst.max(form);
    }
    let mut state = State::at(applied.revision);
    for record in lift_all(rows, lift) {
        state.insert(record);
    }
    Ok(Loaded { vote, purged, last, applied, state, plain: worst == Form::Plain })
}

/// The entries of the log in `start..end`, in order.
pub(crate) fn read_log(db: &Database, vault: &Vault, start: u64, end: u64) -> Result<Vec<RaftEntry>, DiskError> {
    let txn = db.begin_read()?;
    let log = txn.open_table(LOG)?;
    let mut entries = Vec::new();
    for row in log.range(start..end)? {
        let (_, row) = row?;
        entries.push(vault.decode_entry(row.value())?.0);
    }
    Ok(entries)
}

fn lift_all(rows: Vec<Row>, lift: &Arc<dyn Lift>) -> Vec<Arc<Record>> {
    let lift_some = |rows: &[Row]| {
        let mut applier = Applier::new(lift.clone());
        let record = |row: &Row| applier.record(&row.key, row.revision, row.create_revision, row.json.clone());
        rows.iter().map(record).collect::<Vec<_>>()
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if rows.len() < PARALLEL_LIFT_OBJECTS || threads == 1 {
        return lift_some(&rows);
    }
    let part = rows.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let workers: Vec<_> = rows.chunks(part).map(|rows| (rows, scope.spawn(|| lift_some(rows)))).collect();
        // A lift that panicked on one thread is asked again here, where the panic reaches the caller.
        workers.into_iter().flat_map(|(rows, worker)| worker.join().unwrap_or_else(|_| lift_some(rows))).collect()
    })
}

/// `value` as postcard.
pub(crate) fn encode<T: Serialize>(what: &str, value: &T) -> Result<Vec<u8>, DiskError> {
    postcard::to_stdvec(value).map_err(|error| DiskError::Format(format!("cannot encode a {what}: {error}")))
}

/// A `T` from postcard.
pub(crate) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, DiskError> {
    postcard::from_bytes(bytes).map_err(|error| DiskError::Format(format!("a {what} is damaged: {error}")))
}

fn get_meta<T: DeserializeOwned>(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &'static str,
) -> Result<Option<T>, DiskError> {
    meta.get(name)?.map(|row| decode(name, row.value())).transpose()
}

fn put_meta<T: Serialize>(txn: &WriteTransaction, name: &str, value: &T) -> Result<(), DiskError> {
    txn.open_table(META)?.insert(name, encode(name, value)?.as_slice())?;
    Ok(())
}

/// Writes the vote.
pub(crate) fn put_vote(txn: &WriteTransaction, vote: &Vote) -> Result<(), DiskError> {
    put_meta(txn, VOTE, vote)
}

/// Writes how far the log has been purged.
pub(crate) fn put_purged(txn: &WriteTransaction, purged: &LogId) -> Result<(), DiskError> {
    put_meta(txn, PURGED, purged)
}

/// Writes how far the objects have come.
pub(crate) fn put_applied(txn: &WriteTransaction, applied: &Applied) -> Result<(), DiskError> {
    put_meta(txn, APPLIED, applied)
}
