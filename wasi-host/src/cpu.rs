//! CPU time: counting what guests use, making those wait that use more than their limit, and sharing the rest.
//!
//! A guest runs inside the `poll` of its future: it is on a CPU from the call to the return, which comes at
//! the next epoch tick at the latest. So wrapping the future is enough to meter it, whatever it is doing. Before each
//! such turn a guest waits for its budget (a token bucket, if there is a limit), and then for a place among the
//! others (a queue that is fair by shares).

mod bucket;
mod limit;
mod run_queue;
mod stopwatch;
mod ticket;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::time::Sleep;

pub(crate) use self::limit::CpuLimit;
use self::{
    run_queue::Flow,
    stopwatch::Stopwatch,
    ticket::{Stand, Ticket},
};
use crate::limits;

/// The queue of one runtime's guests.
pub(crate) type RunQueue = run_queue::RunQueue<Ticket>;

/// Counts the CPU time of a container, and holds its budget and its shares.
pub(crate) struct CpuMeter {
    used_nanos: AtomicU64,
    limit: CpuLimit,
    /// The limit of all containers of the pod together.
    pod: Arc<CpuLimit>,
    /// One for each queue: commands may run beside a server.
    flows: [Arc<Flow<Ticket>>; 2],
}

impl CpuMeter {
    pub(crate) fn new(limit_millis: Option<u32>, pod: Arc<CpuLimit>, shares: u32) -> Arc<CpuMeter> {
        let flows = [Flow::new(shares), Flow::new(shares)];
        Arc::new(CpuMeter { used_nanos: AtomicU64::new(0), limit: CpuLimit::new(limit_millis), pod, flows })
    }

    /// Another limit from now on; None: no limit any more.
    pub(crate) fn set_limit(&self, limit_millis: Option<u32>) {
        self.limit.set(limit_millis);
    }

    /// Other shares from now on.
    pub(crate) fn set_shares(&self, shares: u32) {
        self.flows.iter().for_each(|flow| flow.set_shares(shares));
    }

    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.used_nanos.load(Ordering::Relaxed))
    }

    /// How long the next turn must wait. None: go on.
    fn pause(&self) -> Option<Duration> {
        self.limit.pause().max(self.pod.pause())
    }

    fn charge(&self, turn: Duration) {
        let nanos = u64::try_from(turn.as_nanos()).unwrap_or(u64::MAX);
        self.used_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.limit.spend(turn);
        self.pod.spend(turn);
    }
}

/// A guest's future under a meter, in the queue of the threads that it runs on.
pub(crate) struct Metered<F> {
    guest: F,
    pause: Option<Pin<Box<Sleep>>>,
    seat: Seat,
    /// The ticket as the guest's waker.
    waker: Waker,
}

/// A guest's place in the order of turns.
struct Seat {
    meter: Arc<CpuMeter>,
    queue: Arc<RunQueue>,
    ticket: Arc<Ticket>,
}

impl<F> Metered<F> {
    pub(crate) fn new(guest: F, meter: Arc<CpuMeter>, queue: Arc<RunQueue>) -> Metered<F> {
        let ticket = Ticket::new();
        let waker = Waker::from(Arc::clone(&ticket));
        Metered { guest, pause: None, seat: Seat { meter, queue, ticket }, waker }
    }

    /// Waits until the budget has something.
    fn poll_budget(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.seat.meter.pause() {
                Some(pause) => self.pause = Some(Box::pin(tokio::time::sleep(pause))),
                None => return Poll::Ready(()),
            }
        }
    }
}

impl<F: Future + Unpin> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.seat.ticket.polled_by(cx.waker());
        if this.seat.ticket.stand() == Stand::Away {
            ready!(this.poll_budget(cx));
            this.seat.enter();
        }
        if this.seat.ticket.stand() != Stand::Called {
            return Poll::Pending;
        }
        let turn = Turn::begin(&this.seat);
        let polled = Pin::new(&mut this.guest).poll(&mut Context::from_waker(&this.waker));
        turn.end(polled.is_pending());
        polled
    }
}

impl Seat {
    fn flow(&self) -> &Arc<Flow<Ticket>> {
        &self.meter.flows[self.queue.index]
    }

    /// Takes a place, or waits to be called.
    fn enter(&self) {
        // Before it is in the queue: it may be called as soon as it is there.
        self.ticket.set(Stand::Waiting);
        if self.queue.enter(self.flow(), &self.ticket) {
            self.ticket.set(Stand::Called);
        }
    }

    /// Gives the place up and calls who has it now.
    fn leave(&self, turn: Duration, again: bool) {
        let again = again.then(|| Arc::clone(&self.ticket));
        let Some(next) = self.queue.leave(self.flow(), turn, again) else { return };
        if turn >= limits::CPU_LONG_TURN {
            ticket::end_of_chain();
        }
        next.call();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let has_place = match self.ticket.stand() {
            Stand::Away => false,
            Stand::Waiting => !self.queue.forget(self.flow(), &self.ticket),
            Stand::Called | Stand::Running | Stand::Restless => true,
        };
        if has_place {
            self.leave(Duration::ZERO, false);
        }
    }
}

/// A turn that has begun. If the guest panics, the seat that is dropped with it gives the place up.
struct Turn<'a> {
    seat: &'a Seat,
    stopwatch: Stopwatch,
}

impl<'a> Turn<'a> {
    fn begin(seat: &'a Seat) -> Turn<'a> {
        seat.ticket.set(Stand::Running);
        Turn { seat, stopwatch: Stopwatch::start() }
    }

    /// `goes_on`: the guest has not come to its end.
    fn end(self, goes_on: bool) {
        let (seat, turn) = (self.seat, self.stopwatch.stop());
        seat.meter.charge(turn);
        let again = goes_on && seat.ticket.rest();
        if again && seat.meter.pause().is_none() {
            return seat.leave(turn, true);
        }
        seat.ticket.set(Stand::Away);
        seat.leave(turn, false);
        if again {
            // To wait for its budget.
            seat.ticket.wake_outer();
        }
    }
}

#[cfg(test)]
mod tests;
