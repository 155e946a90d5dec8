//! A whole cluster in this process: the one place where the crates are put together.
//!
//! Invariant: components meet only through the API. Each gets a `kube::Client` with the identity it would have on a
//! machine of its own; none gets a handle on another.

mod block;
mod data_dir;
mod node_args;
mod registry;
mod settings;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use coracle_controllers::ControllersConfig;
use coracle_node::{Node, NodeAddresses, NodeConfig};
use coracle_oci::{ImageStore, Registries};
use coracle_scheduler::SchedulerConfig;
use coracle_server::{FrontProxy, NodeTransports, Server, ServerConfig, pki};
use coracle_store::{Store, StoreConfig};
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use block::AddressArgs;
pub use data_dir::{DataDir, default_data_dir};
pub use node_args::NodeArgs;
pub use registry::{REGISTRY_NAME, RegistryEndpoint};

/// Git's own name for "no commit": what `/version` says of a build that was not told its own by `CORACLE_GIT_COMMIT`.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// Where the API server listens when nobody says otherwise: Kubernetes' usual port.
pub const DEFAULT_PORT: u16 = 6443;
/// What stopping may take in all; whoever presses Ctrl-C does not wait longer.
const STOP_TIMEOUT: Duration = Duration::from_millis(1800);
/// Name of the one node.
const NODE_NAME_FALLBACK: &str = "coracle";

/// How a cluster is started.
#[derive(Debug, Clone, clap::Args)]
pub struct ClusterArgs {
    /// Where everything is kept [default: /var/lib/coracle as root, the user's data directory otherwise].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Port of the API server; 0 picks a free one [default: the one used before, or 6443].
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Address that the API server listens on.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub bind_address: IpAddr,
    /// Port of the built-in registry; 0 picks a free one [default: the one used before, or 5000 if it is free].
    #[arg(long, value_name = "PORT")]
    pub registry_port: Option<u16>,
    /// Name of the node [default: the host's name].
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
    /// Pods that the node takes at most.
    #[arg(long, value_name = "N", default_value_t = coracle_node::DEFAULT_MAX_PODS)]
    pub max_pods: u32,
    #[command(flatten)]
    pub node: NodeArgs,
    #[command(flatten)]
    pub addresses: AddressArgs,
}

impl ClusterArgs {
    /// For a measurement: everything in `directory`, on loopback addresses and free ports.
    pub fn for_bench(directory: &std::path::Path) -> Self {
        Self {
            data_dir: Some(directory.to_path_buf()),
            port: Some(0),
            bind_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            registry_port: Some(0),
            node_name: None,
            max_pods: coracle_node::DEFAULT_MAX_PODS,
            node: NodeArgs::usual(),
            addresses: AddressArgs::loopback(),
        }
    }
}

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
    _claim: block::Claim,
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

        let store = Store::open(StoreConfig::new(directory.path("store")), coracle_server::lift())
            .await
            .context("cannot open the store")?;
        let nodes = NodeTransports::default();
        let credentials = Credentials::load(&directory, &block, api_address)?;
        let mut config = ServerConfig::new(api_address);
        config.version.git_commit = option_env!("CORACLE_GIT_COMMIT").unwrap_or(NO_COMMIT).into();
        config.service_cidr = IpNet::V4(block.service_cidr);
        config.client_ca_pem = Some(credentials.ca_pem.clone());
        config.token_key_pem = Some(credentials.token_key_pem);
        config.front_proxy = Some(credentials.front_proxy);
        let server = Server::new(store.clone(), config, nodes.clone()).await.context("cannot start the API server")?;
        let name = node_name(args);
        server.set_ready("node", Err(format!("node {name} is not registered yet")));

        serve_api(&server, listener, credentials.tls, &mut tasks, &shutdown);
        start_control_loops(&server, credentials.ca_pem, &mut tasks, &clients_shutdown);
        let config = node_config(&directory, args, &name, &block, &registries)?;
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

/// What the cluster proves itself with; made on first start, certificates renewed when they near their end.
struct Credentials {
    tls: Arc<rustls::ServerConfig>,
    /// The administrator's file.
    kubeconfig: PathBuf,
    ca_pem: String,
    token_key_pem: String,
    front_proxy: FrontProxy,
}

impl Credentials {
    fn load(directory: &DataDir, block: &block::Block, api_address: SocketAddr) -> anyhow::Result<Self> {
        let authority = pki::Authority::load_or_create(directory.path("pki")).context("the cluster's certificates")?;
        let server = authority.server("apiserver", &server_names(block, api_address)?)?;
        let admin = authority.client("admin", "kubernetes-admin", "system:masters")?;
        let ca_pem = authority.certificate_pem().to_string();
        let url = format!("https://{}", reachable(api_address));
        let kubeconfig = directory.path("kubeconfig");
        pki::write_private(&kubeconfig, &pki::kubeconfig("coracle", &url, &ca_pem, "kubernetes-admin", &admin))?;
        Ok(Self {
            tls: authority.tls(&server)?,
            kubeconfig,
            ca_pem,
            token_key_pem: authority.token_key()?,
            front_proxy: FrontProxy::load_or_create(directory.path("pki/front-proxy"))?,
        })
    }
}

/// The names that the API server's certificate is for.
fn server_names(block: &block::Block, api_address: SocketAddr) -> anyhow::Result<Vec<String>> {
    let service = block.service_cidr.hosts().next().context("the Service network has no addresses")?;
    let mut names: Vec<String> = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        .into_iter()
        .chain(["kubernetes.default.svc.cluster.local", "127.0.0.1", "::1"])
        .map(String::from)
        .collect();
    names.extend([service.to_string(), block.node_ip.to_string(), api_address.ip().to_string()]);
    names.sort();
    names.dedup();
    Ok(names)
}

/// The address that a client on this machine uses for one that may be the wildcard.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}

fn serve_api(
    server: &Server,
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    tasks: &mut JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) {
    let (server, shutdown) = (server.clone(), shutdown.clone());
    tasks.spawn(async move { server.serve(listener, tls, shutdown).await.context("the API server stopped") });
}

fn start_control_loops(
    server: &Server,
    ca: String,
    tasks: &mut JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) {
    let client = server.client("system:kube-scheduler", &["system:authenticated"]);
    let token = shutdown.clone();
    tasks.spawn(async move {
        coracle_scheduler::run(client, SchedulerConfig::default(), token).await.context("the scheduler stopped")
    });
    let client = server.client("system:kube-controller-manager", &["system:authenticated"]);
    let token = shutdown.clone();
    let config = ControllersConfig { root_ca_pem: Some(ca), ..ControllersConfig::default() };
    tasks
        .spawn(async move { coracle_controllers::run(client, config, token).await.context("the controllers stopped") });
}

/// The node's configuration: its own directories, and the addresses and registries of the cluster.
fn node_config(
    directory: &DataDir,
    args: &ClusterArgs,
    name: &str,
    block: &block::Block,
    registries: &Arc<Registries>,
) -> anyhow::Result<NodeConfig> {
    let images = ImageStore::open(&directory.path("images"), coracle_oci::Limits::default())
        .context("cannot open the image store")?;
    let addresses = NodeAddresses {
        node: IpAddr::V4(block.node_ip),
        pod_cidr: IpNet::V4(block.cluster_cidr),
        service_cidr: IpNet::V4(block.service_cidr),
    };
    let mut config = NodeConfig::new(name.to_string(), directory.path("node"), addresses, images);
    config.registries = registries.clone();
    config.capacity.pods = Some(args.max_pods);
    args.node.apply(&mut config)?;
    Ok(config)
}

/// The node, as the client it would be on a machine of its own.
async fn start_node(server: &Server, config: NodeConfig, shutdown: &CancellationToken) -> anyhow::Result<Node> {
    let user = format!("system:node:{}", config.name);
    let client = server.client(&user, &["system:nodes", "system:authenticated"]);
    Node::start(client, config, shutdown.clone()).await.context("cannot start the node")
}

/// The host's name as a node name: lower case, and only what a DNS name may have.
fn node_name(args: &ClusterArgs) -> String {
    if let Some(name) = &args.node_name {
        return name.clone();
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let clean: String = host
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' })
        .collect();
    let clean = clean.trim_matches(|c| c == '-' || c == '.').to_string();
    if clean.is_empty() { NODE_NAME_FALLBACK.into() } else { clean }
}
