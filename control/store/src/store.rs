//! The store itself: a handle that is cloned freely and shared by every request.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle as Task;

use crate::committer::Waiting;
use crate::config::StoreConfig;
use crate::dir::DataDir;
use crate::health::Health;
use crate::key::{Key, Scope, WatchScope};
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::open::{self, OpenError};
use crate::raft::Raft;
use crate::record::{Lift, Record};
use crate::ring::Ring;
use crate::state::Snapshot;
use crate::txn::{CommitError, Committed, Txn};
use crate::vault::Vault;
use crate::watch::{Expired, Watch, WatchError};
use crate::writer::{Job, Writer};

/// The cluster's objects: durable, consistent, watched.
///
/// Reads and watches are served from memory and never wait for writes. A write returns when it is on disk.
/// After a restart the history is as short as what was not yet stored with the objects: a watch from an
/// earlier revision gets [`WatchError::Expired`], and clients list again, as after an etcd compaction.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// What a store is made of.
pub(crate) struct Parts {
    pub(crate) config: StoreConfig,
    pub(crate) dir: DataDir,
    pub(crate) memory: Arc<Memory>,
    pub(crate) ring: Arc<Ring>,
    pub(crate) raft: Raft,
    pub(crate) queue: mpsc::Sender<Waiting>,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Metrics,
    pub(crate) vault: Arc<Vault>,
    pub(crate) writer: Writer,
    pub(crate) thread: JoinHandle<()>,
    pub(crate) committer: Task<()>,
    pub(crate) herald: Task<()>,
    pub(crate) sweep: Task<()>,
}

struct Inner {
    max_txn_bytes: usize,
    memory: Arc<Memory>,
    ring: Arc<Ring>,
    health: Arc<Health>,
    metrics: Metrics,
    vault: Arc<Vault>,
    raft: Raft,
    /// `None` once the store is shut down.
    running: Mutex<Option<Running>>,
}

/// What ends with the store.
struct Running {
    queue: mpsc::Sender<Waiting>,
    writer: Writer,
    thread: JoinHandle<()>,
    committer: Task<()>,
    herald: Task<()>,
    sweep: Task<()>,
    dir: DataDir,
}

/// Why a store could not be shut down in order. Acknowledged writes are safe all the same.
#[derive(Debug, thiserror::Error)]
pub enum ShutdownError {
    /// The last write failed; the log on disk has everything that was acknowledged.
    #[error("the store was closed without its last write: {0}")]
    Write(String),
    /// A part of the store ended by a panic.
    #[error("a part of the store had panicked: {0}")]
    Panicked(String),
}

impl Store {
    /// Opens the store in `config.dir`, or makes one there. `lift` is asked about every object.
    ///
    /// Returns when the store takes reads and writes: every acknowledged write is there.
    pub async fn open(config: StoreConfig, lift: Arc<dyn Lift>) -> Result<Self, OpenError> {
        open::open(config, lift, open::by_path()).await
    }

    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { config, dir, memory, ring, raft, queue, health, metrics, vault, .. } = parts;
        let Parts { writer, thread, committer, herald, sweep, .. } = parts;
        let running = Running { queue, writer, thread, committer, herald, sweep, dir };
        let running = Mutex::new(Some(running));
        let inner = Inner { max_txn_bytes: config.max_txn_bytes, memory, ring, health, metrics, vault, raft, running };
        Self { inner: Arc::new(inner) }
    }

    /// Does a transaction. Returns when it is on disk, or with the first precondition that does not hold.
    ///
    /// A caller that stops waiting does not stop the transaction.
    pub async fn commit(&self, txn: Txn) -> Result<Committed, CommitError> {
        let started = Instant::now();
        let size_bytes = self.validate(&txn)?;
        let queue = self.inner.running.lock().as_ref().map(|running| running.queue.clone());
        let closed = || CommitError::Unavailable("it is shut down".into());
        let queue = queue.ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        queue.send(Waiting { txn, size_bytes, reply }).await.map_err(|_| closed())?;
        let result = answer.await.map_err(|_| closed())?;
        if result.is_ok() {
            self.inner.metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
        }
        result
    }

    /// What can be said about a transaction before it is proposed; returns its size in bytes.
    fn validate(&self, txn: &Txn) -> Result<usize, CommitError> {
        let (bytes, limit_bytes) = (txn.size_bytes(), self.inner.max_txn_bytes);
        if bytes > limit_bytes {
            return Err(CommitError::TooLarge { bytes, limit_bytes });
        }
        if txn.ops.is_empty() {
            return Err(CommitError::Invalid("it has no operations".into()));
        }
        for (index, op) in txn.ops.iter().enumerate() {
            let key = op.key();
            if key.name.is_empty() || key.resource.is_empty() {
                return Err(CommitError::Invalid(format!("{key} lacks a name or a resource")));
            }
            if [&key.resource, &key.namespace, &key.name].iter().any(|part| part.contains('\0')) {
                return Err(CommitError::Invalid(format!("{key} contains a NUL character")));
            }
            if txn.ops[..index].iter().any(|earlier| earlier.key() == key) {
                return Err(CommitError::Invalid(format!("it names {key} more than once")));
            }
        }
        Ok(bytes)
    }

    /// The newest version of one object.
    pub fn get(&self, key: &Key) -> Option<Arc<Record>> {
        self.inner.memory.read(|state| state.get(key).cloned())
    }

    /// The objects in `scope`, all as of the newest revision.
    pub fn list(&self, scope: &Scope) -> Snapshot {
        self.inner.memory.read(|state| state.snapshot(scope))
    }

    /// The objects in `scope` as they were at `revision`, as far back as the history goes: how a list that is
    /// read in pages stays one list.
    pub fn list_at(&self, scope: &Scope, revision: u64) -> Result<Snapshot, Expired> {
        if revision == self.revision() {
            let newest = self.list(scope);
            if newest.revision == revision {
                return Ok(newest);
            }
        }
        self.inner.ring.list_at(scope, revision)
    }

    /// The events of `scope` above the revision `from`. A revision that has not been reached is waited for.
    pub fn watch(&self, scope: WatchScope, from: u64) -> Result<Watch, WatchError> {
        self.inner.ring.watch(scope, from)
    }

    /// The newest revision. At least 1, strictly increasing, never used again.
    pub fn revision(&self) -> u64 {
        self.inner.memory.read(|state| state.revision)
    }

    /// Waits until the store has reached `revision`; `false` if it has not by `deadline`.
    pub async fn wait_for(&self, revision: u64, deadline: Instant) -> bool {
        self.inner.memory.wait_for(revision, deadline.into()).await
    }

    /// `Err` with the reason while the store takes no writes. Reads and watches go on.
    pub fn healthy(&self) -> Result<(), String> {
        if self.inner.running.lock().is_none() {
            return Err("the store is shut down".into());
        }
        self.inner.health.check()
    }

    /// Whether the object at `key` is stored in another form than it would be written in now, by an older key perhaps:
    /// then a write that changes nothing is to be done all the same, as Kubernetes does with "stale" values.
    pub fn is_stale(&self, key: &Key) -> bool {
        self.inner.vault.is_stale(key)
    }

    /// Whether something on disk still needs a key that is not the first one of its resource. If so, it is being encrypted
    /// anew; afterwards the other keys may be removed.
    pub fn needs_old_keys(&self) -> bool {
        self.inner.vault.has_stale()
    }

    /// Registers the store's metrics, all named `store_…`.
    pub fn register_metrics(&self, registry: &mut Registry) {
        let Inner { metrics, memory, ring, vault, .. } = &*self.inner;
        metrics.register(registry, memory.clone(), ring.clone(), vault.clone());
    }

    /// Answers what waits, ends all watches, writes the last objects and lets go of the directory. Reads
    /// still work. Calling it again does nothing.
    pub async fn shutdown(&self) -> Result<(), ShutdownError> {
        let Some(running) = self.inner.running.lock().take() else { return Ok(()) };
        let Running { queue, writer, thread, committer, herald, sweep, dir } = running;
        drop(queue);
        let panicked = |error: tokio::task::JoinError| ShutdownError::Panicked(error.to_string());
        let committed = committer.await.map_err(panicked);
        // What it leaves is done after the next start. It holds a handle of the writer, which has to go first.
        sweep.abort();
        let swept = match sweep.await {
            Err(error) if error.is_panic() => Err(panicked(error)),
            _ => Ok(()),
        };
        self.inner.ring.close();
        let heralded = herald.await.map_err(panicked);
        let raft = self.inner.raft.shutdown().await.map_err(panicked);
        let synced = writer.done(Job::Sync).await.map_err(|error| ShutdownError::Write(error.to_string()));
        drop(writer);
        let joined = tokio::task::spawn_blocking(move || thread.join().is_ok()).await.map_err(panicked);
        drop(dir);
        committed.and(swept).and(heralded).and(raft).and(synced)?;
        if joined? { Ok(()) } else { Err(ShutdownError::Panicked("the writer".into())) }
    }
}

impl Drop for Inner {
    /// A store that is dropped without [`Store::shutdown`] lets go of its directory soon after.
    fn drop(&mut self) {
        let Some(running) = self.running.get_mut().take() else { return };
        self.ring.close();
        running.sweep.abort();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let raft = self.raft.clone();
            runtime.spawn(async move {
                let stopped = raft.shutdown().await;
                drop(running);
                stopped
            });
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("revision", &self.revision()).finish_non_exhaustive()
    }
}
