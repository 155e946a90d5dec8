//! Where a pod is in its life.

use tokio::time::Instant;

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Bound to this node; the context is being made, or will be tried again at the time given.
    Preparing(Option<Instant>),
    /// The context is there; containers are started and started again as the plan says.
    Running,
    /// Containers are being stopped and none is started; see [`Ending`] for what follows.
    Ending(Ending),
    /// It has run to its end. Nothing of it is left but its status, its logs and its name.
    Over,
    /// Its containers are stopped and its status is final; the API server is asked to delete it.
    Deleting,
    /// Nothing is left to do.
    Done,
}

/// Why a pod ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its containers have ended by themselves; sidecars follow.
    Finished,
    /// The node ended it: its time was over.
    Evicted,
    /// Somebody deleted it.
    Deleted,
    /// It is no longer in the API.
    Removed,
}
