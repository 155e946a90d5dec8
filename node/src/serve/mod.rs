//! The node API over HTTPS, for API servers that are not in this process: the kubelet's port.
//!
//! Who asks is known by a client certificate of the cluster ([`certificates`]) or by a bearer token that the API server
//! knows ([`authentication`]); whether they may is asked of the API server ([`authorization`]). Nobody is let in unknown.
//!
//! Invariant: no request reaches the node API before both have been answered.

mod attributes;
mod authentication;
mod authorities;
mod authorization;
mod cache;
mod certificates;
mod guard;
mod listener;
mod user;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use axum::Router;
use jiff::Timestamp;
use kube::Client;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use authorities::Authorities;
use certificates::Shown;
use guard::Guard;
use listener::Listener;

use crate::{
    credentials::{CredentialError, Holder, Pair, PairStore, Renewal, Wanted},
    link::Link,
};

/// What tests elsewhere serve with.
#[cfg(test)]
pub mod testing {
    pub use super::certificates::{Shown, tls};
}

/// How long clients wait at the start until it is known who certifies them.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// How the node API is served.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// Where it listens; port 0 is any free one.
    pub address: SocketAddr,
    /// The authorities of client certificates, PEM. None: those that the cluster publishes.
    pub client_ca_file: Option<PathBuf>,
    /// The certificate to show and its key, PEM. None: one that the node signs itself.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Where certificates are kept that the cluster signs for the port by request (kubelet's `serverTLSBootstrap`). None:
    /// it is not asked. Until it has signed one, the port shows one that the node signs itself.
    pub requested: Option<PathBuf>,
}

/// Why the node API can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// nothing can listen there
    #[error("the node API cannot listen on {address}: {source}; choose another port with --port (0 picks a free one)")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// a file can't be read, or is not what it should be
    #[error("{path} cannot be used: {why}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// TLS can't be set up
    #[error("the TLS of the node API cannot be set up: {0}")]
    Tls(String),
}

/// A port that is open, and answers from [`Door::serve`] on.
pub struct Door {
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    authorities: Arc<Authorities>,
    shown: Arc<Shown>,
    renewal: Option<Renewal>,
    /// Its number.
    pub port: u16,
}

/// Asks for the port's certificate, and shows it.
struct Port {
    client: Client,
    shown: Arc<Shown>,
}

#[async_trait]
impl Holder for Port {
    async fn client(&self, _: Option<&Pair>) -> Result<Client, CredentialError> {
        Ok(self.client.clone())
    }

    fn take(&self, pair: &Pair) {
        self.shown.show(pair.certified());
    }
}

impl Door {
    /// Opens the port of the node called `name`, whose Node object will show `address`.
    pub async fn open(config: &ServeConfig, name: &str, address: IpAddr) -> Result<Door, ServeError> {
        let authorities = Arc::new(match &config.client_ca_file {
            Some(file) => Authorities::of_file(file)?,
            None => Authorities::default(),
        });
        let wanted = Wanted::serving(name, &[address]);
        let store = config.requested.as_deref().map(PairStore::serving);
        let kept = store.as_ref().and_then(PairStore::current).filter(|pair| pair.is_valid(Timestamp::now()));
        let shown = match (&config.certificate, &kept) {
            (Some((certificate, key)), _) => Shown::new(certificates::load(certificate, key)?)?,
            (None, Some(kept)) => Shown::certified(kept.certified()),
            (None, None) => Shown::new(certificates::self_signed(name, config.address.ip())?)?,
        };
        let renewal = store.map(|store| Renewal::new(store, wanted, kept));
        let tls = Arc::new(certificates::tls(Arc::clone(&shown))?);
        let failed = |source| ServeError::Listen { address: config.address, source };
        let listener = TcpListener::bind(config.address).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Door { listener, tls, authorities, shown, renewal, port })
    }

    /// Asks for the port's certificate and replaces it in time, if that is wanted, until `shutdown`. `client` waits for a
    /// server that is away.
    pub fn renewing(
        &mut self,
        client: Client,
        shutdown: CancellationToken,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let port = Port { client, shown: Arc::clone(&self.shown) };
        self.renewal.take().map(|renewal| renewal.run(port, shutdown))
    }

    /// Answers from `router` until `shutdown`, which also ends what is connected.
    pub async fn serve(
        self,
        router: Router,
        client: Client,
        link: Arc<Link>,
        name: String,
        shutdown: CancellationToken,
    ) {
        let Door { listener, tls, authorities, .. } = self;
        let guard = Guard::new(client.clone(), name);
        let router = router.layer(axum::middleware::from_fn_with_state(Arc::new(guard), guard::admit));
        let listener = Listener { listener, tls, router, authorities: Arc::clone(&authorities) };
        // Whoever comes meanwhile waits, for a moment, rather than being told that he is nobody.
        let _ = tokio::time::timeout(FIRST_LOOK, authorities.look(&client)).await;
        tokio::join!(authorities.follow(client, &link, shutdown.clone()), listener.run(shutdown));
    }
}
