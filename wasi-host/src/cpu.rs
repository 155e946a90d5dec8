//! CPU time: counting what guests use, and making those wait that use more than their limit.
//!
//! A guest runs inside the `poll` of its future: it is on a CPU from the call to the return, which comes at
//! the next epoch tick at the latest. So wrapping the future is enough to meter it, whatever it is doing.
//! The time is the wall clock's, which also counts what the kernel took from the thread meanwhile: on an
//! overloaded machine a limited guest gets somewhat less than its limit, never more.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::time::Sleep;

use crate::limits;

/// Counts the CPU time of a container and holds its budget.
pub(crate) struct CpuMeter {
    used_nanos: AtomicU64,
    /// Whether there is a bucket: asked at every turn, where a lock would be felt.
    limited: AtomicBool,
    bucket: Mutex<Option<Bucket>>,
}

impl CpuMeter {
    pub(crate) fn new(limit_millis: Option<u32>) -> Arc<CpuMeter> {
        let bucket = limit_millis.map(|millis| Bucket::new(millis, Instant::now()));
        let limited = AtomicBool::new(bucket.is_some());
        Arc::new(CpuMeter { used_nanos: AtomicU64::new(0), limited, bucket: Mutex::new(bucket) })
    }

    /// Another limit from now on; None: no limit any more.
    pub(crate) fn set_limit(&self, limit_millis: Option<u32>) {
        let mut bucket = self.bucket.lock();
        *bucket = limit_millis.map(|millis| Bucket::new(millis, Instant::now()));
        self.limited.store(bucket.is_some(), Ordering::Release);
    }

    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.used_nanos.load(Ordering::Relaxed))
    }

    /// How long the next turn must wait. None: go on.
    fn pause(&self) -> Option<Duration> {
        if !self.limited.load(Ordering::Acquire) {
            return None;
        }
        self.bucket.lock().as_mut().and_then(|bucket| bucket.pause(Instant::now()))
    }

    fn charge(&self, turn: Duration) {
        let nanos = u64::try_from(turn.as_nanos()).unwrap_or(u64::MAX);
        self.used_nanos.fetch_add(nanos, Ordering::Relaxed);
        if self.limited.load(Ordering::Acquire)
            && let Some(bucket) = self.bucket.lock().as_mut()
        {
            bucket.spend(turn);
        }
    }
}

/// A token bucket of CPU nanoseconds: filled at the limit's rate, holding one period's worth at most, and
/// allowed into debt by the one turn that empties it.
struct Bucket {
    limit_millis: i64,
    tokens_nanos: i64,
    filled_at: Instant,
}

impl Bucket {
    fn new(limit_millis: u32, now: Instant) -> Bucket {
        let mut bucket = Bucket { limit_millis: i64::from(limit_millis.max(1)), tokens_nanos: 0, filled_at: now };
        bucket.tokens_nanos = bucket.capacity_nanos();
        bucket
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

    fn spend(&mut self, turn: Duration) {
        let nanos = i64::try_from(turn.as_nanos()).unwrap_or(i64::MAX);
        self.tokens_nanos = self.tokens_nanos.saturating_sub(nanos);
    }

    fn pause(&mut self, now: Instant) -> Option<Duration> {
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

/// A guest's future under a meter.
pub(crate) struct Metered<F> {
    guest: F,
    meter: Arc<CpuMeter>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<F> Metered<F> {
    pub(crate) fn new(guest: F, meter: Arc<CpuMeter>) -> Metered<F> {
        Metered { guest, meter, pause: None }
    }
}

impl<F: Future + Unpin> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.meter.pause() {
                Some(pause) => self.pause = Some(Box::pin(tokio::time::sleep(pause))),
                None => break,
            }
        }
        let started = Instant::now();
        let polled = Pin::new(&mut self.guest).poll(cx);
        self.meter.charge(started.elapsed());
        polled
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
    fn a_limit_may_come_change_and_go() {
        let meter = CpuMeter::new(None);
        meter.charge(Duration::from_secs(10));
        assert_eq!(meter.pause(), None);
        meter.set_limit(Some(100));
        assert_eq!(meter.pause(), None, "what was used before is forgiven");
        meter.charge(Duration::from_secs(10));
        assert!(meter.pause().is_some());
        meter.set_limit(None);
        assert_eq!((meter.pause(), meter.used()), (None, Duration::from_secs(20)));
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
