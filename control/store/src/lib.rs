//! The store: Kubernetes objects as the API server sees them, durable through a raft log over one redb
//! file, readable and watchable from memory.
//!
//! One path: every write is a transaction, transactions that wait together become one raft entry, an entry
//! is one fsync. The state machine checks preconditions as it applies, gives each transaction the next
//! revision, splices it into the object as `metadata.resourceVersion`, swaps the record in memory and tells
//! the watchers. A lone server is a cluster of one voter.
//!
//! The crate knows JSON objects with `metadata` and nothing else about Kubernetes: what is to be lifted out
//! of an object is the caller's [`Lift`].
//!
//! Invariant: what [`Store::commit`] has returned survives any end of the process.
//! Invariant: revisions only grow, one per transaction, and are never used again.
//! Invariant: what [`StoreConfig::encryption`] names is never on disk in plain.
//! Invariant: readers never wait for writers, and a slow watcher makes nobody wait.
#![forbid(unsafe_code)]

mod apply;
mod committer;
mod config;
mod dir;
mod disk;
mod encryption;
mod event;
mod health;
mod key;
mod memory;
mod metrics;
mod object;
mod open;
mod raft;
mod rebuild;
mod record;
mod ring;
mod row;
mod scan;
mod state;
mod store;
mod sweep;
#[cfg(test)]
mod testing;
mod topic;
mod txn;
mod vault;
mod watch;
mod wire;
mod writer;

pub use config::StoreConfig;
pub use encryption::{Encryption, EncryptionError};
pub use event::{Event, EventKind};
pub use key::{Key, Scope, WatchScope};
pub use object::{Object, ObjectError};
pub use open::OpenError;
pub use record::{Lift, Lifted, Record};
pub use scan::ScanError;
pub use state::Snapshot;
pub use store::{ShutdownError, Store};
pub use txn::{CommitError, Committed, Expect, Op, Txn};
pub use watch::{Expired, Watch, WatchError};
