//! The node: its parts put together, started, stopped.

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};

use axum::Router;
use coracle_api::pod::read_list;
use coracle_wasi_host::{Engine, EngineConfig};
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::Client;
use tokio::{sync::watch, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api,
    config::{DEFAULT_MAX_PODS, NodeConfig},
    events::{self, Subject, of_node},
    eviction::run_eviction,
    health::Health,
    images::{ImageManager, Programs, load_key, run_image_gc},
    lease::run_lease,
    link::Link,
    logs::LogWriter,
    machine::Machine,
    metrics::Metrics,
    network::{AddressPool, AnyIpRoutes, ServiceTable, run_proxy, watch_services},
    node_error::NodeError,
    open_files::allow_open_files,
    pods::{LivePods, Roster, Runtimes, Sources, run_pods},
    probes::Prober,
    registration::{Registration, run_status},
    shared::Shared,
    shutdown::{ShutdownGrace, end_pods},
    static_pods::{Mirrors, run_mirrors, run_static_pods},
    stats::{Sampler, run_stats},
    volumes::VolumeKeeper,
};

/// How long the node waits for the first lists of Services and endpoints before it starts pods without them.
const SERVICES_WAIT: Duration = Duration::from_secs(10);
/// How long stopping takes at most; `coracle up` promises to be gone in 2 s.
const STOP_WAIT: Duration = Duration::from_millis(1900);
/// The reason of the event of a pod that can't have its host port (kubelet's, of old).
const HOST_PORT_REASON: &str = "HostPortConflict";
/// How soon a registration that failed is tried again.
const REGISTER_RETRY: Duration = Duration::from_secs(2);

/// A running node.
pub struct Node {
    router: Router,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    routes: AnyIpRoutes,
    /// Held by the tasks; see `api`.
    shared: Weak<Shared>,
    name: String,
    grace: ShutdownGrace,
}

impl Node {
    /// Starts the node: registers it, then runs the pods that are bound to it, until `shutdown` or [`Node::stop`].
    ///
    /// # Errors
    /// When something is missing without which no pod could run; the text says what to do about it.
    pub async fn start(client: Client, config: NodeConfig, shutdown: CancellationToken) -> Result<Node, NodeError> {
        let shutdown = shutdown.child_token();
        let machine = Machine::read(&prepare_dir(&config)?);
        let registration = Registration::new(&config, machine.clone());
        let mut routes = AnyIpRoutes::add(&[config.pod_cidr, config.service_cidr]).await?;
        let tasks = TaskTracker::new();
        let started = start_parts(client, &config, &registration, &machine, &tasks, &shutdown).await;
        let shared = match started {
            Ok(shared) => shared,
            Err(error) => {
                shutdown.cancel();
                routes.remove().await;
                return Err(error);
            }
        };
        let router = api::router(&shared, &config.name, &machine);
        let (name, grace, shared) = (config.name, config.shutdown, Arc::downgrade(&shared));
        Ok(Node { router, shutdown, tasks, routes, shared, name, grace })
    }

    /// The node API: `/containerLogs/{namespace}/{pod}/{container}`, `/stats/summary`, `/metrics`, `/healthz`.
    /// Whoever serves it decides who may ask.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    #[cfg(test)]
    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.shared.upgrade().expect("the node runs").link)
    }

    /// How long [`Node::stop`] may take for pods to end, beside the two seconds that it takes at most for itself.
    pub fn shutdown_grace(&self) -> Duration {
        self.grace.total
    }

    /// Stops the sandboxes and everything else, in less than two seconds. Pods stay in the API: they come back, with
    /// their addresses, when the node does. With a grace period for shutdowns they end instead, before all else.
    pub async fn stop(mut self) {
        if self.grace.is_graceful()
            && let Some(shared) = self.shared.upgrade()
        {
            end_pods(&shared, &self.name, self.grace).await;
        }
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
    machine: &Machine,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Result<Arc<Shared>, NodeError> {
    let shared = share(&client, config, registration)?;
    let name = &config.name;
    let eviction = run_eviction(
        Arc::clone(&shared),
        machine.clone(),
        config.data_dir.clone(),
        name,
        &config.eviction,
        shutdown.clone(),
    )?;
    let registered = match shared.link.probe(registration.register(&client, &shared)).await {
        Ok(node) => Some(node),
        // A node with pods of its own runs them, API server or not.
        Err(error) if config.pod_manifest_path.is_some() && !matches!(error, kube::Error::Api(_)) => {
            tracing::warn!(%error, "the API server can't be reached; static pods start without it");
            None
        }
        Err(source) => return Err(NodeError::Register { name: name.clone(), source: Box::new(source) }),
    };
    shared.events.normal(&of_node(name), "Starting", "Starting kubelet.");
    tasks.spawn(be_a_node(client.clone(), registration.clone(), registered, Arc::clone(&shared), shutdown.clone()));
    tasks.spawn(Arc::clone(&shared.addresses).run_checkpoints(shutdown.clone()));
    tasks.spawn(run_image_gc(Arc::clone(&shared), name.clone(), shutdown.clone()));
    tasks.spawn(run_stats(Arc::clone(&shared), shutdown.clone()));
    tasks.spawn(Arc::clone(&shared.volumes).run(shutdown.clone()));
    tasks.spawn(eviction);
    let watching = shared.link.watching_client(&client);
    let synced = watch_services(&watching, &shared.services, shutdown);
    let events = Arc::clone(&shared.events);
    let complain = Box::new(move |pod: &Subject, why| events.warning(pod, HOST_PORT_REASON, why));
    tasks.spawn(run_proxy(Arc::clone(&shared.services), complain, shutdown.clone()));
    let sources = sources(config, watching, &shared, tasks, shutdown);
    let (pods, stop) = (Arc::clone(&shared), shutdown.clone());
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
        run_pods(pods, sources, stop).await;
    });
    Ok(shared)
}

/// Registers, if that is still to be done, and then gives signs of life. `client` is the server's own.
async fn be_a_node(
    client: Client,
    registration: Registration,
    mut registered: Option<NodeObject>,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
) {
    let node = loop {
        if let Some(node) = registered {
            break node;
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(REGISTER_RETRY)).await.is_none() {
            return;
        }
        registered = shared
            .link
            .probe(registration.register(&client, &shared))
            .await
            .inspect_err(|error| tracing::debug!(%error, "the node could not be registered; trying again"))
            .ok();
    };
    let lease = run_lease(client, Arc::clone(&shared.link), node.clone(), shutdown.clone());
    tokio::join!(lease, run_status(registration, node, Arc::clone(&shared), shutdown));
}

/// Where pods come from; a manifest directory is read from now on.
fn sources(
    config: &NodeConfig,
    client: Client,
    shared: &Arc<Shared>,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Sources {
    let (sender, statics) = watch::channel(None);
    let node = config.name.clone();
    match &config.pod_manifest_path {
        Some(path) => {
            let (shared, path, stop) = (Arc::clone(shared), path.clone(), shutdown.clone());
            tasks.spawn(run_static_pods(shared, path, node.clone(), sender, stop));
        }
        // Mirrors of an earlier life, when there was one, have no pods any more.
        None => shared.mirrors.want(&[]),
    }
    tasks.spawn(run_mirrors(Arc::clone(shared), node.clone(), shutdown.clone()));
    Sources { client, node, statics }
}

fn share(client: &Client, config: &NodeConfig, registration: &Registration) -> Result<Arc<Shared>, NodeError> {
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
    let images = ImageManager::new(config.images.clone(), registries, programs, Arc::clone(&events), config.image_gc);
    let allocatable = read_list(Some(registration.allocatable()));
    let volumes = VolumeKeeper::new(client.clone(), watching, config.address, allocatable.clone(), Arc::clone(&events));
    Ok(Arc::new(Shared {
        client,
        link,
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
