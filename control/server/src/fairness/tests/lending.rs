//! Seats are lent while nobody else needs them, and come back.

use super::super::state::Entered;
use super::{Hall, level};

#[test]
fn what_may_be_lent_is_lent_and_no_more() {
    let mut hall = Hall::new(100, &[level("busy", 20, 0), level("idle", 80, 50)]);
    assert_eq!(hall.fill("busy").len(), 20 + 40);
    assert_eq!(hall.fill("idle").len(), 40, "the other half was never lent");
}

#[test]
fn borrowing_ends_at_its_limit() {
    let mut careful = level("careful", 20, 0);
    careful["spec"]["limited"]["borrowingLimitPercent"] = 50.into();
    let mut hall = Hall::new(100, &[careful, level("idle", 80, 100)]);
    assert_eq!(hall.fill("careful").len(), 30);
}

#[test]
fn the_first_seats_that_a_borrower_frees_go_back() {
    let mut hall = Hall::new(100, &[level("busy", 20, 0), level("lender", 80, 50)]);
    let mut busy = hall.fill("busy");
    let _own = hall.fill("lender");
    let (.., mut woken) = hall.waits("lender");
    // Whichever request ends, the lender's has its seat.
    assert_eq!(hall.leave(busy.remove(0)), 1);
    assert_eq!(woken.try_recv(), Ok(()));
    assert_eq!((hall.used("busy"), hall.used("lender")), (59, 41));
    // With nobody waiting there, the next one is lent again.
    let (.., mut woken) = hall.waits("busy");
    assert_eq!(hall.leave(busy.remove(0)), 1);
    assert_eq!((woken.try_recv(), hall.used("busy")), (Ok(()), 59));
}

#[test]
fn a_lender_with_requests_that_wait_lends_nothing() {
    let mut hall = Hall::new(10, &[level("lender", 5, 100), level("other", 5, 0)]);
    let own = hall.fill("lender");
    assert_eq!(own.len(), 5);
    let _waiting = hall.waits("lender");
    let _others = hall.fill("other");
    let _also = hall.waits("other");
    // The freed seat is for the level's own request, though another level's waits as well.
    assert_eq!(hall.leave(own[0]), 1);
    assert_eq!((hall.used("lender"), hall.used("other")), (5, 5));
}

#[test]
fn freed_seats_go_to_whoever_may_borrow_them_each_in_turn() {
    let mut hall = Hall::new(30, &[level("a", 10, 0), level("b", 10, 0), level("lender", 10, 100)]);
    let own = hall.fill("lender");
    let (_a, _b) = (hall.fill("a"), hall.fill("b"));
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(hall.waits("a"));
        waiting.push(hall.waits("b"));
    }
    for seat in own.into_iter().take(6) {
        assert_eq!(hall.leave(seat), 1);
    }
    assert_eq!((hall.used("a"), hall.used("b"), hall.used("lender")), (13, 13, 4));
}

#[test]
fn seats_that_come_back_pay_for_borrowed_ones() {
    let mut between = level("between", 10, 50);
    between["spec"]["limited"]["borrowingLimitPercent"] = 20.into();
    let mut hall = Hall::new(30, &[level("first", 10, 100), between, level("last", 10, 0)]);
    let first = hall.runs("first");
    let last = hall.fill("last");
    assert_eq!(last.len(), 10 + 9 + 5, "all that the others lend");
    let mut between = hall.fill("between");
    assert_eq!(between.len(), 5);
    hall.leave(first);
    between.extend(hall.fill("between"));
    assert_eq!(between.len(), 6);
    for seat in last {
        hall.leave(seat);
    }
    // It has its own seats back, and may have two more; not two more than it had when it borrowed.
    between.extend(hall.fill("between"));
    assert_eq!(between.len(), 12);
}

#[test]
fn no_level_is_ever_shut() {
    let mut hall = Hall::new(10, &[level("none", 0, 0), level("all", 10, 0)]);
    let all = hall.fill("all");
    assert_eq!(all.len(), 10);
    let one = hall.runs("none");
    let (.., mut woken) = hall.waits("none");
    assert_eq!(hall.leave(one), 1);
    assert_eq!(woken.try_recv(), Ok(()));
}

#[test]
fn exempt_requests_always_have_a_seat() {
    let exempt = serde_json::json!({ "metadata": { "name": "exempt" }, "spec": { "type": "Exempt", "exempt": {} } });
    let mut hall = Hall::new(1, &[exempt, level("a", 1, 0)]);
    assert_eq!(hall.fill("exempt").len(), 1000);
    assert_eq!(hall.fill("a").len(), 1);
}

#[test]
fn changed_objects_move_seats_at_once() {
    let mut hall = Hall::new(10, &[level("a", 1, 0), level("b", 9, 0)]);
    let one = hall.runs("a");
    let mut waiting: Vec<_> = (0..3).map(|_| hall.waits("a")).collect();
    assert_eq!(hall.configure(&[level("a", 3, 0), level("b", 7, 0)]), 2);
    assert_eq!(hall.used("a"), 3);
    // Its object goes: what runs and waits is finished, by the old name nobody comes any more.
    assert_eq!(hall.configure(&[level("b", 7, 0), level("catch-all", 1, 0)]), 0);
    assert_eq!(hall.leave(one), 1);
    for (level, ticket, _) in waiting.drain(..) {
        hall.leave((level, ticket));
    }
    assert!(!hall.state.levels.values().any(|level| &*level.spec.name == "a"));
    let (Entered::Runs(id, _), _) = hall.state.enter("a", 0, 1, hall.now) else { panic!("no seat") };
    assert_eq!(&*hall.state.levels[&id].spec.name, "catch-all");
}

#[test]
fn wide_requests_are_as_wide_as_their_level_lets_them() {
    let mut hall = Hall::new(100, &[level("a", 1, 0), level("b", 1, 0)]);
    let (Entered::Runs(..), _) = hall.state.enter("a", 0, 10, hall.now) else { panic!("no seat") };
    assert_eq!(hall.used("a"), 8, "15 % of 50");
    hall.configure(&[level("a", 1, 0), level("b", 99, 0)]);
    let (Entered::Waits(..), _) = hall.state.enter("a", 0, 10, hall.now) else { panic!("a seat") };
}
