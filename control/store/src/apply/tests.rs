use super::*;
use crate::testing::{lift, on_node, pod, put};

fn start() -> (Applier, Step) {
    (Applier::new(lift()), Step { state: State::default(), events: Vec::new() })
}

fn kinds(step: &Step) -> Vec<(EventKind, u64)> {
    step.events.iter().map(|event| (event.kind, event.revision)).collect()
}

#[test]
fn each_transaction_takes_the_next_revision_and_its_operations_share_it() {
    let (mut applier, mut step) = start();
    let first = applier.apply(&mut step, &put("a", "x", "n1")).expect("commits");
    let op = |name: &str| Op::Put { key: pod("a", name), object: on_node(name, "n2"), expect: Expect::Any };
    let second = applier.apply(&mut step, &Txn::new(vec![op("x"), op("y")])).expect("commits");
    assert_eq!((first.revision, second.revision), (2, 3));
    assert_eq!(kinds(&step), [(EventKind::Added, 2), (EventKind::Modified, 3), (EventKind::Added, 3)]);
    let record = step.state.get(&pod("a", "x")).expect("stored");
    assert_eq!((record.revision, record.create_revision), (3, 2));
    let json: serde_json::Value = serde_json::from_slice(&record.json).expect("JSON");
    assert_eq!(json["metadata"]["resourceVersion"], "3");
}

#[test]
fn expectations_are_checked_against_what_is_stored() {
    let (mut applier, mut step) = start();
    let mut run = |txn: Txn| applier.apply(&mut step, &txn).map(|committed| committed.revision);
    let write = |expect| Txn::put(pod("a", "x"), on_node("x", "n"), expect);
    let delete = |expect| Txn::delete(pod("a", "x"), expect, None);

    assert!(matches!(run(write(Expect::Revision(2))), Err(Rejection::Conflict(_, None))));
    assert!(matches!(run(delete(Expect::Any)), Err(Rejection::NotFound(_))));
    assert!(matches!(run(delete(Expect::Revision(2))), Err(Rejection::NotFound(_))));
    assert!(matches!(run(write(Expect::Absent)), Ok(2)));
    assert!(matches!(run(write(Expect::Absent)), Err(Rejection::AlreadyExists(_))));
    assert!(matches!(run(write(Expect::Revision(2))), Ok(3)));
    match run(write(Expect::Revision(2))) {
        Err(Rejection::Conflict(key, Some(current))) => assert_eq!((key, current.revision), (pod("a", "x"), 3)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(run(delete(Expect::Absent)), Err(Rejection::Conflict(_, Some(_)))));
    assert!(matches!(run(delete(Expect::Revision(2))), Err(Rejection::Conflict(_, Some(_)))));
    assert!(matches!(run(delete(Expect::Revision(3))), Ok(4)));
    assert!(matches!(run(write(Expect::Any)), Ok(5)));
}

#[test]
fn a_transaction_with_one_failing_operation_changes_nothing() {
    let (mut applier, mut step) = start();
    applier.apply(&mut step, &put("a", "x", "n1")).expect("commits");
    let txn = Txn::new(vec![
        Op::Put { key: pod("a", "y"), object: on_node("y", "n1"), expect: Expect::Absent },
        Op::Put { key: pod("a", "x"), object: on_node("x", "n1"), expect: Expect::Absent },
    ]);
    assert!(matches!(applier.apply(&mut step, &txn), Err(Rejection::AlreadyExists(key)) if key == pod("a", "x")));
    assert!(step.state.get(&pod("a", "y")).is_none());
    assert_eq!((step.state.revision, step.events.len()), (2, 1));
}

#[test]
fn a_deletion_shows_the_final_state_at_its_own_revision() {
    let (mut applier, mut step) = start();
    applier.apply(&mut step, &put("a", "x", "n1")).expect("commits");
    applier.apply(&mut step, &put("a", "y", "n1")).expect("commits");
    let stored = applier.apply(&mut step, &Txn::delete(pod("a", "x"), Expect::Any, None)).expect("commits");
    let last = Some(on_node("y", "n9"));
    let given = applier.apply(&mut step, &Txn::delete(pod("a", "y"), Expect::Any, last)).expect("commits");
    let json = |record: &Record| serde_json::from_slice::<serde_json::Value>(&record.json).expect("JSON");
    assert_eq!(json(&stored.records[0])["metadata"]["resourceVersion"], "4");
    assert_eq!(json(&stored.records[0])["spec"]["nodeName"], "n1");
    assert_eq!(json(&given.records[0])["spec"]["nodeName"], "n9");
    assert_eq!(given.records[0].lifted.field("spec.nodeName"), Some("n9"));
    let event = step.events.last().expect("an event");
    assert_eq!(event.previous.as_ref().and_then(|previous| previous.lifted.field("spec.nodeName")), Some("n1"));
    assert_eq!(step.state.records().count(), 0);
}
