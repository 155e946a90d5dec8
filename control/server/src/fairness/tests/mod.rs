//! Levels together: who gets seats, who waits, who is turned away.

mod classifying;
mod cost;
mod lending;
mod limits;
mod waiting;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::spec::LevelSpec;
use super::state::{Entered, LevelId, State, Wakes};

/// Levels for tests: name, shares, the percentage that may be lent; all with one queue of ten.
fn level(name: &str, shares: u32, lendable: u32) -> Value {
    let queuing = json!({ "queues": 1, "handSize": 1, "queueLengthLimit": 10 });
    json!({
        "metadata": { "name": name, "uid": format!("{name}-uid") },
        "spec": { "type": "Limited", "limited": {
            "nominalConcurrencyShares": shares, "lendablePercent": lendable,
            "limitResponse": { "type": "Queue", "queuing": queuing },
        } },
    })
}

fn specs(levels: &[Value]) -> Vec<LevelSpec> {
    levels.iter().filter_map(LevelSpec::read).collect()
}

/// A server with so many seats, at a time that stands still unless a test says otherwise.
struct Hall {
    state: State,
    now: Instant,
}

impl Hall {
    fn new(total: u32, levels: &[Value]) -> Self {
        let mut hall = Self { state: State::new(total), now: Instant::now() };
        hall.configure(levels);
        hall
    }

    fn configure(&mut self, levels: &[Value]) -> usize {
        let mut wakes = Wakes::new();
        self.state.configure(&specs(levels), self.now, &mut wakes);
        wakes.len()
    }

    /// A request that must run at once.
    #[track_caller]
    fn runs(&mut self, level: &str) -> (LevelId, u64) {
        match self.state.enter(level, 0, 1, self.now).0 {
            Entered::Runs(level, ticket) => (level, ticket),
            other => panic!("{other:?}"),
        }
    }

    /// As many as run at once, of up to a thousand.
    fn fill(&mut self, level: &str) -> Vec<(LevelId, u64)> {
        let enter = || match self.state.enter(level, 0, 1, self.now).0 {
            Entered::Runs(level, ticket) => Some((level, ticket)),
            Entered::Waits(level, ticket, _) => {
                self.state.leave(level, ticket, self.now);
                None
            }
            Entered::NoSeat | Entered::QueueFull => None,
        };
        std::iter::from_fn(enter).take(1000).collect()
    }

    /// A request that must wait.
    #[track_caller]
    fn waits(&mut self, level: &str) -> (LevelId, u64, tokio::sync::oneshot::Receiver<()>) {
        match self.state.enter(level, 0, 1, self.now).0 {
            Entered::Waits(level, ticket, woken) => (level, ticket, woken),
            other => panic!("{other:?}"),
        }
    }

    /// Ends a request. Returns for how many others it was the turn.
    fn leave(&mut self, (level, ticket): (LevelId, u64)) -> usize {
        self.now += Duration::from_millis(1);
        let (_, wakes) = self.state.leave(level, ticket, self.now);
        let told = wakes.len();
        super::tell(wakes);
        told
    }

    fn used(&self, name: &str) -> u32 {
        self.state.levels.values().find(|level| &*level.spec.name == name).map_or(0, |level| level.used)
    }
}
