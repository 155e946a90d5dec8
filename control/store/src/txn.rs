//! What a writer asks for and what it is answered: transactions, their preconditions, their outcome.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::object::Object;
use crate::record::Record;

/// Operations that happen together at one revision, or not at all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Txn {
    /// In order; each key at most once.
    pub ops: Vec<Op>,
}

impl Txn {
    /// A transaction of these operations.
    pub fn new(ops: Vec<Op>) -> Self {
        Self { ops }
    }

    /// Writes one object.
    pub fn put(key: Key, object: Object, expect: Expect) -> Self {
        Self { ops: vec![Op::Put { key, object, expect }] }
    }

    /// Deletes one object; `last` is the final state that watchers see, the stored one if `None`.
    pub fn delete(key: Key, expect: Expect, last: Option<Object>) -> Self {
        Self { ops: vec![Op::Delete { key, expect, last }] }
    }

    /// About what the transaction takes in the log.
    pub(crate) fn size_bytes(&self) -> usize {
        self.ops.iter().map(Op::size_bytes).sum()
    }
}

/// One operation of a transaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Op {
    /// Writes the object at `key`.
    Put {
        /// Where.
        key: Key,
        /// The new version.
        object: Object,
        /// What must be there now.
        expect: Expect,
    },
    /// Removes the object at `key`.
    Delete {
        /// Where.
        key: Key,
        /// What must be there now; something must be in any case.
        expect: Expect,
        /// The final state for watchers and the reply; the stored version if `None`.
        last: Option<Object>,
    },
}

impl Op {
    /// The key the operation is about.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } => key,
        }
    }

    fn size_bytes(&self) -> usize {
        const OVERHEAD_BYTES: usize = 64;
        let object = match self {
            Self::Put { object, .. } => object.json().len(),
            Self::Delete { last, .. } => last.as_ref().map_or(0, |object| object.json().len()),
        };
        let key = self.key();
        object + key.resource.len() + key.namespace.len() + key.name.len() + OVERHEAD_BYTES
    }
}

/// What must be at the key for the operation to happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// The version written at this revision.
    Revision(u64),
    /// Anything; for [`Op::Put`] also nothing.
    Any,
}

/// A transaction that happened and is durable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Committed {
    /// Its revision.
    pub revision: u64,
    /// One per operation, in order; for a deletion the final state with the deletion's resourceVersion.
    pub records: Vec<Arc<Record>>,
}

/// Why a transaction did not happen (or, for [`CommitError::Unavailable`], may not have).
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// [`Expect::Absent`], but there is an object.
    #[error("{key} already exists")]
    AlreadyExists {
        /// Of the first operation that failed.
        key: Key,
    },
    /// [`Expect::Revision`], but the object has another one, or (for a put) is gone.
    #[error("{key} has been modified: {}", match current {
        Some(record) => format!("its revision is now {}", record.revision),
        None => "it no longer exists".to_owned(),
    })]
    Conflict {
        /// Of the first operation that failed.
        key: Key,
        /// What is there now.
        current: Option<Arc<Record>>,
    },
    /// A deletion of what does not exist.
    #[error("{key} not found")]
    NotFound {
        /// Of the first operation that failed.
        key: Key,
    },
    /// The store takes no writes: it is shut down, the disk is full or failing. Nothing that was acknowledged
    /// is lost, but whether this transaction happened is known only after the store has been opened again.
    #[error("the store takes no writes: {0}")]
    Unavailable(String),
    /// The transaction is larger than the store takes.
    #[error("request is too large: the transaction has {bytes} bytes, the limit is {limit_bytes}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// What is allowed.
        limit_bytes: usize,
    },
    /// The transaction contradicts itself.
    #[error("invalid transaction: {0}")]
    Invalid(String),
}

/// A precondition that did not hold, found by the state machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Rejection {
    AlreadyExists(Key),
    Conflict(Key, Option<Arc<Record>>),
    NotFound(Key),
}

impl From<Rejection> for CommitError {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::AlreadyExists(key) => Self::AlreadyExists { key },
            Rejection::Conflict(key, current) => Self::Conflict { key, current },
            Rejection::NotFound(key) => Self::NotFound { key },
        }
    }
}
