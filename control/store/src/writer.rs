//! The only thread that writes to disk. Raft's log is made durable here, with one fsync per entry; the
//! objects that entries changed ride along in the transaction of a later entry, many at a time, because
//! they can be computed again from the log until then.
//!
//! Invariant: objects on disk are those of exactly one position in the log, the one stored beside them.
//! Invariant: after one failed write nothing is written any more; what is on disk is whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use openraft::storage::LogFlushed;
use redb::{Database, Durability, ReadableTable, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use crate::disk::{self, Applied, DiskError, LOG, OBJECTS};
use crate::health::Health;
use crate::key::Key;
use crate::metrics::Metrics;
use crate::raft::{LogId, TypeConfig, Vote};
use crate::rebuild::resealed;
use crate::record::Record;
use crate::row::row_key;
use crate::state::State;
use crate::vault::Vault;

/// Jobs that wait for the thread. Raft awaits nearly each of them, so a handful is all there ever is.
const QUEUE_JOBS: usize = 64;

/// Changed objects that are kept for a later entry's transaction. More would make a restart replay more
/// and one write in a while wait longer; fewer would write pages of the same tree over and over.
const PENDING_OBJECTS: usize = 128;

type Reply = oneshot::Sender<Result<(), DiskError>>;

/// What entries did to objects.
pub(crate) struct Effects {
    pub(crate) applied: Applied,
    pub(crate) objects: Vec<(Key, Option<Arc<Record>>)>,
}

/// What the thread can be asked for. Jobs are done in the order they come.
pub(crate) enum Job {
    /// Append to the log, durably, and tell raft.
    Append { rows: Vec<(u64, Vec<u8>)>, flushed: LogFlushed<TypeConfig> },
    /// Write the vote, durably.
    Vote(Vote, Reply),
    /// Drop the log from this index on, durably.
    Truncate(u64, Reply),
    /// Drop the log up to this entry. Need not be durable: it would be done again.
    Purge(LogId, Reply),
    /// Keep these for a later transaction.
    Effects(Effects),
    /// Replace all objects, durably: a snapshot came from another node.
    Replace { applied: Applied, state: State, reply: Reply },
    /// Write these rows anew, durably, if they are of an older form: what they say stays the same.
    Reseal { keys: Vec<Key>, reply: Reply },
    /// Make everything so far durable.
    Sync(Reply),
}

/// A handle to the thread. The thread ends when the last handle is gone, or at [`Writer::stop`].
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
    vault: Arc<Vault>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(
        db: Arc<Database>,
        vault: Arc<Vault>,
        health: Arc<Health>,
        metrics: Metrics,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, queue) = mpsc::channel(QUEUE_JOBS);
        let thread = Thread { db, vault: vault.clone(), health, metrics, pending: BTreeMap::new(), applied: None };
        let handle = std::thread::Builder::new().name("store-writer".into()).spawn(move || thread.run(queue))?;
        Ok((Self { jobs, vault }, handle))
    }

    /// What encrypts what is written.
    pub(crate) fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Hands over what entries did. From here on rows of these objects count as written in today's form.
    pub(crate) async fn effects(&self, effects: Effects) -> Result<(), DiskError> {
        self.vault.renewed(effects.objects.iter().map(|(key, _)| key));
        self.send(Job::Effects(effects)).await
    }

    /// Hands over a job that says itself when it is done.
    pub(crate) async fn send(&self, job: Job) -> Result<(), DiskError> {
        self.jobs.send(job).await.map_err(|_| stopped())
    }

    /// Hands over a job and waits for it.
    pub(crate) async fn done(&self, job: impl FnOnce(Reply) -> Job) -> Result<(), DiskError> {
        let (reply, done) = oneshot::channel();
        self.send(job(reply)).await?;
        done.await.unwrap_or_else(|_| Err(stopped()))
    }
}

fn stopped() -> DiskError {
    DiskError::Format("the store's writer has stopped".into())
}

struct Thread {
    db: Arc<Database>,
    vault: Arc<Vault>,
    health: Arc<Health>,
    metrics: Metrics,
    pending: BTreeMap<Key, Option<Arc<Record>>>,
    applied: Option<Applied>,
}

impl Thread {
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(job) = queue.blocking_recv() {
            self.work(job);
        }
        if let Err(error) = self.sync() {
            tracing::warn!(%error, "the last objects were not written; they will be computed from the log again");
        }
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::Append { rows, flushed } => {
                let result = self.append(&rows);
                flushed.log_io_completed(result.map_err(std::io::Error::other));
            }
            Job::Vote(vote, reply) => answer(reply, self.durable(|txn| disk::put_vote(txn, &vote))),
            Job::Truncate(from, reply) => {
                answer(reply, self.durable(|txn| Ok(txn.open_table(LOG)?.retain_in(from.., |_, _| false)?)));
            }
            Job::Purge(upto, reply) => {
                let result = self.transact(Durability::None, |txn| {
                    txn.open_table(LOG)?.retain_in(..=upto.index, |_, _| false)?;
                    disk::put_purged(txn, &upto)
                });
                answer(reply, result);
            }
            Job::Effects(effects) => {
                self.pending.extend(effects.objects);
                self.applied = Some(effects.applied);
            }
            Job::Replace { applied, state, reply } => {
                self.pending.clear();
                self.applied = None;
                answer(reply, self.durable(|txn| replace(txn, &self.vault, &applied, &state)));
            }
            Job::Reseal { keys, reply } => answer(reply, self.reseal(&keys)),
            Job::Sync(reply) => {
                let result = self.sync();
                answer(reply, result);
            }
        }
    }

    fn append(&mut self, rows: &[(u64, Vec<u8>)]) -> Result<(), DiskError> {
        let started = Instant::now();
        let with_objects = self.pending.len() >= PENDING_OBJECTS;
        self.durable(|txn| {
            let mut log = txn.open_table(LOG)?;
            for (index, row) in rows {
                log.insert(index, row.as_slice())?;
            }
            drop(log);
            if with_objects { self.put_pending(txn) } else { Ok(()) }
        })?;
        if with_objects {
            self.forget_pending();
        }
        self.metrics.fsync_seconds.observe(started.elapsed().as_secs_f64());
        self.metrics.log_bytes.inc_by(rows.iter().map(|(_, row)| row.len() as u64).sum());
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        self.durable(|txn| self.put_pending(txn))?;
        self.forget_pending();
        Ok(())
    }

    /// A row that can't be opened is left as it is, and counts as old: that is no reason to stop writing.
    fn reseal(&self, keys: &[Key]) -> Result<(), DiskError> {
        let mut renewed = Vec::with_capacity(keys.len());
        self.durable(|txn| {
            let mut objects = txn.open_table(OBJECTS)?;
            for key in keys.iter().filter(|key| !self.pending.contains_key(key)) {
                let place = row_key(key);
                let row = objects.get(place.as_slice())?.map(|row| resealed(&self.vault, &place, row.value()));
                match row {
                    Some(Ok(Some(row))) => drop(objects.insert(place.as_slice(), row.as_slice())?),
                    Some(Err(error)) => {
                        tracing::error!(%error, "a stored object cannot be encrypted anew");
                        continue;
                    }
                    // Current already, or gone.
                    Some(Ok(None)) | None => {}
                }
                renewed.push(key);
            }
            Ok(())
        })?;
        self.vault.renewed(renewed.into_iter());
        Ok(())
    }

    fn put_pending(&self, txn: &WriteTransaction) -> Result<(), DiskError> {
        let Some(applied) = &self.applied else { return Ok(()) };
        let mut objects = txn.open_table(OBJECTS)?;
        for (key, record) in &self.pending {
            match record {
                Some(record) => objects.insert(row_key(key).as_slice(), self.vault.row(record)?.as_slice())?,
                None => objects.remove(row_key(key).as_slice())?,
            };
        }
        drop(objects);
        disk::put_applied(txn, applied)
    }

    fn forget_pending(&mut self) {
        self.pending.clear();
        self.applied = None;
    }

    fn durable(&self, write: impl FnOnce(&WriteTransaction) -> Result<(), DiskError>) -> Result<(), DiskError> {
        self.transact(Durability::Immediate, write)
    }

    fn transact(
        &self,
        durability: Durability,
        write: impl FnOnce(&WriteTransaction) -> Result<(), DiskError>,
    ) -> Result<(), DiskError> {
        let result = (|| {
            let mut txn = self.db.begin_write()?;
            txn.set_durability(durability)?;
            write(&txn)?;
            Ok(txn.commit()?)
        })();
        if let Err(error) = &result {
            let error: &DiskError = error;
            tracing::error!(%error, "writing to the store failed");
            self.health.fail(format!("writing to the data directory failed: {error}"));
        }
        result
    }
}

fn answer(reply: Reply, result: Result<(), DiskError>) {
    // Whoever asked may have gone; what was asked for is done all the same.
    let _ = reply.send(result);
}

/// Every object on disk becomes those of `state`; the log, which is older, is emptied by raft.
fn replace(txn: &WriteTransaction, vault: &Vault, applied: &Applied, state: &State) -> Result<(), DiskError> {
    txn.delete_table(OBJECTS)?;
    let mut objects = txn.open_table(OBJECTS)?;
    for record in state.records() {
        objects.insert(row_key(&record.key).as_slice(), vault.row(record)?.as_slice())?;
    }
    drop(objects);
    disk::put_applied(txn, applied)
}
