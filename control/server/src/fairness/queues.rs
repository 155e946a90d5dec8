//! The queues of one level: whose request is next.
//!
//! Start-time fair queueing. Each queue has a clock of its own, in seats times time, that goes on with the work of its
//! requests; the queue whose next request would end first is served. The level's clock is the start of what was
//! dispatched last, and a queue that was idle begins there: nobody saves up for later. Upstream (`queueset.go`) has the
//! level's clock follow real time instead, divided among its queues.
//!
//! Invariant: only queues with requests exist, so that a level with ten million of them costs nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::sync::oneshot;

use super::deal::Hand;

/// Seats times microseconds.
type Work = i64;

/// So long a request is thought to take until it has ended (`estimatedServiceDuration`).
const GUESS_MICROS: Work = 3_000;
/// Longer than any request is counted as taking: no clock runs over.
const MAX_MICROS: Work = 24 * 3_600 * 1_000_000;

/// The queues of one level.
#[derive(Debug, Default)]
pub(super) struct Queues {
    queues: HashMap<u32, Queue>,
    /// Those in which somebody waits.
    ready: BTreeSet<Rank>,
    clock: Work,
    /// Hands looked at so far.
    turns: u64,
    served: u64,
    waiting: usize,
}

/// Where a queue stands among the others: when its next request would end, when it was served last, which it is.
type Rank = (Work, u64, u32);

#[derive(Debug, Default)]
struct Queue {
    /// By ticket, which is by age.
    waiting: BTreeMap<u64, Waiting>,
    seats_waiting: u64,
    running: u32,
    clock: Work,
    served: u64,
    rank: Option<Rank>,
}

/// A request in its queue.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) seats: u32,
    /// Told when its turn has come.
    pub(super) wake: oneshot::Sender<()>,
    /// The level's clock when it came: it is not served as if it had come before.
    came: Work,
}

fn work(seats: u32) -> Work {
    Work::from(seats) * GUESS_MICROS
}

impl Queues {
    /// Requests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Queues with requests.
    pub(super) fn active(&self) -> usize {
        self.queues.len()
    }

    /// Requests that wait in one queue.
    pub(super) fn length(&self, queue: u32) -> usize {
        self.queues.get(&queue).map_or(0, |queue| queue.waiting.len())
    }

    /// The queue of a hand with the least in it.
    pub(super) fn choose(&mut self, hand: &Hand) -> u32 {
        self.turns = self.turns.wrapping_add(1);
        let seats = |queue: &u32| self.queues.get(queue).map_or(0, |queue| queue.seats_waiting);
        hand.from(self.turns).min_by_key(seats).unwrap_or(0)
    }

    /// A request waits.
    pub(super) fn push(&mut self, queue: u32, ticket: u64, seats: u32, wake: oneshot::Sender<()>) {
        let came = self.clock;
        let place = self.at(queue);
        place.waiting.insert(ticket, Waiting { seats, wake, came });
        place.seats_waiting += u64::from(seats);
        self.waiting += 1;
        self.rank(queue);
    }

    /// Seats of the request whose turn it is.
    pub(super) fn next_seats(&self) -> Option<u32> {
        let (_, _, queue) = self.ready.first()?;
        self.queues.get(queue)?.waiting.values().next().map(|waiting| waiting.seats)
    }

    /// The request whose turn it is, which is served now: its queue, ticket and the rest.
    pub(super) fn pop(&mut self) -> Option<(u32, u64, Waiting)> {
        let (_, _, queue) = *self.ready.first()?;
        let ticket = *self.queues.get(&queue)?.waiting.keys().next()?;
        let waiting = self.take(queue, ticket)?;
        self.begins(queue, waiting.seats);
        Some((queue, ticket, waiting))
    }

    /// A request does not wait any longer.
    pub(super) fn remove(&mut self, queue: u32, ticket: u64) -> Option<Waiting> {
        let waiting = self.take(queue, ticket);
        self.rank(queue);
        waiting
    }

    fn take(&mut self, queue: u32, ticket: u64) -> Option<Waiting> {
        let place = self.queues.get_mut(&queue)?;
        let waiting = place.waiting.remove(&ticket)?;
        place.seats_waiting -= u64::from(waiting.seats);
        self.waiting -= 1;
        Some(waiting)
    }

    /// A request of the queue is served.
    pub(super) fn begins(&mut self, queue: u32, seats: u32) {
        self.served += 1;
        let served = self.served;
        let place = self.at(queue);
        let start = place.clock;
        place.clock = start.saturating_add(work(seats));
        place.running += 1;
        place.served = served;
        self.clock = self.clock.max(start);
        self.rank(queue);
    }

    /// A request of the queue has ended: now it is known how long it has taken.
    pub(super) fn ended(&mut self, queue: u32, seats: u32, took: Duration) {
        let micros = Work::try_from(took.as_micros()).unwrap_or(MAX_MICROS).min(MAX_MICROS);
        if let Some(place) = self.queues.get_mut(&queue) {
            place.running = place.running.saturating_sub(1);
            place.clock = place.clock.saturating_add(Work::from(seats) * (micros - GUESS_MICROS));
        }
        self.rank(queue);
    }

    /// The queue, which begins where the level is if it was idle.
    fn at(&mut self, queue: u32) -> &mut Queue {
        let clock = self.clock;
        self.queues.entry(queue).or_insert_with(|| Queue { clock, ..Queue::default() })
    }

    /// Puts the queue where it stands now.
    fn rank(&mut self, index: u32) {
        let Some(queue) = self.queues.get_mut(&index) else { return };
        if let Some(rank) = queue.rank.take() {
            self.ready.remove(&rank);
        }
        if let Some(oldest) = queue.waiting.values().next() {
            queue.clock = queue.clock.max(oldest.came);
            let rank = (queue.clock.saturating_add(work(oldest.seats)), queue.served, index);
            queue.rank = Some(rank);
            self.ready.insert(rank);
        } else if queue.running == 0 {
            self.queues.remove(&index);
        }
        if self.queues.is_empty() {
            (self.clock, self.served) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(queues: &mut Queues, queue: u32, ticket: u64, seats: u32) {
        queues.push(queue, ticket, seats, oneshot::channel().0);
    }

    /// Serves one request after the other, each for as long as `takes` says, and returns their queues.
    fn serve(queues: &mut Queues, takes: impl Fn(u32) -> u64) -> Vec<u32> {
        std::iter::from_fn(|| {
            let (queue, _, waiting) = queues.pop()?;
            queues.ended(queue, waiting.seats, Duration::from_micros(takes(queue)));
            Some(queue)
        })
        .collect()
    }

    #[test]
    fn a_mouse_waits_for_few_of_an_elephants_requests() {
        let mut queues = Queues::default();
        for ticket in 0..1000 {
            wait(&mut queues, 1, ticket, 1);
        }
        // It has been served for a while when the mouse comes.
        for _ in 0..100 {
            let (queue, ..) = queues.pop().unwrap();
            queues.ended(queue, 1, Duration::from_millis(50));
        }
        wait(&mut queues, 2, 1000, 1);
        let order = serve(&mut queues, |_| 50_000);
        assert!(order[..2].contains(&2), "{:?}", &order[..5]);
        assert_eq!((order.len(), queues.active(), queues.waiting()), (901, 0, 0));
    }

    #[test]
    fn queues_have_the_same_work_done_and_not_the_same_requests() {
        let mut queues = Queues::default();
        for ticket in 0..600 {
            wait(&mut queues, 1, ticket, 1);
            wait(&mut queues, 2, 1000 + ticket, 1);
        }
        // Those of the second queue take five times as long.
        let mut order = Vec::new();
        for _ in 0..300 {
            let (queue, _, waiting) = queues.pop().unwrap();
            queues.ended(queue, waiting.seats, Duration::from_millis(if queue == 2 { 50 } else { 10 }));
            order.push(queue);
        }
        let slow = order.iter().filter(|queue| **queue == 2).count();
        assert!((45..=55).contains(&slow), "{slow} of 300");
    }

    #[test]
    fn wide_requests_count_for_as_many_as_they_are_wide() {
        let mut queues = Queues::default();
        for ticket in 0..100 {
            wait(&mut queues, 1, ticket, 1);
            wait(&mut queues, 2, 1000 + ticket, 10);
        }
        let order = serve(&mut queues, |_| 3_000);
        let wide = order[..55].iter().filter(|queue| **queue == 2).count();
        assert!((4..=6).contains(&wide), "{wide}");
    }

    #[test]
    fn who_was_idle_has_nothing_saved_up() {
        let mut queues = Queues::default();
        for ticket in 0..200 {
            wait(&mut queues, 1, ticket, 1);
        }
        for _ in 0..100 {
            let (queue, ..) = queues.pop().unwrap();
            queues.ended(queue, 1, Duration::from_millis(20));
        }
        for ticket in 1000..1100 {
            wait(&mut queues, 2, ticket, 1);
        }
        let order = serve(&mut queues, |_| 20_000);
        let late = order[..100].iter().filter(|queue| **queue == 2).count();
        assert!((48..=52).contains(&late), "{late} of 100");
    }

    #[test]
    fn requests_that_leave_are_not_served() {
        let mut queues = Queues::default();
        wait(&mut queues, 1, 0, 1);
        wait(&mut queues, 1, 1, 3);
        assert_eq!((queues.length(1), queues.waiting(), queues.next_seats()), (2, 2, Some(1)));
        assert!(queues.remove(1, 0).is_some() && queues.remove(1, 0).is_none());
        assert_eq!((queues.length(1), queues.next_seats()), (1, Some(3)));
        assert_eq!(serve(&mut queues, |_| 1), [1]);
        assert_eq!((queues.active(), queues.waiting()), (0, 0));
    }

    #[test]
    fn a_flow_uses_all_of_its_hand() {
        let mut queues = Queues::default();
        let hand = Hand::deal(7, 64, 6);
        for ticket in 0..60 {
            let queue = queues.choose(&hand);
            wait(&mut queues, queue, ticket, 1);
        }
        assert!(hand.from(0).all(|queue| queues.length(queue) == 10));
    }
}
