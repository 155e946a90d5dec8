//! All levels with what runs and what waits in them. One lock is around all of it: seats are lent between levels, and what is
//! done under the lock is some arithmetic.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::deal::Hand;
use super::limits::Limits;
use super::queues::Queues;
use super::spec::{CATCH_ALL, LevelSpec, Response};

/// The number of a level; never used again.
pub(super) type LevelId = u64;

/// Whoever is to be told that his turn has come: outside of the lock.
pub(super) type Wakes = Vec<oneshot::Sender<()>>;

/// A level.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) spec: LevelSpec,
    pub(super) limits: Limits,
    /// Seats of its requests, its own and borrowed ones.
    pub(super) used: u32,
    /// Its seats that other levels' requests have.
    pub(super) lent: u32,
    /// The seats that it has borrowed, by lender.
    pub(super) debts: BTreeMap<LevelId, u32>,
    pub(super) queues: Queues,
    /// Requests that wait or run, by ticket.
    pub(super) tickets: HashMap<u64, Place>,
    /// Its object is gone: it lives on until it is idle.
    pub(super) retired: bool,
}

/// Where a request is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Waits { queue: u32 },
    Runs { queue: Option<u32>, seats: u32, since: Instant },
}

/// How a request is received.
#[derive(Debug)]
pub(super) enum Entered {
    /// It runs.
    Runs(LevelId, u64),
    /// It waits for its turn, or runs by the time it is told.
    Waits(LevelId, u64, oneshot::Receiver<()>),
    /// There is no seat, and the level has no queues.
    NoSeat,
    /// There is no seat, and no place in its queue.
    QueueFull,
}

/// What a request was doing when it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Waiting,
    Running,
    /// It had left before.
    Nothing,
}

impl Level {
    fn new(spec: LevelSpec) -> Self {
        Self {
            spec,
            limits: Limits::default(),
            used: 0,
            lent: 0,
            debts: BTreeMap::new(),
            queues: Queues::default(),
            tickets: HashMap::new(),
            retired: false,
        }
    }

    /// Requests that run.
    pub(super) fn running(&self) -> usize {
        self.tickets.len() - self.queues.waiting()
    }

    fn is_over(&self) -> bool {
        self.retired && self.tickets.is_empty() && self.lent == 0
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct State {
    /// The server's seats.
    total: u32,
    pub(super) levels: BTreeMap<LevelId, Level>,
    names: HashMap<Arc<str>, LevelId>,
    tickets: u64,
    numbers: LevelId,
    /// Requests that wait, in all levels.
    pub(super) waiting: usize,
    pub(super) last_borrower: LevelId,
}

impl State {
    pub(super) fn new(total: u32) -> Self {
        Self {
            total,
            levels: BTreeMap::new(),
            names: HashMap::new(),
            tickets: 0,
            numbers: 0,
            waiting: 0,
            last_borrower: 0,
        }
    }

    /// Takes over what the objects say now. Who waits may have a seat by that.
    pub(super) fn configure(&mut self, specs: &[LevelSpec], now: Instant, wakes: &mut Wakes) {
        for level in self.levels.values_mut() {
            level.retired = true;
        }
        for spec in specs {
            let known = self.names.get(&spec.name).and_then(|id| self.levels.get_mut(id));
            match known {
                Some(level) => (level.spec, level.retired) = (spec.clone(), false),
                None => {
                    self.numbers += 1;
                    self.names.insert(spec.name.clone(), self.numbers);
                    self.levels.insert(self.numbers, Level::new(spec.clone()));
                }
            }
        }
        self.forget_idle();
        self.share_out();
        self.settle();
        self.dispatch(now, wakes);
    }

    /// A request comes to a level: to the catch-all one, if that is gone.
    pub(super) fn enter(&mut self, level: &str, flow: u64, width: u32, now: Instant) -> (Entered, Wakes) {
        let id = self.names.get(level).or_else(|| self.names.get(CATCH_ALL)).copied().unwrap_or_default();
        let Some(level) = self.levels.get_mut(&id) else { return (Entered::NoSeat, Wakes::new()) };
        let seats = width.clamp(1, level.limits.widest.max(1));
        let queue = match level.spec.response {
            Response::Queue(queuing) => {
                let hand = Hand::deal(flow, queuing.queues, queuing.hand);
                Some((level.queues.choose(&hand), queuing.length))
            }
            Response::Exempt | Response::Reject => None,
        };
        let first = level.queues.waiting() == 0;
        self.tickets += 1;
        let ticket = self.tickets;
        if first && self.take(id, seats, true) {
            self.run(id, ticket, (queue.map(|(queue, _)| queue), seats), now);
            return (Entered::Runs(id, ticket), Wakes::new());
        }
        let Some((queue, length)) = queue else { return (Entered::NoSeat, Wakes::new()) };
        self.wait(id, ticket, (queue, length), seats, now)
    }

    fn wait(
        &mut self,
        id: LevelId,
        ticket: u64,
        (queue, length): (u32, usize),
        seats: u32,
        now: Instant,
    ) -> (Entered, Wakes) {
        let Some(level) = self.levels.get_mut(&id) else { return (Entered::NoSeat, Wakes::new()) };
        if level.queues.length(queue) >= length {
            return (Entered::QueueFull, Wakes::new());
        }
        let (wake, woken) = oneshot::channel();
        level.queues.push(queue, ticket, seats, wake);
        level.tickets.insert(ticket, Place::Waits { queue });
        self.waiting += 1;
        let mut wakes = Wakes::new();
        // It may be before one that waits for more seats than there are.
        self.dispatch(now, &mut wakes);
        (Entered::Waits(id, ticket, woken), wakes)
    }

    /// A request has its seats and begins.
    fn run(&mut self, id: LevelId, ticket: u64, (queue, seats): (Option<u32>, u32), now: Instant) {
        let Some(level) = self.levels.get_mut(&id) else { return };
        if let Some(queue) = queue {
            level.queues.begins(queue, seats);
        }
        level.tickets.insert(ticket, Place::Runs { queue, seats, since: now });
    }

    /// A request goes, whatever it was doing. What it leaves is given to who waits.
    pub(super) fn leave(&mut self, id: LevelId, ticket: u64, now: Instant) -> (Left, Wakes) {
        let mut wakes = Wakes::new();
        let Some(level) = self.levels.get_mut(&id) else { return (Left::Nothing, wakes) };
        let left = match level.tickets.remove(&ticket) {
            None => return (Left::Nothing, wakes),
            Some(Place::Waits { queue }) => {
                level.queues.remove(queue, ticket);
                self.waiting -= 1;
                Left::Waiting
            }
            Some(Place::Runs { queue, seats, since }) => {
                if let Some(queue) = queue {
                    level.queues.ended(queue, seats, now.saturating_duration_since(since));
                }
                level.used = level.used.saturating_sub(seats);
                Left::Running
            }
        };
        self.repay(id);
        if self.levels.values().any(Level::is_over) {
            self.forget_idle();
            self.share_out();
        }
        self.dispatch(now, &mut wakes);
        (left, wakes)
    }

    /// Goes only if it waits still; otherwise it runs, and goes on.
    pub(super) fn give_up(&mut self, id: LevelId, ticket: u64, now: Instant) -> (bool, Wakes) {
        let place = self.levels.get(&id).and_then(|level| level.tickets.get(&ticket));
        match place {
            Some(Place::Waits { .. }) => (true, self.leave(id, ticket, now).1),
            _ => (false, Wakes::new()),
        }
    }

    /// Shares the seats out anew.
    fn share_out(&mut self) {
        let sum = self.levels.values().map(|level| u64::from(level.spec.shares)).sum();
        for level in self.levels.values_mut() {
            level.limits = Limits::of(&level.spec, self.total, sum);
        }
    }

    /// Debts that need not be, now that limits are others, are paid.
    fn settle(&mut self) {
        let all: Vec<LevelId> = self.levels.keys().copied().collect();
        for id in all {
            self.repay(id);
        }
    }

    fn forget_idle(&mut self) {
        self.levels.retain(|_, level| !level.is_over());
        self.names.retain(|_, id| self.levels.contains_key(id));
    }
}
