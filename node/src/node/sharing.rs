//! What pods share, made for a node.

use std::sync::Arc;

use coracle_api::pod::read_list;
use coracle_wasi_host::{Engine, EngineConfig};
use kube::Client;

use crate::{
    checkpoint::{Checkpoint, ObjectSource},
    config::{DEFAULT_MAX_PODS, NodeConfig},
    events,
    health::Health,
    images::{Access, ImageManager, Programs, load_key},
    link::Link,
    logs::LogWriter,
    metrics::Metrics,
    network::{AddressPool, ServiceTable},
    node_error::NodeError,
    open_files::allow_open_files,
    pods::{LivePods, Roster, Runtimes},
    probes::Prober,
    registration::Registration,
    shared::Shared,
    static_pods::Mirrors,
    stats::Sampler,
    volumes::VolumeKeeper,
};

/// Makes what pods share. `client` is the server's own.
pub fn share(client: &Client, config: &NodeConfig, registration: &Registration) -> Result<Arc<Shared>, NodeError> {
    let cache_key = load_key(&config.data_dir)?;
    let max_descriptors = allow_open_files(config.capacity.pods.unwrap_or(DEFAULT_MAX_PODS));
    let engine = Engine::new(EngineConfig { cache_key, max_descriptors, ..config.engine.clone() })?;
    let link = if config.server_may_be_away { Link::new() } else { Link::steady() };
    let (watching, client) = (link.watching_client(client), link.client(client));
    let (events, writing) = events::recorder(client.clone(), &config.name);
    // It ends with its last recorder, so it is no part of what a stop waits for.
    tokio::spawn(writing);
    let events = Arc::new(events);
    let programs = Programs::open(engine.clone(), config.images.clone(), &config.data_dir.join("compiled"));
    let registries = Arc::clone(&config.registries);
    let access = Access::open(&config.data_dir.join("pulls.json"));
    let events_of_images = Arc::clone(&events);
    let images =
        ImageManager::new(config.images.clone(), registries, programs, events_of_images, config.image_gc, access);
    let allocatable = read_list(Some(registration.allocatable()));
    let checkpoint = match config.server_may_be_away {
        true => Checkpoint::open(&config.data_dir),
        false => Checkpoint::none(),
    };
    let objects = ObjectSource::new(client.clone(), Arc::clone(&checkpoint));
    let volumes = VolumeKeeper::new(
        Arc::new(objects.clone()),
        watching,
        Arc::clone(&link),
        config.address,
        allocatable.clone(),
        Arc::clone(&events),
    );
    Ok(Arc::new(Shared {
        client,
        link,
        checkpoint,
        objects,
        address: config.address,
        cluster_domain: config.cluster_domain.trim_matches('.').to_ascii_lowercase().into(),
        pods_dir: config.data_dir.join("pods"),
        allocatable,
        log_limits: config.logs,
        engine,
        runtimes: Runtimes::new(config.isolation.clone()),
        images,
        addresses: Arc::new(AddressPool::open(config.pod_cidr, &config.data_dir.join("addresses.json"))),
        services: Arc::new(ServiceTable::new(&config.name, config.address, config.pod_cidr, config.service_cidr)),
        events,
        logs: LogWriter::start().map_err(NodeError::Logs)?,
        prober: Prober::new().map_err(NodeError::Prober)?,
        live: LivePods::default(),
        volumes,
        metrics: Metrics::new(),
        status_turns: Shared::status_turns(),
        roster: Roster::default(),
        stats: Sampler::default(),
        health: Health::default(),
        mirrors: Mirrors::default(),
        labels: Default::default(),
    }))
}
