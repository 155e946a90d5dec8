//! Pods come, go, and want more.

use jiff::Timestamp;
use serde_json::json;

use super::*;

fn pod(cpu: &str, phase: &str) -> PodAtHand {
    let containers = json!([{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": "1Ki"}}}]);
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": containers}, "status": {"phase": phase}});
    PodAtHand::opened(Arc::new(serde_json::from_value(pod).unwrap()))
}

/// Claims this much CPU on a node with two of them.
fn claim(roster: &Roster, uid: &str, millis: i64, priority: i32) -> Verdict {
    let since = Timestamp::from_second(i64::from(priority)).unwrap();
    let claim = Claim { wanted: [millis, 1024, 0], priority, guaranteed: false, since };
    roster.claim(uid, claim, two_cpus)
}

fn two_cpus(growth: &Growth<'_>) -> Result<(), String> {
    let [all, ..] = growth.others;
    if growth.wanted[0] <= growth.held[0] || growth.wanted[0] + all <= 2000 {
        Ok(())
    } else {
        Err(format!("used: {all}"))
    }
}

fn cpu_in_use(roster: &Roster) -> i64 {
    roster.inner.read().sum[0]
}

fn load(roster: &Roster) -> (u32, Asked) {
    let inner = roster.inner.read();
    (inner.active, inner.sum)
}

#[test]
fn what_has_not_ended_is_counted_once_as_it_came() {
    let roster = Roster::default();
    roster.put("a", &pod("500m", "Pending"));
    roster.put("b", &pod("1", "Running"));
    assert_eq!(load(&roster), (2, [1500, 2048, 0]));
    roster.put("b", &pod("2", "Running"));
    assert_eq!(load(&roster), (2, [1500, 2048, 0]), "it only asks for more");
    roster.put("b", &pod("2", "Succeeded"));
    assert_eq!((load(&roster), roster.active().len(), roster.all().len()), ((1, [500, 1024, 0]), 1, 2));
    roster.refuse("a");
    roster.refuse("c");
    roster.put("a", &pod("500m", "Pending"));
    assert_eq!((load(&roster), roster.active().len()), ((0, [0, 0, 0]), 0));
    roster.remove("a");
    roster.remove("b");
    roster.remove("b");
    assert_eq!(load(&roster), (0, [0, 0, 0]));
}

#[test]
fn a_pod_is_judged_beside_the_others_and_counts_unless_that_refuses_it() {
    let roster = Roster::default();
    roster.put("a", &pod("500m", "Running"));
    let lacks = roster.admit("b", &pod("1", "Pending"), |pods, asked| Ok::<_, ()>((pods, asked)));
    assert_eq!((lacks, cpu_in_use(&roster)), (Ok((1, [500, 1024, 0])), 1500));
    let refused = roster.admit("c", &pod("1", "Pending"), |pods, asked| Err::<(), _>((pods, asked)));
    assert_eq!((refused, cpu_in_use(&roster)), (Err((2, [1500, 2048, 0])), 1500));
    roster.put("c", &pod("1", "Pending"));
    assert_eq!((load(&roster).0, roster.all().len()), (2, 3), "what the API says of it changes nothing");
}

#[test]
fn those_beside_a_pod_have_what_they_were_let_have() {
    let roster = Roster::default();
    for uid in ["a", "b", "c"] {
        roster.put(uid, &pod("500m", "Running"));
    }
    roster.put("b", &pod("2", "Running"));
    roster.refuse("c");
    let beside = roster.beside("a");
    assert_eq!(beside.iter().map(|it| (&*it.uid, it.held[0])).collect::<Vec<_>>(), [("b", 500)]);
}

#[tokio::test]
async fn who_is_refused_makes_room_for_those_who_wait() {
    let roster = Roster::default();
    roster.put("a", &pod("800m", "Running"));
    roster.admit("b", &pod("1", "Pending"), |_, _| Ok::<_, ()>(())).unwrap();
    let Verdict::Waits { news, .. } = claim(&roster, "a", 1500, 0) else { panic!("there is no room") };
    roster.refuse("b");
    roster.freed().await;
    roster.settle(two_cpus);
    news.await.unwrap();
    assert_eq!(load(&roster), (1, [1500, 1024, 0]));
}

#[tokio::test]
async fn a_claim_is_granted_or_waits_until_there_is_room() {
    let roster = Roster::default();
    for uid in ["a", "b"] {
        roster.put(uid, &pod("800m", "Running"));
    }
    assert!(matches!(claim(&roster, "a", 900, 0), Verdict::Granted));
    let Verdict::Waits { message, news } = claim(&roster, "b", 1500, 0) else { panic!("there is no room") };
    assert_eq!((&*message, cpu_in_use(&roster)), ("used: 900", 1700));
    assert!(matches!(claim(&roster, "b", 1500, 0), Verdict::StillWaits));
    assert!(matches!(claim(&roster, "a", 100, 0), Verdict::Granted), "less is never refused");
    roster.freed().await;
    roster.settle(two_cpus);
    news.await.unwrap();
    assert_eq!(cpu_in_use(&roster), 1600);
    assert!(matches!(claim(&roster, "b", 1500, 0), Verdict::Granted));
}

#[test]
fn room_goes_to_those_who_wait_in_their_order() {
    let roster = Roster::default();
    for uid in ["holder", "low", "high", "small"] {
        roster.put(uid, &pod("500m", "Running"));
    }
    let waits = |uid, millis, priority| match claim(&roster, uid, millis, priority) {
        Verdict::Waits { news, .. } => news,
        other => panic!("{other:?}"),
    };
    let mut low = waits("low", 900, 1);
    let mut high = waits("high", 950, 5);
    let mut small = waits("small", 510, 0);
    roster.remove("holder");
    roster.settle(two_cpus);
    assert!(high.try_recv().is_ok() && low.try_recv().is_err(), "the one with the higher priority");
    assert!(small.try_recv().is_ok(), "one that still fits is not held up");
    assert_eq!(cpu_in_use(&roster), 950 + 500 + 510);
}

#[test]
fn who_wants_no_more_or_has_ended_gets_nothing() {
    let roster = Roster::default();
    for uid in ["a", "b", "c", "d"] {
        roster.put(uid, &pod("600m", "Running"));
    }
    let [withdrawn, ended, gone] = ["b", "c", "d"].map(|uid| claim(&roster, uid, 700, 0));
    assert!(matches!(
        (&withdrawn, &ended, &gone),
        (Verdict::Waits { .. }, Verdict::Waits { .. }, Verdict::Waits { .. })
    ));
    roster.withdraw("b");
    roster.put("c", &pod("600m", "Failed"));
    drop(gone);
    roster.remove("a");
    roster.settle(two_cpus);
    assert_eq!(cpu_in_use(&roster), 1200, "nobody listens for the last one");
    assert!(roster.inner.read().waiting.is_empty());
}
