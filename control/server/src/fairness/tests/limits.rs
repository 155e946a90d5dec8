//! Whatever happens: there are not more seats than there are.

use proptest::prelude::*;

use super::super::state::{Entered, Level, State};
use super::{Hall, level};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What may happen to a server.
#[derive(Debug, Clone)]
enum Step {
    Enter {
        level: usize,
        width: u32,
        flow: u64,
    },
    /// One of the requests goes, whatever it does.
    Leave(usize),
    /// Objects change.
    Configure {
        shares: [u32; 4],
        lendable: [u32; 4],
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4usize, 1..=10u32, any::<u64>()).prop_map(|(level, width, flow)| Step::Enter { level, width, flow }),
        5 => any::<usize>().prop_map(Step::Leave),
    ];
    proptest::collection::vec(step, 1..300)
}

fn changes() -> impl Strategy<Value = Vec<Step>> {
    let any_step = prop_oneof![
        8 => steps().prop_map(|mut steps| steps.remove(0)),
        1 => ([0..9u32, 0..9, 0..9, 0..9], [0..=100u32, 0..=100, 0..=100, 0..=100])
            .prop_map(|(shares, lendable)| Step::Configure { shares, lendable }),
    ];
    proptest::collection::vec(any_step, 1..200)
}

fn levels(shares: [u32; 4], lendable: [u32; 4]) -> Vec<serde_json::Value> {
    let with_limit = |i: usize| {
        let mut level = level(NAMES[i], shares[i], lendable[i]);
        // Two of them may not borrow all that there is.
        if let Some(percent) = [None, Some(0), Some(30), None][i] {
            level["spec"]["limited"]["borrowingLimitPercent"] = percent.into();
        }
        level
    };
    (0..4).filter(|i| shares[*i] > 0 || *i == 0).map(with_limit).collect()
}

fn borrowed(level: &Level) -> u32 {
    level.debts.values().sum()
}

/// What is true at any time.
fn consistent(state: &State) {
    let lent: u32 = state.levels.values().map(|level| level.lent).sum();
    let debts: u32 = state.levels.values().map(borrowed).sum();
    assert_eq!(lent, debts, "what one has lent another has borrowed");
    let waiting: usize = state.levels.values().map(|level| level.queues.waiting()).sum();
    assert_eq!(waiting, state.waiting);
}

/// What is true as long as no object changes.
fn within_limits(state: &State) {
    for level in state.levels.values() {
        let (limits, own) = (level.limits, level.used - borrowed(level));
        // A level with nothing left runs one request all the same.
        let alone = level.running() == 1;
        assert!(level.lent <= limits.lendable && level.used <= limits.most || alone, "{level:?}");
        assert!(own + level.lent <= limits.nominal || alone, "{level:?}");
    }
}

/// Nobody waits for a seat that is there.
fn nobody_waits_in_vain(state: &State) {
    for level in state.levels.values().filter(|level| level.queues.waiting() > 0) {
        let own = level.used - borrowed(level);
        let free = level.limits.nominal.saturating_sub(level.lent + own);
        assert!(level.queues.next_seats().is_some_and(|seats| seats > free), "{level:?}");
        assert!(level.used > 0, "{level:?}");
    }
}

fn play(hall: &mut Hall, steps: Vec<Step>, check: impl Fn(&State)) {
    let mut tickets = Vec::new();
    for step in steps {
        match step {
            Step::Enter { level, width, flow } => match hall.state.enter(NAMES[level], flow, width, hall.now).0 {
                Entered::Runs(level, ticket) => tickets.push((level, ticket)),
                Entered::Waits(level, ticket, _) => tickets.push((level, ticket)),
                Entered::NoSeat | Entered::QueueFull => {}
            },
            Step::Leave(which) if !tickets.is_empty() => {
                let one = tickets.swap_remove(which % tickets.len());
                hall.leave(one);
            }
            Step::Leave(_) => {}
            Step::Configure { shares, lendable } => drop(hall.configure(&levels(shares, lendable))),
        }
        consistent(&hall.state);
        check(&hall.state);
    }
    for one in tickets {
        hall.leave(one);
    }
    consistent(&hall.state);
    let idle = |level: &Level| level.used == 0 && level.lent == 0 && level.queues.active() == 0 && level.running() == 0;
    assert!(hall.state.levels.values().all(idle), "{:?}", hall.state);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn seats_in_use_never_exceed_the_limits(
        total in 0..60u32, shares in [0..9u32, 0..9, 0..9, 0..9], lendable in [0..=100u32, 0..=100, 0..=100, 0..=100],
        steps in steps(),
    ) {
        let mut hall = Hall::new(total, &levels(shares, lendable));
        play(&mut hall, steps, |state| {
            within_limits(state);
            nobody_waits_in_vain(state);
        });
    }

    #[test]
    fn every_seat_comes_back_though_objects_change(total in 0..60u32, steps in changes()) {
        let mut hall = Hall::new(total, &levels([1; 4], [50; 4]));
        play(&mut hall, steps, nobody_waits_in_vain);
    }
}
