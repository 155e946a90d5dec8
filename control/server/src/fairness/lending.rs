//! Seats that levels lend each other.
//!
//! A level that needs more than its own seats borrows those that others don't use, up to its borrowing limit. A level lends
//! what may be lent of its seats, and nothing while its own requests wait. The first seats that a borrower frees go back.
//! Upstream moves limits between levels every ten seconds, by the demand that it has seen (KEP-1040, "Dispatching"); here a
//! seat is lent when it is asked for.
//!
//! Invariant: all seats in use and lent by a level are not more than it has, apart from one request at a time in a level
//! that has nothing left at all: no level is ever shut.

use std::time::Instant;

use super::state::{Level, LevelId, Place, State, Wakes};

impl Level {
    fn borrowed(&self) -> u32 {
        self.debts.values().sum()
    }

    /// The level's own seats that are not lent.
    fn kept(&self) -> u32 {
        self.limits.nominal.saturating_sub(self.lent)
    }

    /// Seats that it lacks to have `more` in use, those included that it has in use and lacks already.
    fn lacks(&self, more: u32) -> u32 {
        self.used.saturating_add(more).saturating_sub(self.kept()).saturating_sub(self.borrowed())
    }

    /// Seats that it has borrowed and need not have.
    fn surplus(&self) -> u32 {
        self.borrowed().saturating_sub(self.used.saturating_sub(self.kept()))
    }

    /// Its own seats that nobody has. There are none while it has borrowed some.
    fn free(&self) -> u32 {
        self.kept().saturating_sub(self.used.saturating_sub(self.borrowed()))
    }

    /// Seats that the level lends now.
    fn spare(&self) -> u32 {
        if self.queues.waiting() > 0 { 0 } else { self.free().min(self.limits.lendable.saturating_sub(self.lent)) }
    }

    /// Whether the level runs nothing, and has fewer seats than a request of that width needs.
    fn is_stuck(&self, seats: u32) -> bool {
        self.used == 0 && self.kept() < seats
    }
}

impl State {
    /// Takes seats for a request of a level, borrowed ones too if it is to. `false` when there are not enough.
    pub(super) fn take(&mut self, id: LevelId, seats: u32, borrow: bool) -> bool {
        let Some(level) = self.levels.get(&id) else { return false };
        let missing = level.lacks(seats);
        let (exempt, stuck) = (level.spec.is_exempt(), level.is_stuck(seats));
        let may_borrow = borrow && level.used.saturating_add(seats) <= level.limits.most;
        let has_seats = missing == 0 || exempt || (may_borrow && self.borrow(id, missing)) || stuck;
        if !has_seats {
            return false;
        }
        if let Some(level) = self.levels.get_mut(&id) {
            level.used = level.used.saturating_add(seats);
        }
        true
    }

    /// Borrows seats of those that have most to spare: all of them, or none.
    fn borrow(&mut self, id: LevelId, seats: u32) -> bool {
        let others = self.levels.iter().filter(|(other, _)| **other != id);
        let mut spare: Vec<(u32, LevelId)> = others.map(|(other, level)| (level.spare(), *other)).collect();
        spare.retain(|(seats, _)| *seats > 0);
        if spare.iter().map(|(seats, _)| u64::from(*seats)).sum::<u64>() < u64::from(seats) {
            return false;
        }
        spare.sort_unstable_by(|a, b| b.cmp(a));
        let mut missing = seats;
        for (some, lender) in spare {
            let some = some.min(missing);
            if some == 0 {
                break;
            }
            missing -= some;
            if let Some(lender) = self.levels.get_mut(&lender) {
                lender.lent += some;
            }
            if let Some(level) = self.levels.get_mut(&id) {
                *level.debts.entry(lender).or_default() += some;
            }
        }
        true
    }

    /// Gives back what a level has borrowed and need not have, and so do those that have it back: each pays a debt, so that
    /// there is an end.
    pub(super) fn repay(&mut self, id: LevelId) {
        let mut payers = vec![id];
        while let Some(id) = payers.pop() {
            self.repay_lenders(id, &mut payers);
        }
    }

    /// First those whose requests wait.
    fn repay_lenders(&mut self, id: LevelId, paid: &mut Vec<LevelId>) {
        let Some(level) = self.levels.get(&id).filter(|level| !level.debts.is_empty()) else { return };
        let mut surplus = level.surplus();
        let mut lenders: Vec<LevelId> = level.debts.keys().copied().collect();
        lenders.sort_by_key(|lender| self.levels.get(lender).is_none_or(|level| level.queues.waiting() == 0));
        for lender in lenders {
            let Some(level) = self.levels.get_mut(&id) else { return };
            let Some(debt) = level.debts.get_mut(&lender) else { continue };
            let some = surplus.min(*debt);
            if some == 0 {
                return;
            }
            surplus -= some;
            *debt -= some;
            if *debt == 0 {
                level.debts.remove(&lender);
            }
            if let Some(level) = self.levels.get_mut(&lender) {
                level.lent = level.lent.saturating_sub(some);
                paid.push(lender);
            }
        }
    }

    /// Has as many requests begin as there are seats for: first on seats of their own levels, then on borrowed ones, each
    /// level in turn.
    pub(super) fn dispatch(&mut self, now: Instant, wakes: &mut Wakes) {
        if self.waiting == 0 {
            return;
        }
        let waiting = self.levels.iter().filter(|(_, level)| level.queues.waiting() > 0);
        let mut levels: Vec<LevelId> = waiting.map(|(id, _)| *id).collect();
        for id in &levels {
            while self.dispatch_one(*id, false, now, wakes) {}
        }
        let turn = levels.partition_point(|id| *id <= self.last_borrower);
        levels.rotate_left(turn);
        // Each round has one request less waiting, or is the last one.
        let mut some = true;
        while some {
            some = false;
            for id in &levels {
                if self.dispatch_one(*id, true, now, wakes) {
                    (some, self.last_borrower) = (true, *id);
                }
            }
        }
    }

    fn dispatch_one(&mut self, id: LevelId, borrow: bool, now: Instant, wakes: &mut Wakes) -> bool {
        let Some(seats) = self.levels.get(&id).and_then(|level| level.queues.next_seats()) else { return false };
        if !self.take(id, seats, borrow) {
            return false;
        }
        let Some(level) = self.levels.get_mut(&id) else { return false };
        let Some((queue, ticket, waiting)) = level.queues.pop() else { return false };
        level.tickets.insert(ticket, Place::Runs { queue: Some(queue), seats: waiting.seats, since: now });
        self.waiting -= 1;
        wakes.push(waiting.wake);
        true
    }
}
