//! What can be set about a store, with defaults that suit a cluster of one machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::encryption::Encryption;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The data directory; made if it does not exist. One store at a time.
    pub dir: PathBuf,
    /// This node's number among the voters. It is written into the directory and must not change.
    pub node_id: u64,
    /// Events kept for watches that start in the past or fall behind.
    pub history_events: usize,
    /// The same bound in bytes, whichever is reached first.
    pub history_bytes: usize,
    /// How long events are kept at least and, but for half a minute, at most; whatever the bounds above leave of them.
    pub history_age: Duration,
    /// Transactions in one raft entry at most.
    pub max_batch: usize,
    /// The largest transaction, in bytes. Kubernetes' API server takes bodies of 3 MiB; defaulting and
    /// managed fields make objects grow a little behind that limit.
    pub max_txn_bytes: usize,
    /// Free space below which writes are refused, so that the disk is never filled by the store itself.
    pub min_free_bytes: u64,
    /// Raft entries between two snapshots; what is older is purged from the log.
    pub snapshot_entries: u64,
    /// What is encrypted on disk, and with which keys. Nothing unless it is said here.
    pub encryption: Arc<Encryption>,
}

impl StoreConfig {
    /// The defaults for the directory `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            node_id: 1,
            history_events: 100_000,
            history_bytes: 32 << 20,
            // As long as a Kubernetes API server lets etcd keep them (`--etcd-compaction-interval`).
            history_age: Duration::from_secs(5 * 60),
            max_batch: 256,
            max_txn_bytes: 4 << 20,
            min_free_bytes: 32 << 20,
            snapshot_entries: 2_000,
            encryption: Arc::new(Encryption::none()),
        }
    }
}
