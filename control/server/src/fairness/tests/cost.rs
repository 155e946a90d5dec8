//! What a request costs that nobody disturbs.

use std::hint::black_box;
use std::time::Instant;

use super::{Hall, level};
use crate::fairness::state::Entered;

const ROUNDS: u32 = 20_000;

/// The bound is far above what it takes, so that a busy machine does not fail the test; the number is printed.
#[test]
fn a_seat_is_taken_and_given_back_in_no_time() {
    let mut deep = level("a", 100, 50);
    deep["spec"]["limited"]["limitResponse"]["queuing"] =
        serde_json::json!({ "queues": 10_000_000, "handSize": 2, "queueLengthLimit": 50 });
    let mut hall = Hall::new(600, &[deep, level("b", 100, 50), level("c", 100, 50)]);
    let started = Instant::now();
    for flow in 0..ROUNDS {
        let number = super::super::deal::flow("global-default", &flow.to_string());
        let now = Instant::now();
        let (Entered::Runs(level, ticket), _) = hall.state.enter("a", black_box(number), 1, now) else {
            panic!("no seat")
        };
        hall.state.leave(level, ticket, now);
    }
    let each = started.elapsed() / ROUNDS;
    println!("hash, seat and back: {each:?} each");
    assert!(each.as_micros() < 500, "{each:?}");
}
