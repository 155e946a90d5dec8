//! As whom a node speaks to its API server (kubelet's `buildKubeletClientConfig` and `LoadClientCert`).

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use http::Uri;
use jiff::Timestamp;
use kube::{
    Client, Config,
    config::{AuthInfo, Kubeconfig},
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    ClientRotation, CredentialError, Pair, PairStore, Renewal, Wanted,
    asking::ask,
    kubeconfig,
    renewal::{WAIT, unanswered},
    transport::Transport,
};

/// Pauses of a bootstrap after the server could not be asked: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// What a node has to sign in with.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The node's name.
    pub node: String,
    /// The file that leads to the cluster; written if a bootstrap makes it.
    pub kubeconfig: PathBuf,
    /// The file by which a certificate is asked for, should the kubeconfig have none that counts.
    pub bootstrap_kubeconfig: Option<PathBuf>,
    /// Where certificates and keys are kept.
    pub directory: PathBuf,
    /// Whether the certificate is replaced before it ends.
    pub rotate: bool,
}

/// A node that has signed in.
pub struct SignedIn {
    /// As the node.
    pub client: Client,
    /// Where the API server is.
    pub server: Uri,
    /// To be run, if the node has a certificate that is replaced.
    pub rotation: Option<ClientRotation>,
}

impl SignIn {
    /// Takes what the kubeconfig says. If that is no certificate that counts, and there is a bootstrap kubeconfig, asks for
    /// a certificate first, and writes the kubeconfig.
    ///
    /// # Errors
    /// When a file makes no sense, the certificate is another node's, or none is issued.
    pub async fn run(&self) -> Result<SignedIn, CredentialError> {
        let store = PairStore::client(&self.directory);
        let (config, pair) = match &self.bootstrap_kubeconfig {
            None => self.given().await?,
            Some(bootstrap) => match self.kept().await {
                Some(kept) => kept,
                None => self.bootstrap(bootstrap, &store).await?,
            },
        };
        let server = config.cluster_url.clone();
        match pair {
            Some(pair) => self.as_node(config, pair, store, server),
            // By a token, or as an administrator: that is not the node's to replace.
            None => Ok(SignedIn { client: kubeconfig::client(config)?, server, rotation: None }),
        }
    }

    /// What the kubeconfig says, and its certificate if that is a node's.
    async fn given(&self) -> Result<(Config, Option<Pair>), CredentialError> {
        let file = &self.kubeconfig;
        let config = kubeconfig::config(file, kubeconfig::read(file)?).await?;
        let pair = kubeconfig::pair(&config.auth_info);
        let pair = pair.map_err(|why| CredentialError::Unusable { path: file.clone(), why })?;
        if pair.as_ref().is_some_and(|pair| !pair.is_valid(Timestamp::now())) {
            tracing::warn!(file = %file.display(), "the client certificate has expired");
        }
        Ok((config, pair.filter(|pair| pair.node().is_some())))
    }

    /// What the kubeconfig says, if a certificate is there that counts (`isClientConfigStillValid`).
    async fn kept(&self) -> Option<(Config, Option<Pair>)> {
        let file = &self.kubeconfig;
        if !file.exists() {
            return None;
        }
        let unfit = |why: &dyn std::fmt::Display| {
            tracing::warn!(file = %file.display(), %why, "the kubeconfig is of no use any more; bootstrapping again");
        };
        let read = async { kubeconfig::config(file, kubeconfig::read(file)?).await };
        let config = read.await.inspect_err(|error| unfit(error)).ok()?;
        match kubeconfig::pair(&config.auth_info) {
            Ok(Some(pair)) if pair.is_valid(Timestamp::now()) => {
                Some((config, Some(pair).filter(|pair| pair.node().is_some())))
            }
            Ok(Some(pair)) => {
                unfit(&format_args!("the client certificate has expired: {}", pair.not_after));
                None
            }
            Ok(None) => {
                unfit(&"there is no client certificate");
                None
            }
            Err(why) => {
                unfit(&why);
                None
            }
        }
    }

    /// The node's own certificate, by what may only ask for one.
    async fn bootstrap(&self, file: &Path, store: &PairStore) -> Result<(Config, Option<Pair>), CredentialError> {
        let found = kubeconfig::read(file)?;
        let mut config = kubeconfig::config(file, found.clone()).await?;
        let client = kubeconfig::client(config.clone())?;
        let pair = first_pair(&client, &Wanted::client(&self.node), store, WAIT).await?;
        self.keep(&pair, &found, store)?;
        // The token has done its work.
        config.auth_info = AuthInfo::default();
        Ok((config, Some(pair)))
    }

    fn keep(&self, pair: &Pair, bootstrap: &Kubeconfig, store: &PairStore) -> Result<(), CredentialError> {
        store.update(pair, Timestamp::now())?;
        kubeconfig::write(&self.kubeconfig, bootstrap, &store.current_path())?;
        // Until here a node that starts again finds its request.
        store.forget_pending();
        Ok(())
    }

    fn as_node(&self, config: Config, pair: Pair, store: PairStore, server: Uri) -> Result<SignedIn, CredentialError> {
        let found = pair.node().unwrap_or_default();
        if found != self.node {
            return Err(CredentialError::OtherNode { path: self.kubeconfig.clone(), found: found.to_owned() });
        }
        let wanted = Wanted::client(&self.node);
        let newest =
            if self.rotate { newest(pair, store.current().filter(|pair| wanted.is_met_by(pair))) } else { pair };
        let transport = Transport::new(config, &newest)?;
        let client = transport.client();
        let bootstrap = self.bootstrap_kubeconfig.clone();
        let rotation =
            self.rotate.then(|| ClientRotation::new(Renewal::new(store, wanted, Some(newest)), transport, bootstrap));
        Ok(SignedIn { client, server, rotation })
    }
}

/// A kubeconfig with its certificate in it stays as it is when that is replaced: the newer one is in the store.
fn newest(given: Pair, stored: Option<Pair>) -> Pair {
    match stored {
        Some(stored) if stored.not_before >= given.not_before && stored.is_valid(Timestamp::now()) => stored,
        _ => given,
    }
}

/// The first pair of a node. A server that is not there yet is waited for; a refusal counts.
pub(super) async fn first_pair(
    client: &Client,
    wanted: &Wanted,
    store: &PairStore,
    patience: Duration,
) -> Result<Pair, CredentialError> {
    let (deadline, mut pause) = (Instant::now() + patience, FIRST_PAUSE);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let asked = timeout(left, ask(client, wanted, store)).await;
        match asked.unwrap_or_else(|_| Err(unanswered(wanted, store, patience))) {
            Err(error) if error.is_passing() && Instant::now() + pause < deadline => {
                tracing::warn!(%error, "no certificate yet; trying again");
            }
            outcome => return outcome,
        }
        sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}
