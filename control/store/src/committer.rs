//! Gathers the transactions that wait into raft entries. While one entry is on its way to disk the next
//! fills up, so under load an fsync carries as many transactions as came during the one before it.

use std::sync::Arc;

use openraft::error::{ClientWriteError, RaftError};
use tokio::sync::{mpsc, oneshot};

use crate::health::Health;
use crate::metrics::Metrics;
use crate::raft::{Batch, Node, NodeId, Outcomes, Raft};
use crate::txn::{CommitError, Committed, Txn};

/// Transactions that wait for an entry. When there are more, callers wait to be let in.
pub(crate) const QUEUE_TXNS: usize = 4_096;

/// Bytes of objects in one entry, above which the next one is begun; one transaction may be larger.
const BATCH_BYTES: usize = 1 << 20;

/// Bytes of log since the last snapshot, above which one is asked for, however few entries they are.
const SNAPSHOT_LOG_BYTES: usize = 64 << 20;

/// One transaction that waits.
pub(crate) struct Waiting {
    pub(crate) txn: Txn,
    pub(crate) size_bytes: usize,
    pub(crate) reply: oneshot::Sender<Result<Committed, CommitError>>,
}

type WriteResult = Result<Outcomes, RaftError<NodeId, ClientWriteError<NodeId, Node>>>;

/// The task that makes entries.
pub(crate) struct Committer {
    raft: Raft,
    queue: mpsc::Receiver<Waiting>,
    /// Taken from the queue, did not fit into the last entry.
    carried: Option<Waiting>,
    max_batch: usize,
    log_bytes: usize,
    health: Arc<Health>,
    metrics: Metrics,
}

impl Committer {
    pub(crate) fn new(
        raft: Raft,
        queue: mpsc::Receiver<Waiting>,
        max_batch: usize,
        health: Arc<Health>,
        metrics: Metrics,
    ) -> Self {
        Self { raft, queue, carried: None, max_batch: max_batch.max(1), log_bytes: 0, health, metrics }
    }

    /// Works until the queue is closed and empty.
    ///
    /// One entry is on its way at a time: with two, the same writers would be split over twice as many fsyncs.
    pub(crate) async fn run(mut self) {
        while let Some(first) = self.next().await {
            // Writers that the last entry has just answered are about to come back: let them in.
            tokio::task::yield_now().await;
            let (batch, replies) = self.gather(first);
            self.commit(batch, replies).await;
        }
    }

    /// The next transaction to begin an entry with.
    async fn next(&mut self) -> Option<Waiting> {
        match self.carried.take() {
            Some(waiting) => Some(waiting),
            None => self.queue.recv().await,
        }
    }

    /// One entry's worth of what waits, beginning with `first`.
    fn gather(&mut self, first: Waiting) -> (Batch, Replies) {
        let mut bytes = first.size_bytes;
        let mut batch = Batch { txns: vec![first.txn] };
        let mut replies = vec![first.reply];
        while batch.txns.len() < self.max_batch {
            let Ok(waiting) = self.queue.try_recv() else { break };
            if bytes + waiting.size_bytes > BATCH_BYTES {
                self.carried = Some(waiting);
                break;
            }
            bytes += waiting.size_bytes;
            batch.txns.push(waiting.txn);
            replies.push(waiting.reply);
        }
        self.log_bytes += bytes;
        (batch, Replies(replies))
    }

    /// Takes the entry through raft and answers its writers.
    async fn commit(&mut self, batch: Batch, replies: Replies) {
        if let Err(reason) = self.health.check() {
            self.metrics.unavailable.inc_by(replies.0.len() as u64);
            replies.all(|| CommitError::Unavailable(reason.clone()));
            return;
        }
        self.metrics.batch_txns.observe(batch.txns.len() as f64);
        let result = self.raft.client_write(Arc::new(batch)).await;
        replies.answer(result.map(|response| response.data), &self.health, &self.metrics);
        if self.log_bytes > SNAPSHOT_LOG_BYTES {
            self.log_bytes = 0;
            // A raft that has stopped says so to the next entry.
            let _ = self.raft.trigger().snapshot().await;
        }
    }
}

/// Who waits for an entry, in its order.
struct Replies(Vec<oneshot::Sender<Result<Committed, CommitError>>>);

impl Replies {
    fn answer(self, result: WriteResult, health: &Health, metrics: &Metrics) {
        match result {
            Ok(outcomes) => {
                for (reply, outcome) in self.0.into_iter().zip(outcomes.0) {
                    if outcome.is_err() {
                        metrics.rejected.inc();
                    }
                    // A caller that went away does not undo what it asked for.
                    let _ = reply.send(outcome.map_err(CommitError::from));
                }
            }
            Err(error) => {
                metrics.unavailable.inc_by(self.0.len() as u64);
                let reason = health.fatal().unwrap_or_else(|| error.to_string());
                self.all(|| CommitError::Unavailable(reason.clone()));
            }
        }
    }

    fn all(self, error: impl Fn() -> CommitError) {
        for reply in self.0 {
            let _ = reply.send(Err(error()));
        }
    }
}
