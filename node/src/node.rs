//! The node: its parts put together, started, stopped.

mod registering;
mod sharing;

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};

use axum::Router;
use kube::Client;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    registering::{be_a_node, first_registration},
    sharing::share,
};
use crate::{
    api,
    config::NodeConfig,
    ebb::run_ebb,
    events::{Subject, of_node},
    eviction::run_eviction,
    images::run_image_gc,
    machine::Machine,
    network::{AnyIpRoutes, run_proxy, watch_services},
    node_error::NodeError,
    pods::{Sources, run_pods},
    registration::Registration,
    serve::Door,
    shared::Shared,
    shutdown::{ShutdownGrace, end_pods},
    static_pods::{StaticPods, run_mirrors, run_static_pods},
    stats::run_stats,
};

/// How long the server has for each of its first answers, if there are pods that can start without it.
const FIRST_ANSWER: Duration = Duration::from_millis(300);
/// How long the node waits for the first lists of Services and endpoints before it starts pods without them.
const SERVICES_WAIT: Duration = Duration::from_secs(10);
/// How long stopping takes at most; `coracle up` promises to be gone in 2 s.
const STOP_WAIT: Duration = Duration::from_millis(1900);
/// The reason of the event of a pod that can't have its host port (kubelet's, of old).
const HOST_PORT_REASON: &str = "HostPortConflict";

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
        let mut routes = AnyIpRoutes::add(&config.pod_cidr, &config.service_cidr).await?;
        let tasks = TaskTracker::new();
        let started = start_served(client, &config, &machine, &tasks, &shutdown).await;
        let (shared, router) = match started {
            Ok(started) => started,
            Err(error) => {
                shutdown.cancel();
                routes.remove().await;
                return Err(error);
            }
        };
        let (name, grace, shared) = (config.name, config.shutdown, Arc::downgrade(&shared));
        Ok(Node { router, shutdown, tasks, routes, shared, name, grace })
    }

    /// The node API: `/containerLogs/{namespace}/{pod}/{container}`, `/stats/summary`, `/metrics`, `/healthz`.
    /// Whoever serves it decides who may ask.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    #[cfg(test)]
    pub(crate) fn link(&self) -> Arc<crate::link::Link> {
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

/// Starts everything, behind a port of its own if the node has one: that is open before it is published.
async fn start_served(
    client: Client,
    config: &NodeConfig,
    machine: &Machine,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Result<(Arc<Shared>, Router), NodeError> {
    let door = match &config.serve {
        Some(serve) => Some(Door::open(serve, &config.name, config.address).await?),
        None => None,
    };
    let registration = Registration::new(config, machine.clone(), door.as_ref().map(|door| door.port));
    let shared = start_parts(client.clone(), config, &registration, machine, tasks, shutdown).await?;
    let router = api::router(&shared, &config.name, machine);
    if let Some(mut door) = door {
        if let Some(renewing) = door.renewing(shared.link.watching_client(&client), shutdown.clone()) {
            tasks.spawn(renewing);
        }
        let (client, link) = (shared.client.clone(), Arc::clone(&shared.link));
        tasks.spawn(door.serve(router.clone(), client, link, config.name.clone(), shutdown.clone()));
    }
    Ok((shared, router))
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
    let begun = Instant::now();
    let shared = share(&client, config, registration)?;
    let patience = shared.checkpoint.has_pods().then_some(FIRST_ANSWER);
    let name = &config.name;
    let eviction = run_eviction(
        Arc::clone(&shared),
        machine.clone(),
        config.data_dir.clone(),
        name,
        &config.eviction,
        shutdown.clone(),
    )?;
    let registered = first_registration(&client, config, registration, &shared).await?;
    shared.events.normal(&of_node(name), "Starting", "Starting kubelet.");
    tasks.spawn(be_a_node(client.clone(), registration.clone(), registered, Arc::clone(&shared), shutdown.clone()));
    tasks.spawn(Arc::clone(&shared.addresses).run_checkpoints(shutdown.clone()));
    tasks.spawn(Arc::clone(&shared.checkpoint).run(shutdown.clone()));
    tasks.spawn(run_image_gc(Arc::clone(&shared), name.clone(), shutdown.clone()));
    tasks.spawn(run_ebb(Arc::clone(&shared), shutdown.clone()));
    tasks.spawn(run_stats(Arc::clone(&shared), shutdown.clone()));
    tasks.spawn(Arc::clone(&shared.volumes).run(shutdown.clone()));
    tasks.spawn(eviction);
    let watching = shared.link.watching_client(&client);
    let synced = watch_services(&watching, &shared.services, &shared.checkpoint, shutdown);
    let events = Arc::clone(&shared.events);
    let complain = Box::new(move |pod: &Subject, why| events.warning(pod, HOST_PORT_REASON, why));
    tasks.spawn(run_proxy(Arc::clone(&shared.services), complain, shutdown.clone()));
    let statics = statics(config, &shared, tasks, shutdown);
    let sources = Sources { client: watching, node: name.clone(), patience, begun, statics };
    let (pods, stop) = (Arc::clone(&shared), shutdown.clone());
    tasks.spawn(async move {
        // A container is told of Services as it starts, so they are known first.
        let lists = async {
            for list in synced {
                let _ = list.await;
            }
        };
        tokio::select! {
            () = lists => {}
            // Those that the checkpoint remembers are known already.
            () = tokio::time::sleep(patience.unwrap_or(SERVICES_WAIT)) => {
                tracing::warn!("Services are not known yet; pods are started without the variables of new ones");
            }
            () = pods.link.lost(), if patience.is_some() => {}
        }
        run_pods(pods, sources, stop).await;
    });
    Ok(shared)
}

/// Pods of the manifest directory, which is read from now on if there is one.
fn statics(
    config: &NodeConfig,
    shared: &Arc<Shared>,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> watch::Receiver<StaticPods> {
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
    statics
}
