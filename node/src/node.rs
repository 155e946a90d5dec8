//! The node: its parts put together, started, stopped.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use coracle_api::pod::read_list;
use coracle_wasi_host::{Engine, EngineConfig, EngineError};
use kube::Client;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api,
    config::{DEFAULT_MAX_PODS, NodeConfig},
    events::{self, of_node},
    images::{CollectError, Collector, GC_PERIOD, ImageManager, KeyError, Programs, load_key},
    lease::run_lease,
    logs::LogWriter,
    machine::{Disk, Machine},
    metrics::Metrics,
    network::{AddressPool, AnyIpRoutes, RouteError, ServiceTable, run_proxy, watch_services},
    open_files::allow_open_files,
    pods::{LivePods, run_pods},
    probes::Prober,
    registration::{Registration, run_status},
    shared::Shared,
};

/// How long the node waits for the first lists of Services and endpoints before it starts pods without them.
const SERVICES_WAIT: Duration = Duration::from_secs(10);
/// How long stopping takes at most; `coracle up` promises to be gone in 2 s.
const STOP_WAIT: Duration = Duration::from_millis(1900);

/// Why a node can't start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// the data directory can't be used
    #[error("the node's directory {path} cannot be used: {source}", path = .path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// the key for compiled programs can't be had
    #[error(transparent)]
    Key(#[from] KeyError),
    /// the engine can't be made
    #[error("the WebAssembly engine cannot be started: {0}")]
    Engine(#[from] EngineError),
    /// pod or Service addresses can't be made this host's
    #[error(transparent)]
    Route(#[from] RouteError),
    /// the thread that writes logs can't be started
    #[error("the thread that writes logs cannot be started: {0}")]
    Logs(#[source] io::Error),
    /// the client for probes can't be made
    #[error("the HTTP client for probes cannot be made: {0}")]
    Prober(#[source] reqwest::Error),
    /// the node can't be registered
    #[error("the node {name:?} cannot be registered with the API server: {source}")]
    Register {
        /// Its name.
        name: String,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
}

/// A running node.
pub struct Node {
    router: Router,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    routes: AnyIpRoutes,
}

impl Node {
    /// Starts the node: registers it, then runs the pods that are bound to it, until `shutdown` or [`Node::stop`].
    ///
    /// # Errors
    /// When something is missing without which no pod could run; the text says what to do about it.
    pub async fn start(client: Client, config: NodeConfig, shutdown: CancellationToken) -> Result<Node, NodeError> {
        let shutdown = shutdown.child_token();
        allow_open_files(config.capacity.pods.unwrap_or(DEFAULT_MAX_PODS));
        let machine = Machine::read(&prepare_dir(&config)?);
        let registration = Registration::new(&config, machine.clone());
        let mut routes = AnyIpRoutes::add(&[config.pod_cidr, config.service_cidr]).await?;
        let tasks = TaskTracker::new();
        let started = start_parts(client, &config, &registration, &tasks, &shutdown).await;
        let shared = match started {
            Ok(shared) => shared,
            Err(error) => {
                shutdown.cancel();
                routes.remove().await;
                return Err(error);
            }
        };
        let router = api::router(&shared, &config.name, machine);
        Ok(Node { router, shutdown, tasks, routes })
    }

    /// The node API: `/containerLogs/{namespace}/{pod}/{container}`, `/stats/summary`, `/metrics`, `/healthz`.
    /// Whoever serves it decides who may ask.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Stops the sandboxes and everything else, in less than two seconds. Pods stay in the API: they come back, with
    /// their addresses, when the node does.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        self.tasks.close();
        if timeout(STOP_WAIT, self.tasks.wait()).await.is_err() {
            tracing::warn!("the node did not stop in time; what is left ends with the process");
        }
        self.routes.remove().await;
    }
}

fn prepare_dir(config: &NodeConfig) -> Result<PathBuf, NodeError> {
    let path = config.data_dir.join("pods");
    std::fs::create_dir_all(&path).map_err(|source| NodeError::DataDir { path: path.clone(), source })?;
    Ok(config.data_dir.clone())
}

/// Makes what pods share, registers the node, and starts its tasks.
async fn start_parts(
    client: Client,
    config: &NodeConfig,
    registration: &Registration,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Result<Arc<Shared>, NodeError> {
    let shared = share(&client, config, registration)?;
    let node = registration.register(&client).await;
    let node = node.map_err(|source| NodeError::Register { name: config.name.clone(), source: Box::new(source) })?;
    let subject = of_node(&config.name);
    shared.events.normal(&subject, "Starting", "Starting kubelet.");
    shared.events.normal(&subject, "NodeReady", format!("Node {} status is now: NodeReady", config.name));
    tasks.spawn(run_lease(client.clone(), node.clone(), shutdown.clone()));
    tasks.spawn(run_status(registration.clone(), node, Arc::clone(&shared), shutdown.clone()));
    tasks.spawn(Arc::clone(&shared.addresses).run_checkpoints(shutdown.clone()));
    tasks.spawn(run_image_gc(Arc::clone(&shared), config.name.clone(), shutdown.clone()));
    let synced = watch_services(&client, &shared.services, shutdown);
    tasks.spawn(run_proxy(Arc::clone(&shared.services), shutdown.clone()));
    let (pods, name, stop) = (Arc::clone(&shared), config.name.clone(), shutdown.clone());
    tasks.spawn(async move {
        // A container is told of Services as it starts, so they are known first.
        let lists = async {
            for list in synced {
                let _ = list.await;
            }
        };
        if timeout(SERVICES_WAIT, lists).await.is_err() {
            tracing::warn!("Services are not known yet; pods are started without their variables");
        }
        run_pods(pods, name, stop).await;
    });
    Ok(shared)
}

/// Keeps the disk from filling up with images that no pod uses, until `shutdown`.
async fn run_image_gc(shared: Arc<Shared>, name: String, shutdown: CancellationToken) {
    let subject = of_node(&name);
    // The first look comes before the node knows its pods: it takes note of what is here and judges no disk.
    let mut look = collect_images(&shared, Collector::default(), Disk::default()).await;
    while let Some((collector, freed)) = look {
        match freed {
            Ok(_) => {}
            Err(error @ CollectError::TooLittle { .. }) => {
                shared.events.warning(&subject, "FreeDiskSpaceFailed", error.to_string());
            }
            Err(error) => shared.events.warning(&subject, "ImageGCFailed", error.to_string()),
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(GC_PERIOD)).await.is_none() {
            return;
        }
        look = collect_images(&shared, collector, Disk::of(&shared.pods_dir)).await;
    }
}

/// One pass, on a thread that may block. None: the runtime ends, or the pass failed; the log then says why.
async fn collect_images(
    shared: &Arc<Shared>,
    mut collector: Collector,
    disk: Disk,
) -> Option<(Collector, Result<u64, CollectError>)> {
    let shared = Arc::clone(shared);
    let pass = tokio::task::spawn_blocking(move || {
        let in_use: Vec<String> = shared.live.all().iter().flat_map(|pod| pod.images()).collect();
        let freed = shared.images.collect(&mut collector, &in_use, disk);
        (collector, freed)
    });
    pass.await.inspect_err(|error| tracing::debug!(%error, "images are no longer collected")).ok()
}

fn share(client: &Client, config: &NodeConfig, registration: &Registration) -> Result<Arc<Shared>, NodeError> {
    let engine = Engine::new(EngineConfig { cache_key: load_key(&config.data_dir)?, ..config.engine.clone() })?;
    let (events, writing) = events::recorder(client.clone(), &config.name);
    // It ends with its last recorder, so it is no part of what a stop waits for.
    tokio::spawn(writing);
    let events = Arc::new(events);
    let programs = Programs::open(engine.clone(), config.images.clone(), &config.data_dir.join("compiled"));
    let images =
        ImageManager::new(config.images.clone(), Arc::clone(&config.registries), programs, Arc::clone(&events));
    Ok(Arc::new(Shared {
        client: client.clone(),
        address: config.address,
        cluster_domain: config.cluster_domain.trim_matches('.').to_ascii_lowercase().into(),
        pods_dir: config.data_dir.join("pods"),
        allocatable: read_list(Some(registration.allocatable())),
        log_limits: config.logs,
        engine,
        images,
        addresses: Arc::new(AddressPool::open(config.pod_cidr, &config.data_dir.join("addresses.json"))),
        services: Arc::new(ServiceTable::new(&config.name, config.address, config.pod_cidr, config.service_cidr)),
        events,
        logs: LogWriter::start().map_err(NodeError::Logs)?,
        prober: Prober::new().map_err(NodeError::Prober)?,
        live: LivePods::default(),
        metrics: Metrics::new(),
        status_turns: Shared::status_turns(),
    }))
}
