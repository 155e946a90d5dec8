//! How long a failed pod waits for its replacement.

use super::outcome::Outcome;
use jiff::Timestamp;
use std::time::Duration;

/// Delay before a failed pod is replaced; it doubles with every failure,
const REPLACE_INITIAL: Duration = Duration::from_secs(10);
/// up to this.
const REPLACE_MAX: Duration = Duration::from_secs(6 * 60);
/// Failures after which the delay certainly is the longest.
const MAX_DOUBLINGS: u32 = 8;

/// Failures in a row, for the delay of replacements. Forgotten with the process: then the first one comes early.
#[derive(Debug, Default, Clone, Copy)]
pub struct Failures {
    count: u32,
    last: Option<Timestamp>,
}

impl Failures {
    /// Takes in the pods that ended since.
    pub fn take_in(&mut self, outcome: &Outcome, now: Timestamp) {
        if !outcome.new_succeeded.is_empty() {
            self.count = 0;
        }
        let new = u32::try_from(outcome.new_failed.len()).unwrap_or(u32::MAX);
        if new > 0 {
            self.count = self.count.saturating_add(new);
            self.last = Some(now);
        }
    }

    /// How long until the next pod may be started.
    pub fn delay(self, now: Timestamp) -> Duration {
        let Some(last) = self.last.filter(|_| self.count > 0) else { return Duration::ZERO };
        replacement_delay(self.count, last, now)
    }
}

/// How long a pod must wait that replaces one which ended at `last`, the newest of as many failures.
pub fn replacement_delay(failures: u32, last: Timestamp, now: Timestamp) -> Duration {
    let doublings = failures.saturating_sub(1).min(MAX_DOUBLINGS);
    let delay = REPLACE_INITIAL.saturating_mul(1 << doublings).min(REPLACE_MAX);
    delay.saturating_sub(now.duration_since(last).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn replacements_wait_longer_with_every_failure() {
        let failed = |n: usize| Outcome { new_failed: vec![Arc::default(); n], ..Outcome::default() };
        let mut failures = Failures::default();
        assert_eq!(failures.delay(at(0)), Duration::ZERO);
        failures.take_in(&failed(1), at(0));
        assert_eq!(failures.delay(at(4)), Duration::from_secs(6));
        failures.take_in(&failed(2), at(100));
        assert_eq!(failures.delay(at(100)), Duration::from_secs(40));
        failures.take_in(&failed(30), at(200));
        assert_eq!(failures.delay(at(200)), REPLACE_MAX);
        failures.take_in(&Outcome { new_succeeded: vec![Arc::default()], ..Outcome::default() }, at(300));
        assert_eq!(failures.delay(at(300)), Duration::ZERO);
    }
}
