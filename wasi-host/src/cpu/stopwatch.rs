//! The CPU time of a turn. The kernel is asked for it only where the wall's clock would not do, because it takes a
//! system call, and most turns are shorter than a few of those.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

use crate::limits;

thread_local! {
    /// The thread's CPU time when it was last read.
    static LAST: Cell<Option<Reading>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    cpu: Duration,
}

impl Reading {
    /// Reads the clock of this thread.
    fn take(at: Instant) -> Reading {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let reading = Reading { at, cpu: Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default()) };
        LAST.set(Some(reading));
        reading
    }
}

/// Measures one turn, on the thread where it was started.
pub(super) struct Stopwatch {
    started: Instant,
    /// CPU time at the start, or a little before it.
    before: Duration,
}

impl Stopwatch {
    pub(super) fn start() -> Stopwatch {
        let now = Instant::now();
        let fresh = LAST.get().filter(|last| now.saturating_duration_since(last.at) < limits::CPU_CLOCK_REUSE);
        Stopwatch { started: now, before: fresh.unwrap_or_else(|| Reading::take(now)).cpu }
    }

    /// The time spent on a CPU since the start. What the kernel gave to other threads meanwhile is no part of it, but
    /// for turns shorter than [`limits::CPU_CLOCK_REUSE`].
    pub(super) fn stop(self) -> Duration {
        let now = Instant::now();
        let wall = now.saturating_duration_since(self.started);
        if wall < limits::CPU_CLOCK_REUSE {
            return wall;
        }
        Reading::take(now).cpu.saturating_sub(self.before).min(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_is_not_running() {
        let stopwatch = Stopwatch::start();
        std::thread::sleep(Duration::from_millis(50));
        assert!(stopwatch.stop() < Duration::from_millis(25));
        let stopwatch = Stopwatch::start();
        let begun = Reading::take(Instant::now()).cpu;
        while Reading::take(Instant::now()).cpu - begun < Duration::from_millis(5) {}
        assert!(stopwatch.stop() >= Duration::from_millis(5));
    }
}
