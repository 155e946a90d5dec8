//! The door to the world outside the sandbox: names and routes, as whoever embeds this crate sees them.

use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// What the host knows about names and addresses. Implemented by the embedder, called for every name a guest
/// looks up and every address it dials.
///
/// An IP address in text form never reaches [`lookup`](Network::lookup), and neither do `localhost` and the
/// pod's own addresses: those belong to the pod context.
#[async_trait]
pub trait Network: Send + Sync {
    /// The addresses of `name`, in the order they should be tried.
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NetworkError>;

    /// Where a connection from the pod address `from` to `to` really goes: a virtual (Service) address becomes
    /// a ready endpoint, everything else stays. It is asked once for every connection, never for every packet,
    /// except for datagrams without a connection; so it must be quick and must not block.
    fn route(&self, from: IpAddr, to: SocketAddr) -> Result<SocketAddr, NetworkError>;
}

/// Why a name or an address leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum NetworkError {
    /// the name does not exist
    #[error("the name does not exist")]
    NotFound,
    /// the name could not be resolved at the moment; trying again may help
    #[error("the name could not be resolved at the moment; trying again may help")]
    TemporaryFailure,
    /// nobody is ready behind the address: connection refused
    #[error("nobody is ready behind the address: connection refused")]
    Refused,
    /// a network policy does not allow this connection
    #[error("a network policy does not allow this connection")]
    Denied,
    /// there is no route to the address
    #[error("there is no route to the address")]
    Unreachable,
}
