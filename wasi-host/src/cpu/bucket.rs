//! The bucket that keeps a CPU limit.

use std::time::{Duration, Instant};

use crate::limits;

/// A token bucket of CPU nanoseconds: filled at the limit's rate, holding one period's worth at most, and
/// allowed into debt by the one turn that empties it.
pub(super) struct Bucket {
    limit_millis: i64,
    tokens_nanos: i64,
    filled_at: Instant,
}

impl Bucket {
    pub(super) fn new(limit_millis: u32, now: Instant) -> Bucket {
        let mut bucket = Bucket { limit_millis: i64::from(limit_millis.max(1)), tokens_nanos: 0, filled_at: now };
        bucket.tokens_nanos = bucket.capacity_nanos();
        bucket
    }

    /// The limit that it keeps.
    pub(super) fn limit_millis(&self) -> u32 {
        u32::try_from(self.limit_millis).unwrap_or(u32::MAX)
    }

    fn capacity_nanos(&self) -> i64 {
        limits::CPU_PERIOD.as_nanos() as i64 * self.limit_millis / 1000
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled_at).as_nanos();
        let earned = i64::try_from(elapsed).unwrap_or(i64::MAX).saturating_mul(self.limit_millis) / 1000;
        self.tokens_nanos = self.tokens_nanos.saturating_add(earned).min(self.capacity_nanos());
        self.filled_at = now;
    }

    pub(super) fn spend(&mut self, turn: Duration) {
        let nanos = i64::try_from(turn.as_nanos()).unwrap_or(i64::MAX);
        self.tokens_nanos = self.tokens_nanos.saturating_sub(nanos);
    }

    /// How long the next turn must wait. None: go on.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Duration> {
        self.fill(now);
        if self.tokens_nanos > 0 {
            return None;
        }
        // Until half a period's worth is there: sleeping for every nanosecond would cost more than it measures.
        let missing = self.capacity_nanos() / 2 - self.tokens_nanos;
        let nanos = u64::try_from(missing.saturating_mul(1000) / self.limit_millis).unwrap_or(1).max(1);
        Some(Duration::from_nanos(nanos).min(limits::CPU_PAUSE_LIMIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_pays_out_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(100, start);
        let (mut now, mut used) = (start, Duration::ZERO);
        while now < start + Duration::from_secs(10) {
            match bucket.pause(now) {
                Some(pause) => now += pause,
                None => {
                    let turn = Duration::from_millis(10);
                    (now, used) = (now + turn, used + turn);
                    bucket.spend(turn);
                }
            }
        }
        let share = used.as_secs_f64() / 10.0;
        assert!((0.095..0.105).contains(&share), "100m of a CPU, got {share}");
    }

    #[test]
    fn idle_time_is_saved_for_one_period_only() {
        let start = Instant::now();
        let mut bucket = Bucket::new(500, start);
        bucket.fill(start + Duration::from_secs(3600));
        assert_eq!(bucket.tokens_nanos, 50_000_000);
    }

    #[test]
    fn a_limit_of_many_cpus_and_a_limit_of_none_are_kept_in_bounds() {
        let start = Instant::now();
        let mut bucket = Bucket::new(u32::MAX, start);
        bucket.spend(Duration::from_secs(1 << 40));
        assert_eq!(bucket.pause(start), Some(Duration::from_nanos(1)).max(bucket.pause(start)));
        let mut bucket = Bucket::new(0, start);
        bucket.spend(Duration::from_secs(10));
        assert_eq!(bucket.pause(start), Some(limits::CPU_PAUSE_LIMIT));
    }
}
