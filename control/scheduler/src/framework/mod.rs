//! The framework: what a plugin is, which plugins a profile has, and the decision that asks them.
//!
//! Invariant: pure. The same cache, pod and cursor give the same node; nothing here waits, reads a clock or draws lots.

mod decide;
mod fit_error;
mod plugin;

pub use decide::{Cursor, decide};
pub use fit_error::FitError;
pub use plugin::{ClusterEvent, Filter, MAX_SCORE, Profile, Score, Unfit};
