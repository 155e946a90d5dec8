//! What every handler works with: the parts of the server, and one request as it has been understood so far.

use axum::body::Body;
use bytes::Bytes;
use coracle_store::Store;
use http::{HeaderMap, Response, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::allocate::Allocators;
use crate::authz::Authorizer;
use crate::config::ServerConfig;
use crate::docs::Documents;
use crate::http::{Accept, Params, Target, Verb, object};
use crate::metrics::{Metrics, SharedRegistry};
use crate::nodes::NodeTransports;
use crate::ready::Readiness;
use crate::write::Chain;

/// The parts of the server.
pub(crate) struct Hub {
    pub(crate) store: Store,
    pub(crate) config: ServerConfig,
    pub(crate) nodes: NodeTransports,
    pub(crate) authorizer: Box<dyn Authorizer>,
    pub(crate) admission: Chain,
    pub(crate) allocators: Allocators,
    pub(crate) documents: Documents,
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
    pub(crate) accept: Accept,
    pub(crate) headers: HeaderMap,
    /// The body, read whole before anything is decided about it.
    pub(crate) body: Bytes,
}

impl Call {
    /// An answer in the format this client asked for.
    pub(crate) fn respond(&self, code: StatusCode, json: Bytes, warnings: &[String]) -> Response<Body> {
        object(code, json, self.accept, self.params.pretty(), warnings)
    }
}
