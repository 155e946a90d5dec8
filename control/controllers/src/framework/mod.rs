//! What every controller is made of: shared informers, a work queue, the loop that drives it, and small tools around
//! ownership and parallel writes.
//!
//! Nothing here knows what any one controller does.

mod batch;
mod controller;
mod expectations;
mod informer;
mod key;
mod owner;
mod queue;
mod selector;
mod store;

pub use batch::{MAX_PARALLEL_WRITES, slow_start};
pub use controller::{Reconcile, ReconcileError, drive};
pub use expectations::Expectations;
pub use informer::{Delta, Informer};
pub use key::Key;
pub use owner::{Owner, adopt, controller_of, owner_reference, release};
pub use queue::WorkQueue;
pub use selector::{may_adopt, selector_of};
