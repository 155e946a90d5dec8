//! The raft log: appended by the writer thread, read from memory while it is new.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{AnyError, OptionalSend, RaftLogReader, StorageIOError};
use parking_lot::Mutex;
use redb::Database;

use super::{LogId, RaftEntry, StorageError, TypeConfig, Vote};
use crate::disk;
use crate::writer::{Job, Writer};

/// Entries that have been appended and not been applied: raft reads each of them once more to apply it,
/// and should not have to read and decode it from disk. Raft awaits each append, so these are few.
#[derive(Default)]
pub(crate) struct LogCache {
    entries: Mutex<BTreeMap<u64, RaftEntry>>,
}

impl LogCache {
    /// Forgets entries up to `index`: they are applied.
    pub(crate) fn release(&self, index: u64) {
        let mut entries = self.entries.lock();
        while entries.first_entry().is_some_and(|first| *first.key() <= index) {
            entries.pop_first();
        }
    }

    /// The entries of `start..end` if all of them are here.
    fn range(&self, start: u64, end: u64) -> Option<Vec<RaftEntry>> {
        let entries = self.entries.lock();
        let found: Vec<_> = entries.range(start..end).map(|(_, entry)| entry.clone()).collect();
        (found.len() as u64 == end - start).then_some(found)
    }
}

/// The log of this node.
#[derive(Clone)]
pub(crate) struct LogStore {
    db: Arc<Database>,
    writer: Writer,
    cache: Arc<LogCache>,
    vote: Option<Vote>,
    purged: Option<LogId>,
    last: Option<LogId>,
}

impl LogStore {
    /// The log as it was loaded from `db`.
    pub(crate) fn new(db: Arc<Database>, writer: Writer, cache: Arc<LogCache>, loaded: &disk::Loaded) -> Self {
        Self { db, writer, cache, vote: loaded.vote, purged: loaded.purged, last: loaded.last }
    }
}

fn write_error(error: disk::DiskError) -> StorageError {
    StorageIOError::write_logs(AnyError::new(&error)).into()
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<RaftEntry>, StorageError> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end + 1,
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        if start >= end {
            return Ok(Vec::new());
        }
        if let Some(entries) = self.cache.range(start, end) {
            return Ok(entries);
        }
        // Only at start and for followers that fell behind: reading in place is fine.
        disk::read_log(&self.db, self.writer.vault(), start, end)
            .map_err(|error| StorageIOError::read_logs(AnyError::new(&error)).into())
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        Ok(LogState { last_purged_log_id: self.purged, last_log_id: self.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let job = |reply| Job::Vote(*vote, reply);
        self.writer.done(job).await.map_err(|error| StorageIOError::write_vote(AnyError::new(&error)))?;
        self.vote = Some(*vote);
        Ok(())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.vote)
    }

    async fn append<I>(&mut self, entries: I, flushed: LogFlushed<TypeConfig>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut rows = Vec::new();
        let mut new = Vec::new();
        for entry in entries {
            rows.push((entry.log_id.index, self.writer.vault().encode_entry(&entry).map_err(write_error)?));
            new.push(entry);
        }
        self.last = new.last().map(|entry| entry.log_id).or(self.last);
        self.cache.entries.lock().extend(new.into_iter().map(|entry| (entry.log_id.index, entry)));
        self.writer.send(Job::Append { rows, flushed }).await.map_err(write_error)
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.cache.entries.lock().split_off(&log_id.index);
        self.writer.done(|reply| Job::Truncate(log_id.index, reply)).await.map_err(write_error)?;
        let before = match log_id.index.checked_sub(1) {
            Some(index) => self.try_get_log_entries(index..=index).await?.pop().map(|entry| entry.log_id),
            None => None,
        };
        self.last = before.or(self.purged);
        Ok(())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.cache.release(log_id.index);
        self.writer.done(|reply| Job::Purge(log_id, reply)).await.map_err(write_error)?;
        self.purged = Some(log_id);
        self.last = self.last.max(self.purged);
        Ok(())
    }
}
