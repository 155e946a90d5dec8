//! The rotation of the certificate by which the node speaks to the API server (`--rotate-certificates`).

use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;
use kube::Client;
use tokio_util::sync::CancellationToken;

use super::{CredentialError, Holder, Pair, Renewal, kubeconfig, transport::Transport};

/// Replaces the certificate, and has the client use the new one.
pub struct ClientRotation {
    renewal: Renewal,
    user: User,
}

struct User {
    transport: Transport,
    bootstrap: Option<PathBuf>,
}

impl ClientRotation {
    /// Of the certificate of `transport`. Should it end before it could be replaced, the bootstrap kubeconfig helps again.
    pub(super) fn new(renewal: Renewal, transport: Transport, bootstrap: Option<PathBuf>) -> ClientRotation {
        ClientRotation { renewal, user: User { transport, bootstrap } }
    }

    /// Goes on until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        self.renewal.run(self.user, shutdown).await;
    }
}

#[async_trait]
impl Holder for User {
    async fn client(&self, current: Option<&Pair>) -> Result<Client, CredentialError> {
        let has_ended = current.is_none_or(|pair| !pair.is_valid(Timestamp::now()));
        match &self.bootstrap {
            Some(file) if has_ended => {
                let config = kubeconfig::read(file)?;
                kubeconfig::client(kubeconfig::config(file, config).await?)
            }
            _ => Ok(self.transport.client()),
        }
    }

    fn take(&self, pair: &Pair) {
        if let Err(error) = self.transport.turn(pair) {
            tracing::error!(%error, "the new certificate cannot be used; the old one is used on");
        }
    }
}
