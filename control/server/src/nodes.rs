//! How the server reaches the API of a node: logs, and connections into pods.
//!
//! A request that changes the protocol carries hyper's `OnUpgrade` among its extensions, so a node of this process
//! talks to the client itself. Whoever answers it keeps the other extensions until the connection is over (that is how
//! the server counts it) and ends it when the `CancellationToken` among them is cancelled.
//!
//! A node of this process registers its axum `Router`. One that has not, and publishes a kubelet's port, is given a
//! `Router` that forwards ([`kubelet`]). Who asks never knows the difference.

mod kubelet;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use axum::Router;
use parking_lot::RwLock;

pub(crate) use kubelet::{Kubelets, address};

/// The nodes that can be reached now, by name.
#[derive(Clone, Default)]
pub struct NodeTransports {
    routers: Arc<RwLock<HashMap<String, Router>>>,
    kubelets: Arc<OnceLock<Kubelets>>,
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

    /// From now on nodes of other processes are reached this way; the first that is named counts.
    pub(crate) fn reach(&self, kubelets: Kubelets) {
        let _ = self.kubelets.set(kubelets);
    }

    /// Whether the node is one of this process: it is reached without an address.
    pub(crate) fn is_inside(&self, node: &str) -> bool {
        self.routers.read().contains_key(node)
    }

    /// The node's API.
    pub(crate) fn router(&self, node: &str) -> Option<Router> {
        let registered = self.routers.read().get(node).cloned();
        registered.or_else(|| self.kubelets.get()?.router(node))
    }
}

impl std::fmt::Debug for NodeTransports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.routers.read().keys()).finish()
    }
}
