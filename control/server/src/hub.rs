//! What every handler works with: the parts of the server, and one request as it has been understood so far.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::Body;
use bytes::Bytes;
use coracle_store::Store;
use http::header::USER_AGENT;
use http::{HeaderMap, Response, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::aggregate::{Aggregator, FrontProxy};
use crate::allocate::Allocators;
use crate::audit::Audit;
use crate::authz::Authorizers;
use crate::config::ServerConfig;
use crate::custom::Custom;
use crate::fairness::{Fairness, Room};
use crate::http::{Accept, Params, Target, Verb, object};
use crate::identity::token::Issuer;
use crate::identity::{Issuers, User};
use crate::metrics::{Metrics, SharedRegistry};
use crate::nodes::NodeTransports;
use crate::ready::Readiness;
use crate::served::Served;
use crate::usage;
use crate::write::{Chain, Notes};

/// What the user agents begin with whose answers somebody reads (`responsewriters.isPrettyPrint`).
const PEOPLE: [&str; 3] = ["curl", "Wget", "Mozilla/5.0"];

/// The parts of the server.
pub(crate) struct Hub {
    pub(crate) store: Store,
    pub(crate) config: ServerConfig,
    pub(crate) nodes: NodeTransports,
    pub(crate) authorizer: Authorizers,
    pub(crate) audit: Option<Arc<Audit>>,
    pub(crate) admission: Chain,
    pub(crate) allocators: Allocators,
    /// Makes and checks the tokens of service accounts.
    pub(crate) issuer: Issuer,
    /// Others whose tokens are believed.
    pub(crate) issuers: Issuers,
    /// The catalogue of this moment, and what is made of it.
    pub(crate) served: ArcSwap<Served>,
    /// Held while the next one is made.
    pub(crate) publishing: parking_lot::Mutex<()>,
    pub(crate) custom: Custom,
    /// Who waits for whom; `None` when nobody does.
    pub(crate) fairness: Option<Fairness>,
    pub(crate) aggregator: Arc<Aggregator>,
    pub(crate) front_proxy: FrontProxy,
    /// What nodes have said that they use.
    pub(crate) usage: usage::Cache,
    pub(crate) readiness: Readiness,
    pub(crate) metrics: Metrics,
    pub(crate) registry: SharedRegistry,
    /// Cancelled when the server stops: watches and followed logs end.
    pub(crate) closing: CancellationToken,
}

/// One request on a resource, authenticated and authorized.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) target: Target,
    pub(crate) verb: Verb,
    pub(crate) params: Params,
    /// Who asks.
    pub(crate) user: User,
    pub(crate) accept: Accept,
    pub(crate) headers: HeaderMap,
    /// The body, read whole before anything is decided about it.
    pub(crate) body: Bytes,
    /// What else is said about it.
    pub(crate) notes: Arc<Notes>,
    /// What it takes of the server. A write goes on when its client has left, and counts until it has ended (CVE-2023-44487).
    pub(crate) _room: Room,
}

impl Call {
    /// An answer in the format this client asked for.
    pub(crate) fn respond(&self, code: StatusCode, json: Bytes, warnings: &[String]) -> Response<Body> {
        object(code, json, self.accept, self.pretty(), warnings)
    }

    /// Whether the answer is indented: when the client says so, and for people at a browser or a command line.
    pub(crate) fn pretty(&self) -> bool {
        let agent = self.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        self.params.pretty().unwrap_or_else(|| PEOPLE.iter().any(|tool| agent.starts_with(tool)))
    }
}
