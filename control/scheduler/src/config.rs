//! What the scheduler can be told, and how it can fail.

use std::time::Duration;

/// How the scheduler works; [`Default`] is what `coracle up` runs with.
#[derive(Debug, Clone)]
pub struct SchedulerConfig {
    /// The pods it takes: those whose `spec.schedulerName` is this (`default-scheduler`).
    pub name: String,
    /// Bindings written at the same time. More of them keep a group-committing store busier.
    pub max_concurrent_binds: usize,
    /// First delay before a pod that could not be bound is tried again.
    pub backoff_initial: Duration,
    /// Longest such delay.
    pub backoff_max: Duration,
    /// A pod that no event could help is tried again after this long all the same.
    pub unschedulable_timeout: Duration,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        SchedulerConfig {
            name: "default-scheduler".to_owned(),
            max_concurrent_binds: 128,
            backoff_initial: Duration::from_secs(1),
            backoff_max: Duration::from_secs(10),
            unschedulable_timeout: Duration::from_secs(5 * 60),
        }
    }
}

/// Why the scheduler stopped before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// The configuration can't work.
    #[error("scheduler configuration: {0}")]
    Config(String),
    /// A watch ended that never ends while the process lives.
    #[error("the watch of {0} ended unexpectedly; restart the scheduler")]
    WatchEnded(&'static str),
}
