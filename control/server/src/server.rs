//! The server itself: a handle that is cloned freely, and what its owner may do with it.

use std::any::Any;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use coracle_api::{ApiError, ApiResult};
use coracle_store::Store;
use http::Response;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::aggregate::{self, Aggregator, FrontProxy};
use crate::allocate::Allocators;
use crate::audit::Audit;
use crate::authz::Authorizers;
use crate::bootstrap;
use crate::client::InProcess;
use crate::config::ServerConfig;
use crate::custom::{self, Custom};
use crate::dispatch::dispatch;
use crate::docs::Documents;
use crate::http::{Compressible, error};
use crate::hub::Hub;
use crate::identity::User;
use crate::identity::token::{Issuer, KeyError, TokenKey};
use crate::metrics::Metrics;
use crate::nodes::{Kubelets, NodeTransports};
use crate::pki::PkiError;
use crate::ready::{Check, Readiness};
use crate::served::Served;
use crate::tls::{self, ServeError};
use crate::usage;
use crate::write::Chain;

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An object that every cluster has could not be written.
    #[error("cannot create {what}: {source}")]
    Bootstrap {
        /// Which.
        what: String,
        /// What the server itself answered.
        source: Box<ApiError>,
    },
    /// The service network has no room for a single Service.
    #[error("the service network {0} is too small: it needs at least 4 addresses")]
    ServiceNetwork(ipnet::IpNet),
    /// Tokens cannot be signed.
    #[error("cannot use the key of service account tokens: {0}")]
    TokenKey(#[from] KeyError),
    /// The certificate that nodes know this server by cannot be used.
    #[error("cannot reach nodes: {0}")]
    Kubelets(String),
    /// The audit log could not be opened.
    #[error("cannot open the audit log: {0}")]
    Audit(#[from] std::io::Error),
    /// The certificate of the front proxy could not be made.
    #[error("cannot make the certificate of the front proxy: {0}")]
    FrontProxy(Box<PkiError>),
}

/// An API server over a store.
#[derive(Clone)]
pub struct Server {
    hub: Arc<Hub>,
}

impl Server {
    /// A server over `store`, with the objects that every cluster has: the system namespaces and the `kubernetes`
    /// Service, whose endpoints lead to [`ServerConfig::advertise`].
    pub async fn new(store: Store, config: ServerConfig, nodes: NodeTransports) -> Result<Self, StartError> {
        let mut registry = Registry::default();
        store.register_metrics(&mut registry);
        let metrics = Metrics::registered(&mut registry);
        let allocators = Allocators::rebuild(&store, &config)?;
        let readiness = Readiness::default();
        let health = store.clone();
        readiness.register("store", Arc::new(move || health.healthy()));
        let front_proxy = match config.front_proxy.clone() {
            Some(given) => given,
            None => FrontProxy::ephemeral().map_err(|error| StartError::FrontProxy(Box::new(error)))?,
        };
        let key = match &config.token_key_pem {
            Some(pem) => TokenKey::from_pem(pem)?,
            None => TokenKey::generate()?,
        };
        let authorities = config.kubelet_authorities_pem.as_deref();
        let kubelets = Kubelets::new(store.clone(), config.kubelet_client.as_ref(), authorities);
        nodes.reach(kubelets.map_err(|error| StartError::Kubelets(error.to_string()))?);
        let issuer = Issuer::new(&config.token_issuer, key);
        let documents = Documents::new(&config.catalog, &config.version);
        let served = Served { catalog: config.catalog.clone(), documents, remotes: Vec::new() };
        let hub = Hub {
            served: ArcSwap::from_pointee(served),
            publishing: Mutex::default(),
            custom: Custom::default(),
            aggregator: Arc::new(Aggregator::default()),
            front_proxy,
            authorizer: Authorizers::new(store.clone()),
            audit: config.audit.clone().map(Audit::open).transpose()?,
            store,
            config,
            nodes,
            admission: Chain::built_in(),
            allocators,
            issuer,
            usage: usage::Cache::default(),
            readiness,
            metrics,
            registry: Arc::new(registry),
            closing: CancellationToken::new(),
        };
        let server = Self { hub: Arc::new(hub) };
        bootstrap::ensure(&server.hub).await?;
        // Definitions before the first request: what was served before a restart is served after it.
        custom::start(&server.hub).await;
        let failed =
            |what: &'static str| move |source| StartError::Bootstrap { what: what.into(), source: Box::new(source) };
        aggregate::publish_authentication(&server.hub).await.map_err(failed("the authentication ConfigMap"))?;
        aggregate::start(&server.hub).await.map_err(failed("the local APIServices"))?;
        Ok(server)
    }

    /// The whole API as a service. Who is asking comes from a [`User`] among the request's extensions; requests
    /// without one are anonymous.
    pub fn router(&self) -> Router {
        let large =
            |_, _, _: &http::HeaderMap, extensions: &http::Extensions| extensions.get::<Compressible>().is_some();
        Router::new()
            .fallback(|State(hub): State<Arc<Hub>>, request: Request| dispatch(hub, request))
            .with_state(self.hub.clone())
            .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(large))
            .layer(CatchPanicLayer::custom(panicked))
    }

    /// A client inside this process, acting as `user` in `groups`: no socket, no TLS.
    pub fn client(&self, user: &str, groups: &[&str]) -> kube::Client {
        let mut user = User::new(user, groups.iter().map(|g| (*g).to_string()));
        user.in_process = true;
        kube::Client::new(InProcess::new(self.router(), user), "default")
    }

    /// Serves HTTPS on `listener` until `shutdown`; connections then have [`tls::DRAIN`] to finish.
    pub async fn serve(
        &self,
        listener: tokio::net::TcpListener,
        tls: Arc<rustls::ServerConfig>,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        tls::serve(&self.hub, self.router(), listener, tls, shutdown).await
    }

    /// Ends all watches and followed logs, so that clients notice and connections can be closed. Reads and writes
    /// still work: what stops after the server may say its last words.
    pub fn close(&self) {
        self.hub.closing.cancel();
    }

    /// A named check that `/readyz` asks from now on.
    pub fn add_ready_check(&self, name: &str, check: Check) {
        self.hub.readiness.register(name, check);
    }

    /// Says for `/readyz` how the part called `name` is: `Err` with what is wrong.
    pub fn set_ready(&self, name: &str, state: Result<(), String>) {
        self.hub.readiness.set(name, state);
    }

    /// Whether the cluster takes work: `Err` names the checks that fail.
    pub fn ready(&self) -> Result<(), String> {
        let failed = self.hub.readiness.run().into_iter().filter_map(|(name, outcome)| Some((name, outcome.err()?)));
        let texts: Vec<String> = failed.map(|(name, why)| format!("{name}: {why}")).collect();
        if texts.is_empty() { Ok(()) } else { Err(texts.join(", ")) }
    }

    /// How the server reaches its nodes.
    pub fn nodes(&self) -> &NodeTransports {
        &self.hub.nodes
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("config", &self.hub.config).finish_non_exhaustive()
    }
}

/// A panic takes its own request with it and nothing else.
fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response<Body> {
    error(&panic_error(payload.as_ref()))
}

/// The 500 for a panic; its text goes to the log, not to the client.
pub(crate) fn panic_error(payload: &(dyn Any + Send)) -> ApiError {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("(no text)"), "a request panicked");
    ApiError::internal("this request caused apiserver to panic. Look in the logs for details.")
}

/// Runs a write to its end even if the client goes away meanwhile: what it reserved is either used or given back.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = ApiResult<T>> + Send + 'static,
) -> ApiResult<T> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(panic_error(error.into_panic().as_ref())),
        Err(_) => Err(ApiError::unavailable("the server is shutting down")),
    }
}
