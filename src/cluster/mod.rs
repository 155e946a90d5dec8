//! A whole cluster in this process: the one place where the crates are put together.
//!
//! Invariant: components meet only through the API. Each gets a `kube::Client` with the identity it would have on a
//! machine of its own; none gets a handle on another.

mod admission;
mod args;
mod audit;
mod block;
mod components;
mod credentials;
mod data_dir;
mod encryption;
mod node_args;
mod registry;
mod settings;
mod signer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use coracle_controllers::ControllersConfig;
use coracle_node::Node;
use coracle_oci::Registries;
use coracle_server::{NodeTransports, Server, ServerConfig};
use coracle_store::{Store, StoreConfig};
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use components::{serve_api, start_control_loops, start_node};
use credentials::Credentials;

pub use admission::AdmissionArgs;
pub use args::ClusterArgs;
pub use audit::AuditArgs;
pub use block::{AddressArgs, Block, Claim, check_node_ip, choose as choose_block};
pub use components::{node_config, node_name};
pub use data_dir::{DataDir, default_data_dir, is_root};
pub use encryption::EncryptionArgs;
pub use node_args::NodeArgs;
pub use registry::{REGISTRY_NAME, RegistryEndpoint};

/// Git's own name for "no commit": what `/version` says of a build that was not told its own by `CORACLE_GIT_COMMIT`.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
/// Where the API server listens when nobody says otherwise: Kubernetes' usual port.
pub const DEFAULT_PORT: u16 = 6443;
/// What stopping may take in all; whoever presses Ctrl-C does not wait longer.
const STOP_TIMEOUT: Duration = Duration::from_millis(1800);

/// A running cluster.
pub struct Cluster {
    /// A client with the rights of a cluster administrator, in process.
    pub client: kube::Client,
    /// The file that kubectl needs.
    pub kubeconfig: PathBuf,
    /// Where the API server answers.
    pub api_address: SocketAddr,
    /// The built-in registry.
    pub registry: RegistryEndpoint,
    /// The registries that the node knows.
    pub registries: Arc<Registries>,
    /// Ends the scheduler and the controllers: clients stop before what they talk to.
    clients_shutdown: CancellationToken,
    shutdown: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    node: Node,
    store: Store,
    _claim: Claim,
    _lock: DataDir,
}

impl Cluster {
    /// Starts every component and returns when the cluster takes work.
    pub async fn start(args: &ClusterArgs) -> anyhow::Result<Cluster> {
        let directory = DataDir::open(args.data_dir.clone().unwrap_or_else(default_data_dir))?;
        let mut settings = settings::Settings::load(&directory.path("settings.json"))?;
        let claim = settings.claim_addresses(&args.addresses)?;
        let block = settings.block()?;
        let listener = listen_api(args, &settings).await?;
        let api_address = listener.local_addr().context("the API server's own address")?;
        settings.api_port = Some(api_address.port());

        let registries = Arc::new(Registries::new());
        let shutdown = CancellationToken::new();
        let clients_shutdown = shutdown.child_token();
        let mut tasks = JoinSet::new();
        let registry = registry::serve(&directory, args, &mut settings, &registries, &mut tasks, &shutdown).await?;
        settings.save()?;

        let encryption = Arc::new(args.encryption.load(&directory)?);
        let config = StoreConfig { encryption, ..StoreConfig::new(directory.path("store")) };
        let store = Store::open(config, coracle_server::lift()).await.context("cannot open the store")?;
        let nodes = NodeTransports::default();
        let credentials = Credentials::load(&directory, &block, api_address)?;
        let mut config = ServerConfig::new(api_address);
        config.audit = args.audit.config()?;
        config.pod_security = args.admission.pod_security()?;
        config.version.git_commit = option_env!("CORACLE_GIT_COMMIT").unwrap_or(NO_COMMIT).into();
        config.service_cidr = IpNet::V4(block.service_cidr);
        config.client_ca_pem = Some(credentials.ca_pem.clone());
        config.token_key_pem = Some(credentials.token_key_pem);
        config.front_proxy = Some(credentials.front_proxy);
        config.kubelet_client = Some(credentials.kubelet_client);
        config.kubelet_authorities_pem = args.kubelet_authorities()?;
        let server = Server::new(store.clone(), config, nodes.clone()).await.context("cannot start the API server")?;
        let name = args.node_name.clone().unwrap_or_else(node_name);
        server.set_ready("node", Err(format!("node {name} is not registered yet")));

        serve_api(&server, listener, credentials.tls, &mut tasks, &shutdown);
        let controllers = ControllersConfig {
            root_ca_pem: Some(credentials.ca_pem),
            signer: Some(credentials.signer),
            event_ttl: Some(args.event_ttl),
            ..ControllersConfig::default()
        };
        start_control_loops(&server, controllers, &mut tasks, &clients_shutdown);
        let config = node_config(&directory, &args.node, &name, &block, &registries)?;
        let node = start_node(&server, config, &shutdown).await?;
        nodes.register(&name, node.router());
        server.set_ready("node", Ok(()));

        let client = server.client("kubernetes-admin", &["system:masters"]);
        Ok(Cluster {
            client,
            kubeconfig: credentials.kubeconfig,
            api_address,
            registry,
            registries,
            clients_shutdown,
            shutdown,
            tasks,
            node,
            store,
            _claim: claim,
            _lock: directory,
        })
    }

    /// Returns with the reason when a component ends by itself, which none should.
    pub async fn failed(&mut self) -> anyhow::Error {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Ok(()))) if self.clients_shutdown.is_cancelled() => {}
                Some(Ok(Ok(()))) => return anyhow::anyhow!("a component of the cluster ended unexpectedly"),
                Some(Ok(Err(error))) => return error,
                Some(Err(error)) => return anyhow::anyhow!("a component of the cluster panicked: {error}"),
                None => return anyhow::anyhow!("no component of the cluster is left"),
            }
        }
    }

    /// Stops everything in bounded time. Pods stay in the API, and run again at the next start, unless the node is to
    /// end them, which has a time of its own.
    pub async fn stop(mut self) {
        let limit = STOP_TIMEOUT + self.node.shutdown_grace();
        let stopping = async {
            self.clients_shutdown.cancel();
            self.node.stop().await;
            self.shutdown.cancel();
            while self.tasks.join_next().await.is_some() {}
            if let Err(error) = self.store.shutdown().await {
                tracing::warn!(%error, "the store did not close cleanly; nothing acknowledged is lost");
            }
        };
        if tokio::time::timeout(limit, stopping).await.is_err() {
            tracing::warn!("some component did not stop in time; what was acknowledged is on disk");
        }
    }
}

async fn listen_api(args: &ClusterArgs, settings: &settings::Settings) -> anyhow::Result<TcpListener> {
    let wanted = args.port.or(settings.api_port).unwrap_or(DEFAULT_PORT);
    let address = SocketAddr::new(args.bind_address, wanted);
    TcpListener::bind(address).await.with_context(|| {
        format!("the API server cannot listen on {address}; choose another port with --port (0 picks a free one)")
    })
}
