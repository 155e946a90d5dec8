//! The scheduler: decides on which node each pod runs, and binds it there.
//!
//! A Kubernetes client like any other: it watches pods and nodes, and writes bindings, pod conditions and events.
//!
//! Invariant: one task owns the cache and the queue; nothing that waits for the network holds up a decision.
#![forbid(unsafe_code)]

mod affinity;
mod binder;
mod cache;
mod config;
mod driver;
mod framework;
mod informer;
mod node_info;
mod notes;
mod plugins;
mod pod_info;
mod ports;
mod queue;
mod resources;
mod state;
#[cfg(test)]
mod testing;
mod view;

pub use config::{SchedulerConfig, SchedulerError};
pub use framework::{ClusterEvent, Cursor, Filter, FitError, MAX_SCORE, Profile, Score, Unfit, decide};
pub use node_info::{NodeInfo, NodeOffer, Usage};
pub use pod_info::PodInfo;
pub use ports::{HostPort, HostPorts};
pub use resources::Resources;

use tokio_util::sync::CancellationToken;

/// Schedules pods until `shutdown` is cancelled.
///
/// # Errors
/// See [`SchedulerError`]; losing the API server is not an error, it is waited out.
pub async fn run(
    client: kube::Client,
    config: SchedulerConfig,
    shutdown: CancellationToken,
) -> Result<(), SchedulerError> {
    if config.name.is_empty() {
        return Err(SchedulerError::Config("name must not be empty".to_owned()));
    }
    if config.max_concurrent_binds == 0 {
        return Err(SchedulerError::Config("max_concurrent_binds must be at least 1".to_owned()));
    }
    driver::Driver::run(client, config, shutdown).await
}
