//! How fast one container may fill its log.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes a second that one container may add to its log for as long as it likes: more than the 200 MB/s that one chatty
/// guest is to have, and a bound where a disk is faster than that.
pub(super) const BYTES_PER_SECOND: u32 = 256 << 20;
/// For how long it may have been silent to make up for: a file's worth at least (`containerLogMaxSize`) comes at once.
const SAVED: Duration = Duration::from_millis(100);

/// A token bucket, as the time at which all that was written would have been written at [`BYTES_PER_SECOND`]
/// (the generic cell rate algorithm of ITU-T I.371).
pub(super) struct Pace {
    written_by: Instant,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { written_by: Instant::now() }
    }
}

impl Pace {
    /// So much was written. It may be more than there was room for: what comes next waits for it.
    pub(super) fn spend(&mut self, bytes: usize, now: Instant) {
        let took = Duration::from_secs(1).mul_f64(bytes as f64 / f64::from(BYTES_PER_SECOND));
        self.written_by = self.written_by.max(now) + took;
    }

    /// Until when the next write must wait. None: it may be now.
    pub(super) fn pause(&self, now: Instant) -> Option<Instant> {
        let next = self.written_by.checked_sub(SAVED)?;
        (next > now).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_had_at_once_and_the_rest_at_the_rate() {
        let start = Instant::now();
        let (mut pace, mut now, mut written) = (Pace::default(), start, 0_u32);
        while now < start + Duration::from_secs(10) {
            match pace.pause(now) {
                Some(later) => now = later,
                None => {
                    pace.spend(64 << 10, now);
                    written += 64 << 10;
                }
            }
        }
        let seconds = f64::from(written) / f64::from(BYTES_PER_SECOND);
        assert!((10.09..10.11).contains(&seconds), "{seconds} seconds' worth in 10 s");
    }

    #[test]
    fn silence_is_saved_for_a_moment_only() {
        let mut pace = Pace::default();
        let now = Instant::now() + Duration::from_secs(3600);
        pace.spend(BYTES_PER_SECOND as usize / 10, now);
        assert_eq!(pace.pause(now), None);
        pace.spend(1 << 10, now);
        assert!(pace.pause(now).is_some());
        assert_eq!(pace.pause(now + Duration::from_millis(1)), None);
    }
}
