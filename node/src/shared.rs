//! What all pods of the node share.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use coracle_api::pod::ResourceList;
use coracle_wasi_host::Engine;
use kube::Client;
use tokio::sync::Semaphore;

use crate::{
    config::LogLimits,
    events::EventRecorder,
    images::ImageManager,
    logs::LogWriter,
    metrics::Metrics,
    network::{AddressPool, ServiceTable},
    pods::LivePods,
    probes::Prober,
};

/// Status writes under way at once. More would only queue in the API server, and there they would be in the way of
/// everybody else.
const STATUS_WRITES_LIMIT: usize = 64;

/// What all pods of the node share.
pub struct Shared {
    /// The API server.
    pub client: Client,
    /// The node's address.
    pub address: IpAddr,
    /// `cluster.local`
    pub cluster_domain: Arc<str>,
    /// Where pods have their directories.
    pub pods_dir: PathBuf,
    /// What a container without limits may use.
    pub allocatable: ResourceList,
    /// Bounds of log files.
    pub log_limits: LogLimits,
    /// Runs programs.
    pub engine: Engine,
    /// Has images.
    pub images: ImageManager,
    /// Has addresses for pods.
    pub addresses: Arc<AddressPool>,
    /// Knows Services.
    pub services: Arc<ServiceTable>,
    /// Takes notes.
    pub events: Arc<EventRecorder>,
    /// Writes logs.
    pub logs: Arc<LogWriter>,
    /// Asks containers.
    pub prober: Arc<Prober>,
    /// Knows the pods that are here.
    pub live: LivePods,
    /// Counts.
    pub metrics: Metrics,
    /// Turns of status writes.
    pub status_turns: Semaphore,
}

impl Shared {
    /// The turns of [`Shared::status_turns`].
    pub fn status_turns() -> Semaphore {
        Semaphore::new(STATUS_WRITES_LIMIT)
    }
}
