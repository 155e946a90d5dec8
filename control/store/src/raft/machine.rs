//! The replicated state machine: applies entries in order, publishes the new state and its events, and
//! leaves what changed with the writer.
//!
//! Order within one apply: the state is published, then the events, then raft answers the writers. So
//! nobody hears of a change that a read would not show.

use std::sync::Arc;

use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageIOError, StoredMembership,
};

use super::{Image, LogCache, LogId, Node, NodeId, Outcomes, RaftEntry, StorageError, TypeConfig};
use crate::apply::{Applier, Step};
use crate::disk::{Applied, DiskError};
use crate::event::{Event, EventKind};
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::record::Lift;
use crate::ring::Ring;
use crate::state::State;
use crate::writer::{Effects, Job, Writer};

/// The state machine of this node.
pub(crate) struct Machine {
    applier: Applier,
    applied: Applied,
    memory: Arc<Memory>,
    ring: Arc<Ring>,
    cache: Arc<LogCache>,
    writer: Writer,
    metrics: Metrics,
}

impl Machine {
    /// A machine whose state, already in `memory`, is that of `applied`.
    pub(crate) fn new(
        lift: Arc<dyn Lift>,
        applied: Applied,
        (memory, ring): (Arc<Memory>, Arc<Ring>),
        cache: Arc<LogCache>,
        writer: Writer,
        metrics: Metrics,
    ) -> Self {
        Self { applier: Applier::new(lift), applied, memory, ring, cache, writer, metrics }
    }

    fn apply_entry(&mut self, step: &mut Step, entry: RaftEntry) -> Outcomes {
        self.applied.log_id = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => Outcomes::default(),
            EntryPayload::Membership(membership) => {
                self.applied.membership = StoredMembership::new(Some(entry.log_id), membership);
                Outcomes::default()
            }
            EntryPayload::Normal(batch) => {
                Outcomes(batch.txns.iter().map(|txn| self.applier.apply(step, txn)).collect())
            }
        }
    }

    /// Shows the new state to readers and watchers.
    fn publish(&self, step: Step) {
        if step.events.is_empty() {
            return;
        }
        self.metrics.events.inc_by(step.events.len() as u64);
        let state = Arc::new(step.state);
        self.memory.publish(state.clone());
        self.ring.publish(step.events, state);
    }

    fn snapshot(&self) -> Snapshot<TypeConfig> {
        let image = Image::of(self.memory.state());
        Snapshot { meta: meta(&self.applied), snapshot: Box::new(image) }
    }
}

/// What the events did to objects, for the writer.
fn effects(applied: Applied, events: &[Arc<Event>]) -> Effects {
    let effect = |event: &Arc<Event>| {
        let stored = (event.kind != EventKind::Deleted).then(|| event.record.clone());
        (event.record.key.clone(), stored)
    };
    Effects { applied, objects: events.iter().map(effect).collect() }
}

fn meta(applied: &Applied) -> SnapshotMeta<NodeId, Node> {
    let snapshot_id = applied.log_id.map_or_else(|| "empty".to_owned(), |log_id| log_id.to_string());
    SnapshotMeta { last_log_id: applied.log_id, last_membership: applied.membership.clone(), snapshot_id }
}

fn machine_error(error: DiskError) -> StorageError {
    StorageIOError::write_state_machine(AnyError::new(&error)).into()
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership<NodeId, Node>), StorageError> {
        Ok((self.applied.log_id, self.applied.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcomes>, StorageError>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut step = Step { state: State::clone(&self.memory.state()), events: Vec::new() };
        let outcomes = entries.into_iter().map(|entry| self.apply_entry(&mut step, entry)).collect();
        self.applied.revision = step.state.revision;
        let effects = effects(self.applied.clone(), &step.events);
        self.publish(step);
        if let Some(log_id) = self.applied.log_id {
            self.cache.release(log_id.index);
        }
        self.writer.effects(effects).await.map_err(machine_error)?;
        Ok(outcomes)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder { snapshot: self.snapshot(), writer: self.writer.clone(), metrics: self.metrics.clone() }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Image>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<NodeId, Node>,
        snapshot: Box<Image>,
    ) -> Result<(), StorageError> {
        let write_error =
            |error: &DiskError| StorageIOError::write_snapshot(Some(meta.signature()), AnyError::new(error));
        let state = snapshot.into_state(&mut self.applier).map_err(|error| write_error(&error))?;
        let applied =
            Applied { log_id: meta.last_log_id, membership: meta.last_membership.clone(), revision: state.revision };
        let job = |reply| Job::Replace { applied: applied.clone(), state: state.clone(), reply };
        self.writer.done(job).await.map_err(|error| write_error(&error))?;
        self.applied = applied;
        let state = Arc::new(state);
        self.memory.publish(state.clone());
        self.ring.restart(state);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError> {
        // The state is its own snapshot: taking it costs nothing and what is taken does not change.
        Ok(self.applied.log_id.is_some().then(|| self.snapshot()))
    }
}

/// Makes a snapshot durable, which lets raft purge the log up to it.
pub(crate) struct Builder {
    snapshot: Snapshot<TypeConfig>,
    writer: Writer,
    metrics: Metrics,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError> {
        // The objects on disk are the snapshot: it is durable once they have come as far.
        self.writer.done(Job::Sync).await.map_err(machine_error)?;
        self.metrics.snapshots.inc();
        Ok(self.snapshot.clone())
    }
}

#[cfg(test)]
mod tests;
