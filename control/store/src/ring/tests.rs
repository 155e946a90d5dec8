use futures::{FutureExt, StreamExt};

use super::*;
use crate::apply::{Applier, Step};
use crate::testing::{lift, pod, put};
use crate::{Expect, Txn};

/// A ring with somebody who writes to it.
struct World {
    applier: Applier,
    state: Arc<State>,
    ring: Arc<Ring>,
}

impl World {
    fn new(events: usize) -> Self {
        let state = Arc::new(State::default());
        let ring = Arc::new(Ring::new(Limits { events, bytes: usize::MAX, age: Duration::MAX }, state.clone()));
        Self { applier: Applier::new(lift()), state, ring }
    }

    fn apply(&mut self, txn: Txn) -> u64 {
        let mut step = Step { state: State::clone(&self.state), events: Vec::new() };
        let revision = self.applier.apply(&mut step, &txn).expect("commits").revision;
        self.state = Arc::new(step.state);
        self.ring.publish(step.events, self.state.clone());
        revision
    }

    fn watch(&self, scope: WatchScope, from: u64) -> Watch {
        self.ring.watch(scope, from).expect("a watch")
    }
}

fn pods() -> Scope {
    Scope::all("pods")
}

/// What a watch has to say now, as `NAME@REVISION`.
fn now(watch: &mut Watch) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(batch) = watch.next_batch(3).now_or_never() {
        for event in batch.expect("open").expect("no error") {
            seen.push(format!("{}@{}", event.record.key.name, event.revision));
        }
    }
    seen
}

#[test]
fn a_watch_starts_from_any_kept_revision_and_sees_everything_since() {
    let mut world = World::new(100);
    for number in 0..10 {
        world.apply(put("a", &format!("p{number}"), "n1"));
    }
    for from in (1..=11).rev().chain(1..=11) {
        let expected: Vec<_> = (from + 1..=11).map(|revision| format!("p{}@{revision}", revision - 2)).collect();
        assert_eq!(now(&mut world.watch(pods().into(), from)), expected, "from {from}");
    }
    // All at the same time, the youngest first, so that a topic has to be extended back.
    let mut watches: Vec<_> = (1..=11).rev().map(|from| (from, world.watch(pods().into(), from))).collect();
    world.apply(put("a", "late", "n1"));
    for (from, watch) in &mut watches {
        let seen = now(watch);
        assert_eq!(seen.len() as u64, 12 - *from);
        assert_eq!(seen.last().map(String::as_str), Some("late@12"));
    }
}

#[test]
fn behind_the_history_there_is_only_expired() {
    let mut world = World::new(4);
    let mut slow = world.watch(pods().into(), 1);
    let mut other = world.watch(Scope::namespaced("pods", "quiet").into(), 1);
    for number in 0..10 {
        world.apply(put("a", &format!("p{number}"), "n1"));
    }
    assert_eq!(world.ring.depth().events, 4);
    assert_eq!(world.ring.compacted(), 7);
    let expired = WatchError::Expired(Expired { requested: 6, oldest: 7 });
    assert_eq!(world.ring.watch(pods().into(), 6).err(), Some(expired));
    assert_eq!(now(&mut world.watch(pods().into(), 7)), ["p6@8", "p7@9", "p8@10", "p9@11"]);
    let expired = WatchError::Expired(Expired { requested: 1, oldest: 7 });
    let answer = slow.next_batch(1).now_or_never().expect("ready").expect("an error");
    assert_eq!(answer.err(), Some(expired));
    assert!(matches!(slow.next_batch(1).now_or_never(), Some(None)), "it ends after the error");
    assert!(now(&mut other).is_empty(), "a quiet namespace missed nothing");
    assert_eq!(other.progress(), 11);
}

#[test]
fn the_history_is_bounded_in_bytes_and_keeps_transactions_whole() {
    let state = Arc::new(State::default());
    let ring = Arc::new(Ring::new(Limits { events: 1000, bytes: 8_000, age: Duration::MAX }, state.clone()));
    let mut world = World { applier: Applier::new(lift()), state, ring };
    for number in 0..50 {
        let op = |name: String| put("a", &name, "n1").ops.remove(0);
        world.apply(Txn::new(vec![op(format!("x{number}")), op(format!("y{number}"))]));
        let depth = world.ring.depth();
        assert!(depth.bytes <= 8_000);
        assert_eq!(depth.events % 2, 0);
    }
    let depth = world.ring.depth();
    assert!(depth.events > 0);
    assert_eq!(depth.compacted, 51 - depth.events as u64 / 2);
}

#[test]
fn events_grow_old_and_watchers_that_have_seen_them_do_not_mind() {
    let state = Arc::new(State::default());
    let limits = Limits { events: 1000, bytes: usize::MAX, age: Duration::from_secs(300) };
    let ring = Arc::new(Ring::new(limits, state.clone()));
    let mut world = World { applier: Applier::new(lift()), state, ring };
    let begun = Instant::now();
    let age = |world: &World, seconds| {
        world.ring.history.lock().age(begun + Duration::from_secs(seconds));
        (world.ring.depth().events, world.ring.compacted())
    };
    let mut watch = world.watch(pods().into(), 1);
    world.apply(put("a", "old", "n1"));
    assert_eq!(age(&world, 0), (1, 1));
    world.apply(put("a", "young", "n1"));
    assert_eq!(now(&mut watch), ["old@2", "young@3"]);
    assert_eq!(age(&world, 299), (2, 1));
    assert_eq!(age(&world, 300), (1, 2));
    assert_eq!(now(&mut world.watch(pods().into(), 2)), ["young@3"]);
    assert!(world.ring.watch(pods().into(), 1).is_err(), "what it would have to see first is gone");
    // Without anything new, no revision is lost.
    assert_eq!((age(&world, 600), age(&world, 10_000)), ((0, 3), (0, 3)));
    world.apply(put("a", "new", "n1"));
    assert_eq!(now(&mut watch), ["new@4"]);
    assert_eq!(now(&mut world.watch(pods().into(), 3)), ["new@4"]);
}

#[test]
fn a_batch_does_not_tear_a_transaction_apart() {
    let mut world = World::new(100);
    let op = |name: &str| put("a", name, "n1").ops.remove(0);
    world.apply(Txn::new(vec![op("a"), op("b"), op("c"), op("d")]));
    world.apply(put("a", "e", "n1"));
    let mut watch = world.watch(pods().into(), 1);
    let batch = watch.next_batch(1).now_or_never().expect("ready").expect("open").expect("no error");
    assert_eq!(batch.len(), 4);
    assert_eq!(watch.progress(), 2);
    assert_eq!(now(&mut watch), ["e@3"]);
}

#[test]
fn watches_are_narrowed_by_namespace_name_and_field() {
    let mut world = World::new(100);
    let mut namespace = world.watch(Scope::namespaced("pods", "b").into(), 1);
    let mut name = world.watch(WatchScope::new(pods()).named("x"), 1);
    let mut node = world.watch(WatchScope::new(pods()).with_field("spec.nodeName", "n1"), 1);
    let scope = WatchScope::new(Scope::namespaced("pods", "a")).named("x").with_field("spec.nodeName", "n2");
    let mut all = world.watch(scope, 1);
    let mut others = world.watch(Scope::all("services").into(), 1);
    world.apply(put("a", "x", "n1"));
    world.apply(put("b", "x", "n1"));
    world.apply(put("b", "y", "n2"));
    world.apply(put("a", "x", "n2"));
    world.apply(put("a", "x", "n3"));
    world.apply(Txn::delete(pod("b", "x"), Expect::Any, None));
    assert_eq!(now(&mut namespace), ["x@3", "y@4", "x@7"]);
    assert_eq!(now(&mut name), ["x@2", "x@3", "x@5", "x@6", "x@7"]);
    assert_eq!(now(&mut node), ["x@2", "x@3", "x@5", "x@7"], "leaving the node is told, what follows is not");
    assert_eq!(now(&mut all), ["x@5", "x@6"]);
    assert!(now(&mut others).is_empty());
    assert_eq!(others.progress(), 7, "bookmarks advance without events");
}

#[test]
fn topics_go_with_their_last_watcher() {
    let mut world = World::new(100);
    let first = world.watch(pods().into(), 1);
    let second = world.watch(pods().into(), 1);
    world.apply(put("a", "x", "n1"));
    drop(first);
    assert_eq!(world.ring.history.lock().topics.len(), 1);
    drop(second);
    assert_eq!(world.ring.history.lock().topics.len(), 0);
    assert_eq!(world.ring.depth().watchers, 0);
}

#[test]
fn a_list_of_the_past_is_the_newest_state_with_later_events_undone() {
    let mut world = World::new(100);
    let mut past = Vec::new();
    for number in 0..40_u64 {
        let name = format!("p{}", number % 7);
        let txn = if number % 5 == 4 {
            match world.state.get(&pod("a", &name)) {
                Some(_) => Txn::delete(pod("a", &name), Expect::Any, None),
                None => put("a", &name, "again"),
            }
        } else {
            put(if number % 3 == 0 { "b" } else { "a" }, &name, &format!("n{number}"))
        };
        world.apply(txn);
        past.push(world.state.clone());
    }
    let rows = |snapshot: &Snapshot| -> Vec<_> {
        snapshot.iter().map(|record| (record.key.clone(), record.revision)).collect()
    };
    for state in past.iter().rev().chain(&past) {
        for scope in [pods(), Scope::namespaced("pods", "a"), Scope::all("services")] {
            let then = world.ring.list_at(&scope, state.revision).expect("kept");
            assert_eq!(then.revision, state.revision);
            assert_eq!(rows(&then), rows(&state.snapshot(&scope)));
        }
    }
    let (future, zero) = (world.state.revision + 1, 0);
    assert_eq!(world.ring.list_at(&pods(), future).err(), Some(Expired { requested: future, oldest: 1 }));
    assert_eq!(world.ring.list_at(&pods(), zero).err(), Some(Expired { requested: 0, oldest: 1 }));
}

#[test]
fn a_list_is_in_key_order_and_goes_on_where_a_page_ended() {
    let mut world = World::new(100);
    for (namespace, name) in [("b", "x"), ("a", "z"), ("a", "a"), ("ab", "m"), ("a", "m")] {
        world.apply(put(namespace, name, "n1"));
    }
    let names = |records: Vec<&Arc<crate::Record>>| -> Vec<String> {
        records.iter().map(|record| format!("{}/{}", record.key.namespace, record.key.name)).collect()
    };
    let all = world.state.snapshot(&pods());
    assert_eq!(names(all.iter().collect()), ["a/a", "a/m", "a/z", "ab/m", "b/x"]);
    assert_eq!(names(all.iter_after("a", "n").collect()), ["a/z", "ab/m", "b/x"]);
    let one = world.state.snapshot(&Scope::namespaced("pods", "a"));
    assert_eq!(names(one.iter().collect()), ["a/a", "a/m", "a/z"]);
    assert_eq!(names(one.iter_after("a", "a").collect()), ["a/m", "a/z"]);
    assert_eq!(names(one.iter_after("", "zzz").collect()), ["a/a", "a/m", "a/z"]);
    assert!(one.iter_after("b", "a").next().is_none());
    assert_eq!((all.len(), one.len(), one.is_empty()), (5, 3, false));
}

#[tokio::test]
async fn waiting_watchers_are_woken_and_end_with_the_ring() {
    let mut world = World::new(100);
    let ring = world.ring.clone();
    let herald = tokio::spawn(async move { ring.herald().await });
    let watches: Vec<_> = (0..20).map(|_| world.watch(pods().into(), 1)).collect();
    let counts: Vec<_> = watches.into_iter().map(|watch| tokio::spawn(watch.count())).collect();
    tokio::task::yield_now().await;
    for number in 0..5 {
        world.apply(put("a", &format!("p{number}"), "n1"));
        tokio::task::yield_now().await;
    }
    world.ring.close();
    for count in counts {
        assert_eq!(count.await.expect("no panic"), 5);
    }
    herald.await.expect("no panic");
    assert!(matches!(world.ring.watch(pods().into(), 6), Err(WatchError::Closed)));
}

#[test]
fn a_state_from_elsewhere_ends_watches() {
    let mut world = World::new(100);
    world.apply(put("a", "x", "n1"));
    let mut watch = world.watch(pods().into(), 1);
    world.ring.restart(Arc::new(State::at(50)));
    assert!(matches!(
        watch.next_batch(1).now_or_never(),
        Some(Some(Err(WatchError::Expired(Expired { oldest: 50, .. }))))
    ));
    assert!(world.ring.watch(pods().into(), 49).is_err());
    assert!(now(&mut world.watch(pods().into(), 50)).is_empty());
}
