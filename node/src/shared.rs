//! What all pods of the node share.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, sync::Arc};

use coracle_api::pod::ResourceList;
use coracle_wasi_host::Engine;
use kube::Client;
use parking_lot::RwLock;
use tokio::sync::Semaphore;

use crate::{
    checkpoint::{Checkpoint, ObjectSource},
    config::LogLimits,
    events::EventRecorder,
    health::Health,
    images::ImageManager,
    link::Link,
    logs::LogWriter,
    metrics::Metrics,
    network::{AddressPool, ServiceTable},
    pods::{LivePods, Roster, Runtimes},
    probes::Prober,
    static_pods::Mirrors,
    stats::Sampler,
    volumes::VolumeKeeper,
};

/// Status writes under way at once. More would only queue in the API server, and there they would be in the way of
/// everybody else.
const STATUS_WRITES_LIMIT: usize = 64;

/// What all pods of the node share.
pub struct Shared {
    /// The API server. Requests fail while it is away.
    pub client: Client,
    /// Whether it can be reached.
    pub link: Arc<Link>,
    /// The node's address.
    pub address: IpAddr,
    /// `cluster.local`
    pub cluster_domain: Arc<str>,
    /// What is kept for a start without it.
    pub checkpoint: Arc<Checkpoint>,
    /// Where other objects of pods come from.
    pub objects: ObjectSource,
    /// Where pods have their directories.
    pub pods_dir: PathBuf,
    /// What a container without limits may use.
    pub allocatable: ResourceList,
    /// Bounds of log files.
    pub log_limits: LogLimits,
    /// Runs programs.
    pub engine: Engine,
    /// Gives pods their contexts.
    pub runtimes: Runtimes,
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
    /// Keeps their volumes up to date.
    pub volumes: Arc<VolumeKeeper>,
    /// Counts.
    pub metrics: Metrics,
    /// Turns of status writes.
    pub status_turns: Semaphore,
    /// Knows the pods as objects.
    pub roster: Roster,
    /// Knows how much of everything they use.
    pub stats: Sampler,
    /// Knows how the node is.
    pub health: Health,
    /// Knows the mirrors of static pods.
    pub mirrors: Mirrors,
    /// The labels of the Node, as they were last seen.
    pub labels: RwLock<BTreeMap<String, String>>,
}

impl Shared {
    /// The turns of [`Shared::status_turns`].
    pub fn status_turns() -> Semaphore {
        Semaphore::new(STATUS_WRITES_LIMIT)
    }

    /// Whether nothing of a pod runs, and the API knows that it has ended.
    pub fn has_ended(&self, uid: &str) -> bool {
        let ended = self.roster.get(uid).is_none_or(|pod| pod.has_ended);
        ended && self.live.get(uid).is_none_or(|live| live.running().is_empty())
    }
}
