//! After many pods have come or gone, the memory that this took goes back to the system.

use std::{sync::Arc, time::Duration};

use coracle_wasi_host::trim_heap;
use tokio_util::sync::CancellationToken;

use crate::shared::Shared;

/// How often the number of pods is looked at.
const PERIOD: Duration = Duration::from_secs(5);
/// Fewer pods than this, or than an eighth of the most there have been, are not worth the interruption.
const STEP: usize = 50;
/// So long after the last pod has come or gone, what everybody remembers of it for a while has been forgotten.
const CALM: Duration = Duration::from_secs(6 * 60);
/// Where pods come and go all the time nothing ever ebbs: after so long of that memory goes back all the same, or what the
/// allocator keeps between its pieces would grow for hours.
const UNREST: Duration = Duration::from_secs(5 * 60);

/// The number of pods as it rises and falls.
#[derive(Debug, Default)]
struct Tide {
    /// The most there have been since memory was given back.
    high: usize,
    last: usize,
    /// For how long it has been the same; None: since the memory was given back for that.
    calm: Option<Duration>,
    /// For how long it has been another at each look, since memory was given back.
    unrest: Duration,
}

impl Tide {
    /// Whether it is the time: many have gone, and none is coming or going now; or nothing has happened for long, or has
    /// never ceased to happen.
    fn has_turned(&mut self, pods: usize) -> bool {
        self.high = self.high.max(pods);
        if pods != self.last {
            (self.last, self.calm) = (pods, Some(Duration::ZERO));
            self.unrest += PERIOD;
            let restless = self.unrest >= UNREST;
            if restless {
                self.unrest = Duration::ZERO;
            }
            return restless;
        }
        let ebbed = self.high - pods >= STEP.max(self.high / 8);
        self.calm = self.calm.map(|calm| calm + PERIOD);
        let calm = self.calm.is_some_and(|calm| calm >= CALM);
        if ebbed {
            self.high = pods;
        }
        if calm {
            self.calm = None;
        }
        if ebbed || calm {
            self.unrest = Duration::ZERO;
        }
        ebbed || calm
    }
}

/// Watches the number of pods until `shutdown`.
pub async fn run_ebb(shared: Arc<Shared>, shutdown: CancellationToken) {
    let mut tide = Tide::default();
    while shutdown.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
        if tide.has_turned(shared.live.count()) {
            let trimmed = tokio::task::spawn_blocking(trim_heap).await;
            tracing::debug!(?trimmed, "memory that nobody needs goes back to the system");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_back_once_after_many_pods_have_gone() {
        let mut tide = Tide::default();
        let turns = [100, 100, 60, 60, 40, 40, 40, 0, 0].map(|pods| tide.has_turned(pods));
        assert_eq!(turns, [false, false, false, false, false, true, false, false, false]);
        let mut large = Tide { high: 1_000, last: 900, ..Tide::default() };
        assert!(!large.has_turned(900), "a tenth of them");
        assert!(!large.has_turned(800) && large.has_turned(800));
    }

    #[test]
    fn it_also_does_where_pods_come_and_go_all_the_time() {
        let mut tide = Tide::default();
        let periods = usize::try_from(UNREST.as_secs() / PERIOD.as_secs()).unwrap();
        let turns: Vec<bool> = (0..2 * periods).map(|look| tide.has_turned(1 + look % 40)).collect();
        let times: Vec<usize> = (1..).zip(turns).filter_map(|(time, turn)| turn.then_some(time)).collect();
        assert_eq!(times, [periods, 2 * periods]);
    }

    #[test]
    fn it_also_does_once_after_a_long_calm() {
        let mut tide = Tide::default();
        let periods = usize::try_from(CALM.as_secs() / PERIOD.as_secs()).unwrap();
        let turns: Vec<bool> = (0..3 * periods).map(|_| tide.has_turned(10)).collect();
        assert_eq!(turns.iter().position(|turn| *turn), Some(periods));
        assert_eq!(turns.iter().filter(|turn| **turn).count(), 1);
        assert!(!tide.has_turned(11));
        assert_eq!((0..2 * periods).filter(|_| tide.has_turned(11)).count(), 1);
    }
}
