//! Job: pods that run to their end, counted exactly once.
//!
//! Every pod carries a finalizer until it is counted, so that no result is lost to whoever deletes pods (KEP-2307).

mod backoff;
mod conditions;
mod controller;
mod indexes;
mod orphans;
mod outcome;
mod per_index;
mod policy;
mod report;
mod surplus;
mod template;
mod tracking;

pub use controller::JobController;
pub use orphans::JobOrphanController;

/// Holds a pod until its Job has counted it.
pub const TRACKING_FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// Annotation and label with a pod's index.
pub const INDEX_KEY: &str = "batch.kubernetes.io/job-completion-index";
