use bytes::Bytes;
use openraft::storage::RaftStateMachine;
use openraft::{Entry, EntryPayload};

use super::*;
use crate::disk;
use crate::health::Health;
use crate::raft::Batch;
use crate::ring::Limits;
use crate::testing::{lift, put};
use crate::{Expect, Txn};

/// A state machine of its own, with its writer on a file in memory.
struct Node {
    machine: Machine,
    db: Arc<redb::Database>,
    memory: Arc<Memory>,
}

fn node() -> Node {
    let db = redb::Builder::new().create_with_backend(redb::backends::InMemoryBackend::new()).expect("a database");
    let db = Arc::new(db);
    disk::prepare(&db, 1).expect("tables");
    let metrics = Metrics::default();
    let (writer, _thread) =
        Writer::start(db.clone(), Arc::default(), Arc::new(Health::new(".".as_ref(), 0)), metrics.clone())
            .expect("a thread");
    let state = Arc::new(State::default());
    let memory = Arc::new(Memory::new(state.clone()));
    let ring = Arc::new(Ring::new(Limits { events: 10, bytes: 1 << 20, age: std::time::Duration::MAX }, state));
    let shared = (memory.clone(), ring);
    let machine = Machine::new(lift(), Applied::default(), shared, Arc::default(), writer, metrics);
    Node { machine, db, memory }
}

fn entry(index: u64, txns: Vec<Txn>) -> RaftEntry {
    let log_id = LogId::new(openraft::CommittedLeaderId::new(1, 1), index);
    Entry { log_id, payload: EntryPayload::Normal(Arc::new(Batch { txns })) }
}

fn rows(state: &State) -> Vec<(crate::Key, u64, u64, Bytes)> {
    let row = |record: &Arc<crate::Record>| {
        (record.key.clone(), record.revision, record.create_revision, record.json.clone())
    };
    state.records().map(row).collect()
}

#[tokio::test]
async fn later_transactions_of_an_entry_see_the_earlier_ones() {
    let mut node = node();
    let create = |name| {
        let mut txn = put("a", name, "n1");
        if let crate::Op::Put { expect, .. } = &mut txn.ops[0] {
            *expect = Expect::Absent;
        }
        txn
    };
    let outcomes = node.machine.apply([entry(1, vec![create("x"), create("x"), create("y")])]).await.expect("applies");
    let revisions: Vec<_> =
        outcomes[0].0.iter().map(|outcome| outcome.as_ref().map(|done| done.revision).ok()).collect();
    assert_eq!(revisions, [Some(2), None, Some(3)]);
    assert_eq!(node.memory.state().revision, 3);
}

#[tokio::test]
async fn a_snapshot_travels_in_chunks_and_becomes_the_state_of_another_node() {
    let mut from = node();
    let txns = (0..300).map(|number| put("a", &format!("p{number}"), &"n".repeat(10_000))).collect();
    from.machine.apply([entry(1, txns)]).await.expect("applies");
    let snapshot = from.machine.get_snapshot_builder().await.build_snapshot().await.expect("a snapshot");
    let chunks = snapshot.snapshot.chunks().expect("chunks");
    assert!(chunks.len() > 1);

    let mut to = node();
    to.machine.apply([entry(1, vec![put("z", "gone", "n")])]).await.expect("applies");
    let mut image = to.machine.begin_receiving_snapshot().await.expect("an image");
    chunks.into_iter().for_each(|chunk| image.receive(chunk));
    to.machine.install_snapshot(&snapshot.meta, image).await.expect("installs");

    assert_eq!(to.memory.state().revision, 301);
    assert_eq!(rows(&to.memory.state()), rows(&from.memory.state()));
    assert_eq!(to.machine.applied_state().await.expect("known").0, snapshot.meta.last_log_id);
    let loaded = disk::load(&to.db, &lift(), &Default::default()).expect("loads");
    assert_eq!(rows(&loaded.state), rows(&from.memory.state()));
    assert_eq!(loaded.applied.log_id, snapshot.meta.last_log_id);
}

#[tokio::test]
async fn an_empty_or_mixed_snapshot_is_refused() {
    let mut to = node();
    let meta = SnapshotMeta::default();
    let none = to.machine.install_snapshot(&meta, Box::default()).await;
    assert!(none.is_err());
    let mut image = Image::default();
    for revision in [5, 6] {
        let part = Image::of(Arc::new(State::at(revision))).chunks().expect("a chunk");
        part.into_iter().for_each(|chunk| image.receive(chunk));
    }
    assert!(to.machine.install_snapshot(&meta, Box::new(image)).await.is_err());
    assert_eq!(to.memory.state().revision, State::default().revision);
}
