//! Keeps the node alive when it runs short: says so in its conditions, frees what nobody needs, and then ends pods in the
//! order that Kubernetes documents (kubelet's `eviction`).
//!
//! [`State`](state::State), [`rank`](candidate::rank) and the texts are pure; [`run_eviction`] looks and acts.

mod amount;
mod candidate;
mod logs;
mod manager;
mod message;
mod observe;
mod signal;
mod state;
mod storage;
mod thresholds;
#[cfg(test)]
mod thresholds_tests;

pub use candidate::{CRITICAL_PRIORITY, is_critical, priority};
pub use manager::run_eviction;
pub use signal::Condition;
pub use state::Conditions;
pub use storage::has_limits as has_storage_limits;
pub use thresholds::{EvictionSettings, GracePeriods, MinimumReclaim, ThresholdError, Thresholds};
