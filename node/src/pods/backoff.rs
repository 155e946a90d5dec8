//! How long to wait before trying again: Kubernetes' exponential back-off.

use std::time::Duration;

use tokio::time::Instant;

/// The first delay of restarts and pulls (kubelet `backOffPeriod`).
const INITIAL: Duration = Duration::from_secs(10);
/// The longest (kubelet `MaxContainerBackOff`).
const MAX: Duration = Duration::from_secs(300);

/// Delays that double from one failure to the next, and start over after a quiet time of twice the longest.
#[derive(Debug, Clone)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    /// Whether the first failure is tried again at once.
    first_is_free: bool,
    /// The next delay, and when the one before it was over.
    state: Option<(Duration, Instant)>,
}

impl Backoff {
    /// Restarts of a container: the first at once, then after 10 s, 20 s … 5 min; from the start again once it has
    /// run for 10 min.
    pub fn of_restarts() -> Backoff {
        Backoff { initial: INITIAL, max: MAX, first_is_free: true, state: None }
    }

    /// Pulls of an image: after 10 s, 20 s … 5 min.
    pub fn of_pulls() -> Backoff {
        Backoff { initial: INITIAL, max: MAX, first_is_free: false, state: None }
    }

    /// Anything else that is tried again, such as a volume whose ConfigMap isn't there yet (kubelet: 500 ms to 2 min).
    pub fn of_setup() -> Backoff {
        Backoff {
            initial: Duration::from_millis(500),
            max: Duration::from_secs(122),
            first_is_free: false,
            state: None,
        }
    }

    /// How long after the failure `at` to try again.
    pub fn next(&mut self, at: Instant) -> Duration {
        let recent = self.state.filter(|(_, until)| at.saturating_duration_since(*until) <= self.max * 2);
        let delay = match recent {
            Some((delay, _)) => delay,
            None if self.first_is_free => Duration::ZERO,
            None => self.initial,
        };
        let following = if delay.is_zero() { self.initial } else { (delay * 2).min(self.max) };
        self.state = Some((following, at + delay));
        delay
    }

    /// It worked: the next failure is a first one.
    pub fn reset(&mut self) {
        self.state = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(backoff: &mut Backoff, at: Instant) -> u64 {
        backoff.next(at).as_secs()
    }

    #[test]
    fn restarts_have_kubernetes_timing() {
        let mut backoff = Backoff::of_restarts();
        let (mut delays, mut now) = (Vec::new(), Instant::now());
        for _ in 0..8 {
            let delay = backoff.next(now);
            delays.push(delay.as_secs());
            now += delay + Duration::from_secs(1);
        }
        assert_eq!(delays, [0, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn ten_quiet_minutes_start_it_over() {
        let mut backoff = Backoff::of_restarts();
        let now = Instant::now();
        for _ in 0..5 {
            backoff.next(now);
        }
        // The last delay was 80 s; the ten minutes count from its end.
        assert_eq!(seconds(&mut backoff.clone(), now + Duration::from_secs(600 + 79)), 160);
        let later = now + Duration::from_secs(600 + 81);
        assert_eq!(seconds(&mut backoff, later), 0);
        assert_eq!(seconds(&mut backoff, later), 10);
    }

    #[test]
    fn pulls_wait_from_the_first_failure_on() {
        let mut backoff = Backoff::of_pulls();
        let now = Instant::now();
        assert_eq!([seconds(&mut backoff, now), seconds(&mut backoff, now)], [10, 20]);
        backoff.reset();
        assert_eq!(seconds(&mut backoff, now), 10);
    }
}
