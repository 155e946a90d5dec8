use std::{os::fd::AsFd, time::Duration};

use proptest::prelude::*;
use rustix::net::{SendFlags, send};

use super::*;
use crate::{ExitReason, Usage, test_support::StaticNetwork};

/// A link to a child that the test is itself: the socket where it speaks.
fn hostile() -> (Arc<Shared>, OwnedFd) {
    let (ours, childs) = channel::pair().unwrap();
    let network = StaticNetwork::default().name("db", "10.0.0.9");
    let control = Channel::of_parent(ours).unwrap();
    (Shared::over(control, CancellationToken::new(), Arc::new(network), None), childs)
}

fn registered(shared: &Shared, id: Id) -> (Arc<Entry>, oneshot::Receiver<Result<(), String>>) {
    let (set_started, started) = oneshot::channel();
    let entry = Arc::new(Entry::new(0, set_started));
    shared.entries.lock().insert(id, Arc::clone(&entry));
    (entry, started)
}

fn say(child: &OwnedFd, message: &FromChild) {
    channel::send_blocking(child.as_fd(), message).unwrap();
}

async fn killed(shared: &Shared) {
    timeout(Duration::from_secs(10), shared.heard.cancelled()).await.expect("it is killed");
    assert!(shared.kill.is_cancelled());
}

#[tokio::test]
async fn a_child_that_sends_garbage_is_killed() {
    // The last one is "ready" and much besides.
    for garbage in [&[0xff; 40][..], &[9], &[0; 1000]] {
        let (shared, child) = hostile();
        send(&child, garbage, SendFlags::empty()).unwrap();
        killed(&shared).await;
    }
}

#[tokio::test]
async fn a_child_that_sends_too_much_is_killed() {
    let (shared, child) = hostile();
    send(&child, &vec![0; limits::ISOLATED_MESSAGE_BYTES + 1], SendFlags::empty()).unwrap();
    killed(&shared).await;
}

#[tokio::test]
async fn a_child_that_sends_descriptors_is_killed_and_they_are_not_taken() {
    let (shared, child) = hostile();
    let (reader, writer) = io::pipe().unwrap();
    let sender = Channel::of_child(child).unwrap();
    sender.send(&FromChild::Lookup(1, "db".into()), &[writer.into()]).await.unwrap();
    killed(&shared).await;
    // Nobody can write to the pipe any more.
    let rest = tokio::task::spawn_blocking(move || io::read_to_string(reader)).await.unwrap();
    assert_eq!(rest.unwrap(), "");
}

#[tokio::test]
async fn a_child_that_reads_nothing_is_killed_and_holds_up_nobody() {
    let (shared, _child) = hostile();
    let mut sent = 0;
    while !shared.kill.is_cancelled() {
        shared.order(ToChild::SetPodLimits(PodLimits::default()), Vec::new());
        sent += 1;
        tokio::task::yield_now().await;
        assert!(sent < 100_000, "orders are bounded");
    }
    assert!(sent > limits::ISOLATED_ORDERS, "so many may wait");
    timeout(Duration::from_secs(10), shared.orders.closed()).await.expect("nobody speaks any more");
}

#[tokio::test]
async fn a_child_that_asks_and_reads_nothing_is_killed_and_has_a_bounded_number_of_tasks() {
    let (shared, child) = hostile();
    let control = Channel::of_child(child).unwrap();
    let tasks = Handle::current();
    let (mut asked, mut most) = (0, 0);
    for call in 0..10_000 {
        if control.send(&FromChild::Lookup(call, "db".into()), &[]).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
        asked += 1;
        most = most.max(tasks.metrics().num_alive_tasks());
    }
    killed(&shared).await;
    assert!(asked > limits::ISOLATED_ORDERS + limits::ISOLATED_LOOKUPS, "so many may wait: {asked}");
    // And one that speaks, and one that listens.
    assert!(most <= limits::ISOLATED_LOOKUPS + 2, "{most} tasks");
    let all_gone = async {
        while tasks.metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), all_gone).await.expect("its tasks end with it");
}

#[tokio::test]
async fn the_group_has_the_shares_of_all_containers_there_are() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("pod")).unwrap();
    let group = ControlGroup::make(dir.path().join("pod"), PodLimits::default()).unwrap();
    let weight = dir.path().join("pod/cpu.weight");
    std::fs::write(&weight, "100").unwrap();
    let (ours, _childs) = channel::pair().unwrap();
    let (control, kill) = (Channel::of_parent(ours).unwrap(), CancellationToken::new());
    let shared = Shared::over(control, kill, Arc::new(StaticNetwork::default()), Some(Arc::new(group)));
    let weighs = |wanted: &str| assert_eq!(std::fs::read_to_string(&weight).unwrap(), wanted);
    let add = |id, shares| {
        let entry = Arc::new(Entry::new(shares, oneshot::channel().0));
        shared.add(id, Arc::clone(&entry));
        entry
    };
    add(0, 0);
    weighs("100");
    let first = add(1, 1024);
    weighs("39");
    add(2, 1024);
    weighs("79");
    first.set_cpu_shares(2);
    shared.weigh();
    weighs("40");
    shared.forget(1);
    weighs("39");
    shared.forget(2);
    weighs("39");
}

#[tokio::test]
async fn what_is_said_counts_for_the_childs_own_containers_and_once() {
    let (shared, child) = hostile();
    let (entry, started) = registered(&shared, 1);
    let usage = |millis| Usage { memory_bytes: 7, cpu_time: Duration::from_millis(millis) };
    let exit = |code| Exit { code, reason: ExitReason::Error, message: Some("x".repeat(40_000)) };
    for message in [
        FromChild::Ended(99, exit(9), usage(9)),
        FromChild::Started(1, Ok(())),
        FromChild::Started(1, Err("no".into())),
        FromChild::Uses(1, usage(50)),
        FromChild::Uses(1, usage(20)),
    ] {
        say(&child, &message);
    }
    assert_eq!(started.await.unwrap(), Ok(()));
    say(&child, &FromChild::Ended(1, exit(3), usage(30)));
    say(&child, &FromChild::Ended(1, exit(4), usage(30)));
    let mut said = entry.said();
    let end = said.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert!(end.message.unwrap().len() <= limits::TRAP_MESSAGE_LIMIT_BYTES + '…'.len_utf8());
    drop(child);
    killed(&shared).await;
    assert_eq!(entry.usage(), usage(50), "time does not run backwards");
}

#[tokio::test]
async fn names_are_looked_up_within_bounds() {
    let (shared, child) = hostile();
    let control = Channel::of_child(child).unwrap();
    let ask = |call, name: &str| FromChild::Lookup(call, name.to_owned());
    let long = "a".repeat(limits::NAME_LIMIT_BYTES + 1);
    for (name, wanted) in [
        ("db", Ok(vec!["10.0.0.9".parse().unwrap()])),
        ("other", Err(NetworkError::NotFound)),
        (&long, Err(NetworkError::NotFound)),
    ] {
        control.send(&ask(7, name), &[]).await.unwrap();
        match control.receive::<ToChild>().await.unwrap() {
            Some((ToChild::Found(7, found), _)) => assert_eq!(found, wanted),
            other => panic!("{other:?}"),
        }
    }
    assert!(!shared.kill.is_cancelled());
}

proptest! {
    #[test]
    fn no_message_is_worse_than_senseless(garbage in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = postcard::from_bytes::<FromChild>(&garbage);
        let _ = postcard::from_bytes::<Route>(&garbage);
    }
}
