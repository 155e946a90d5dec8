//! A request's way through its level: it takes seats, waits for them, or is turned away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::config::Route;
use super::state::{Entered, Left, LevelId, State, Wakes};

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    QueueFull,
    ConcurrencyLimit,
    TimeOut,
    /// Its client has left.
    Cancelled,
}

impl Refusal {
    pub(super) const ALL: [Self; 4] = [Self::QueueFull, Self::ConcurrencyLimit, Self::TimeOut, Self::Cancelled];

    /// As the metric has it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue-full",
            Self::ConcurrencyLimit => "concurrency-limit",
            Self::TimeOut => "time-out",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The seats of a request, or its place in the queue for them: given to others when it is dropped.
pub(crate) struct Seat {
    state: Arc<Mutex<State>>,
    route: Arc<Route>,
    level: LevelId,
    ticket: u64,
    since: Instant,
    /// Counted among those that run.
    runs: bool,
}

impl Seat {
    /// Seats of the level that the route leads to, after waiting for them for so long at most.
    pub(super) async fn take(
        state: &Arc<Mutex<State>>,
        route: &Arc<Route>,
        (flow, width): (u64, u32),
        patience: Duration,
    ) -> Result<Self, Refusal> {
        let since = Instant::now();
        let (entered, wakes) = state.lock().enter(&route.level, flow, width, since);
        tell(wakes);
        let seat = |level, ticket| {
            let (state, route) = (state.clone(), route.clone());
            Self { state, route, level, ticket, since, runs: false }
        };
        let mut seat = match entered {
            Entered::NoSeat => return Err(route.refused(Refusal::ConcurrencyLimit, since)),
            Entered::QueueFull => return Err(route.refused(Refusal::QueueFull, since)),
            Entered::Runs(level, ticket) => seat(level, ticket),
            Entered::Waits(level, ticket, woken) => {
                let seat = seat(level, ticket);
                let queued = Queued::new(route);
                let told = tokio::time::timeout(patience, woken).await;
                drop(queued);
                if told.is_err() && seat.give_up() {
                    return Err(route.refused(Refusal::TimeOut, since));
                }
                seat
            }
        };
        seat.runs = true;
        route.meter.begins((!route.exempt).then(|| since.elapsed()));
        Ok(seat)
    }

    /// Leaves the queue, unless the turn has come after all.
    fn give_up(&self) -> bool {
        let (gone, wakes) = self.state.lock().give_up(self.level, self.ticket, Instant::now());
        tell(wakes);
        gone
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let (left, wakes) = self.state.lock().leave(self.level, self.ticket, Instant::now());
        tell(wakes);
        if self.runs {
            self.route.meter.executing.dec();
        } else if left != Left::Nothing {
            self.route.meter.refused(Refusal::Cancelled, self.since.elapsed());
        }
    }
}

impl Route {
    fn refused(&self, why: Refusal, since: Instant) -> Refusal {
        self.meter.refused(why, since.elapsed());
        why
    }
}

/// Counted among those that wait.
struct Queued(Arc<Route>);

impl Queued {
    fn new(route: &Arc<Route>) -> Self {
        route.meter.in_queue.inc();
        Self(route.clone())
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.meter.in_queue.dec();
    }
}

/// Tells those whose turn has come. Who is gone already gives its seats back as it goes.
pub(super) fn tell(wakes: Wakes) {
    for wake in wakes {
        let _ = wake.send(());
    }
}
