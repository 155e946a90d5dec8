//! How much one evaluation may really do, whatever it is said to cost.
//!
//! Costs are those of cel-go, which prices what it does; some of that is dearer here, and some of it is priced by its size on
//! the surface only: `a == b` of two lists of a list of a list, each twice in the next, is a few comparisons by cost and 2^n in fact.
//! So what goes over values and what writes texts also counts steps, and an evaluation that has none left ends as one whose cost is
//! exceeded.
//!
//! The count is the thread's: an evaluation never leaves its thread, and what it asks for (values that are worked out when they are
//! asked for) counts with it.

use std::cell::Cell;

/// Steps of one evaluation: some tenths of a second. A million is what an expression may cost.
const STEPS: u64 = 10_000_000;
/// Bytes of new text that count as one step; all that one evaluation writes stays below 40 MiB.
const WRITTEN_BYTES: usize = 4;
/// Bytes of text read or copied that count as one step.
pub(super) const READ_BYTES: usize = 64;

thread_local! {
    /// What is left to the evaluation that runs, if one does.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// An evaluation, until it is dropped.
pub(super) struct Shift {
    is_outermost: bool,
}

impl Shift {
    /// Begins an evaluation, or goes on with the one that has asked for this one.
    pub(super) fn begin() -> Self {
        let is_outermost = LEFT.get().is_none();
        if is_outermost {
            LEFT.set(Some(STEPS));
        }
        Self { is_outermost }
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        if self.is_outermost {
            LEFT.set(None);
        }
    }
}

/// Takes steps. `false` when there are not so many: what is being done is not to go on, and its result will not be looked at.
pub(super) fn spend(steps: usize) -> bool {
    let Some(left) = LEFT.get() else { return true };
    let left = left.checked_sub(steps as u64);
    LEFT.set(Some(left.unwrap_or(0)));
    left.is_some()
}

/// Takes the steps of writing a text of that length.
pub(super) fn write(bytes: usize) -> bool {
    spend(1 + bytes / WRITTEN_BYTES)
}

/// Takes the steps of reading or copying a text of that length.
pub(super) fn read(bytes: usize) -> bool {
    spend(bytes / READ_BYTES)
}

/// Whether the evaluation has done all that it may.
pub(super) fn is_spent() -> bool {
    LEFT.get() == Some(0)
}
