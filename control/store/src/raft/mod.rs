//! The store as openraft sees it: types, log, state machine, network, snapshots. The rest of the crate sees
//! [`Batch`] going in and [`Outcomes`] coming out.

mod image;
mod log;
mod machine;
mod network;

use std::sync::Arc;

use openraft::TokioRuntime;
use serde::{Deserialize, Serialize};

use crate::txn::{Committed, Rejection, Txn};

pub(crate) use image::Image;
pub(crate) use log::{LogCache, LogStore};
pub(crate) use machine::Machine;
pub(crate) use network::NoPeers;

/// A voter's number.
pub(crate) type NodeId = u64;
/// A voter's address. Empty as long as there is one.
pub(crate) type Node = openraft::BasicNode;
/// A position in the log.
pub(crate) type LogId = openraft::LogId<NodeId>;
/// A vote.
pub(crate) type Vote = openraft::Vote<NodeId>;
/// What goes wrong with storage, in openraft's words.
pub(crate) type StorageError = openraft::StorageError<NodeId>;
/// An entry of the log.
pub(crate) type RaftEntry = openraft::Entry<TypeConfig>;
/// The consensus itself.
pub(crate) type Raft = openraft::Raft<TypeConfig>;

openraft::declare_raft_types!(
    /// The types that the store gives to openraft.
    pub(crate) TypeConfig:
        D = Arc<Batch>,
        R = Outcomes,
        NodeId = NodeId,
        Node = Node,
        Entry = openraft::Entry<TypeConfig>,
        SnapshotData = Image,
        AsyncRuntime = TokioRuntime,
);

/// Transactions that waited at the same time: one entry of the log, one fsync.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) txns: Vec<Txn>,
}

/// What became of the transactions of one entry, in order. Entries that are not ours have none.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcomes(pub(crate) Vec<Result<Committed, Rejection>>);
