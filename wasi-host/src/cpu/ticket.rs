//! One guest that takes turns: where it stands, and how it is woken.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use parking_lot::Mutex;
use tokio::task::coop;

/// Where a guest stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stand {
    /// Waits for something outside, or has not begun.
    Away,
    /// Waits for its turn.
    Waiting,
    /// Has a place and is about to use it.
    Called,
    /// Has its turn.
    Running,
    /// Has its turn, and wants another one.
    Restless,
}

impl Stand {
    const ALL: [Stand; 5] = [Stand::Away, Stand::Waiting, Stand::Called, Stand::Running, Stand::Restless];
}

/// The guest's waker: it notes what happens during a turn, and passes on the rest.
pub(crate) struct Ticket {
    stand: AtomicU8,
    /// Whoever polls the guest.
    outer: Mutex<Waker>,
}

impl Ticket {
    pub(super) fn new() -> Arc<Ticket> {
        Arc::new(Ticket { stand: AtomicU8::new(Stand::Away as u8), outer: Mutex::new(Waker::noop().clone()) })
    }

    pub(super) fn stand(&self) -> Stand {
        Stand::ALL[usize::from(self.stand.load(Ordering::Acquire))]
    }

    pub(super) fn set(&self, stand: Stand) {
        self.stand.store(stand as u8, Ordering::Release);
    }

    fn change(&self, from: Stand, to: Stand) -> bool {
        self.stand.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Who is to be woken from now on.
    pub(super) fn polled_by(&self, waker: &Waker) {
        let mut outer = self.outer.lock();
        if !outer.will_wake(waker) {
            outer.clone_from(waker);
        }
    }

    /// Ends a turn. Whether it wants another one: then it waits for it, otherwise it is away.
    pub(super) fn rest(&self) -> bool {
        if self.change(Stand::Running, Stand::Away) {
            return false;
        }
        self.set(Stand::Waiting);
        true
    }

    /// It has a place now.
    pub(super) fn call(&self) {
        self.change(Stand::Waiting, Stand::Called);
        self.wake_outer();
    }

    pub(super) fn wake_outer(&self) {
        let outer = self.outer.lock().clone();
        outer.wake();
    }
}

impl Wake for Ticket {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.change(Stand::Running, Stand::Restless) && self.stand() != Stand::Restless {
            self.wake_outer();
        }
    }
}

/// Makes tokio look for new I/O before it polls whom this turn has woken: it would otherwise poll up to three of them,
/// one after the other, as a part of this poll.
pub(super) fn end_of_chain() {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..=u8::MAX {
        match coop::poll_proceed(&mut cx) {
            Poll::Ready(progress) => progress.made_progress(),
            Poll::Pending => return,
        }
    }
}
