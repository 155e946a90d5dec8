//! How the server reaches the API of a node: logs, and connections into pods.
//!
//! A request that changes the protocol carries hyper's `OnUpgrade` among its extensions, so a node of this process
//! talks to the client itself. Whoever answers it keeps the other extensions until the connection is over (that is how
//! the server counts it) and ends it when the `CancellationToken` among them is cancelled.
//!
//! A node of this process registers its axum `Router`. A node that dials in, or one that is reached at the
//! kubelet's port, registers a `Router` too: one that forwards. The server never knows the difference.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use parking_lot::RwLock;

/// The nodes that can be reached now, by name.
#[derive(Clone, Default)]
pub struct NodeTransports {
    routers: Arc<RwLock<HashMap<String, Router>>>,
}

impl NodeTransports {
    /// From now on requests for the node go to `router`; the transport it had before is forgotten.
    pub fn register(&self, node: &str, router: Router) {
        self.routers.write().insert(node.to_string(), router);
    }

    /// The node cannot be reached any more.
    pub fn unregister(&self, node: &str) {
        self.routers.write().remove(node);
    }

    /// The node's API.
    pub(crate) fn router(&self, node: &str) -> Option<Router> {
        self.routers.read().get(node).cloned()
    }
}

impl std::fmt::Debug for NodeTransports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.routers.read().keys()).finish()
    }
}
