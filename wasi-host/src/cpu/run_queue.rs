//! Whose turn it is: start-time fair queueing over what wants to run (Goyal, Vin, Cheng 1996).
//!
//! A container is a *flow*. It has a tag in virtual time, which its turns push ahead by the time they took over its
//! shares; when a place gets free, the flow with the lowest tag has the next turn. Two flows that always want to run
//! are never further apart than one turn of each, however many others there are, and so their times are as their shares.
//!
//! Invariant: whoever waits has no free place beside him: a place that is given up is handed to the first in the queue at
//! once.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use crate::limits;

/// Virtual nanoseconds of a flow with this many shares are real ones.
const UNIT: u128 = 1024;

/// A key in the queue: the tag, and among equals who came first.
type Key = (u128, u64);

/// A container among others.
pub(super) struct Flow<T> {
    shares: AtomicU32,
    /// Locked only by who holds the queue's lock.
    place: Mutex<Place<T>>,
}

struct Place<T> {
    /// Where its turns have brought it.
    tag: u128,
    /// Where it stands in the queue, if anyone of it waits.
    key: Option<Key>,
    /// Who of it waits, each for a turn: they take turns among themselves.
    waiting: VecDeque<Arc<T>>,
}

impl<T> Flow<T> {
    pub(super) fn new(shares: u32) -> Arc<Flow<T>> {
        let place = Place { tag: 0, key: None, waiting: VecDeque::new() };
        let flow = Flow { shares: AtomicU32::new(0), place: Mutex::new(place) };
        flow.set_shares(shares);
        Arc::new(flow)
    }

    /// Other shares, for the turns from now on.
    pub(super) fn set_shares(&self, shares: u32) {
        let shares = shares.clamp(limits::CPU_SHARES_MIN, limits::CPU_SHARES_MAX);
        self.shares.store(shares, Ordering::Relaxed);
    }

    /// What so much time is to a flow of its shares.
    fn virtual_nanos(&self, time: Duration) -> u128 {
        time.as_nanos() * UNIT / u128::from(self.shares.load(Ordering::Relaxed))
    }
}

/// The queue for the threads of one runtime.
pub(crate) struct RunQueue<T> {
    state: Mutex<State<T>>,
    /// Which of a container's flows stands here.
    pub(super) index: usize,
}

struct State<T> {
    free: usize,
    /// The highest tag that had a turn so far: those who come back from waiting for something else begin here.
    clock: u128,
    arrivals: u64,
    order: BTreeMap<Key, Arc<Flow<T>>>,
}

impl<T> RunQueue<T> {
    /// A queue for so many turns at once.
    pub(crate) fn new(places: usize, index: usize) -> RunQueue<T> {
        let state = State { free: places, clock: 0, arrivals: 0, order: BTreeMap::new() };
        RunQueue { state: Mutex::new(state), index }
    }

    /// Takes a place, or else a place in the queue. Whether there was one.
    pub(super) fn enter(&self, flow: &Arc<Flow<T>>, who: &Arc<T>) -> bool {
        let mut state = self.state.lock();
        if state.free > 0 && state.order.is_empty() {
            state.free -= 1;
            let mut place = flow.place.lock();
            place.tag = state.start_of(flow, &place);
            state.clock = state.clock.max(place.tag);
            return true;
        }
        state.wait(flow, Arc::clone(who));
        false
    }

    /// Gives a place up after a turn of this length, and waits for another one if somebody is named. Returns who has
    /// the place now: it may be the same.
    pub(super) fn leave(&self, flow: &Arc<Flow<T>>, turn: Duration, again: Option<Arc<T>>) -> Option<Arc<T>> {
        let mut state = self.state.lock();
        state.charge(flow, turn);
        if let Some(who) = again {
            state.wait(flow, who);
        }
        state.free += 1;
        state.next()
    }

    /// Stops waiting. False: `who` does not wait any more, because the place has been given to it.
    pub(super) fn forget(&self, flow: &Arc<Flow<T>>, who: &Arc<T>) -> bool {
        let mut state = self.state.lock();
        let mut place = flow.place.lock();
        let Some(index) = place.waiting.iter().position(|waiting| Arc::ptr_eq(waiting, who)) else { return false };
        place.waiting.remove(index);
        if place.waiting.is_empty()
            && let Some(key) = place.key.take()
        {
            state.order.remove(&key);
        }
        true
    }
}

impl<T> State<T> {
    /// Where a flow begins its next turn: no further behind the others than one turn of its own, or it would have
    /// saved time up that it did not want when it was there.
    fn start_of(&self, flow: &Flow<T>, place: &Place<T>) -> u128 {
        place.tag.max(self.clock.saturating_sub(flow.virtual_nanos(limits::DEFAULT_EPOCH_TICK)))
    }

    fn wait(&mut self, flow: &Arc<Flow<T>>, who: Arc<T>) {
        let mut place = flow.place.lock();
        place.waiting.push_back(who);
        if place.key.is_none() {
            self.line_up(flow, &mut place);
        }
    }

    fn line_up(&mut self, flow: &Arc<Flow<T>>, place: &mut Place<T>) {
        place.tag = self.start_of(flow, place);
        self.arrivals += 1;
        let key = (place.tag, self.arrivals);
        place.key = Some(key);
        self.order.insert(key, Arc::clone(flow));
    }

    fn charge(&mut self, flow: &Arc<Flow<T>>, turn: Duration) {
        let mut place = flow.place.lock();
        place.tag += flow.virtual_nanos(turn);
        if let Some(key) = place.key.take() {
            self.order.remove(&key);
            self.line_up(flow, &mut place);
        }
    }

    /// Gives a free place to the first in the queue.
    fn next(&mut self) -> Option<Arc<T>> {
        let (key, flow) = self.order.pop_first()?;
        self.free -= 1;
        self.clock = self.clock.max(key.0);
        let mut place = flow.place.lock();
        place.key = None;
        let who = place.waiting.pop_front();
        if !place.waiting.is_empty() {
            self.line_up(&flow, &mut place);
        }
        who
    }
}

#[cfg(test)]
mod tests;
