//! Aggregation: group versions that other servers answer, each announced by an APIService.
//!
//! An APIService without a Service is local: it is written by this server for every group version that it serves
//! itself. One with a Service is asked every now and then whether it works; requests below its path are passed on with
//! the user's name in headers, under the client certificate of the front proxy.
//!
//! Invariant: a path that a local group version has is never passed on.

mod authentication;
mod availability;
mod discovery;
mod front_proxy;
mod local;
pub(crate) mod priorities;
mod proxy;
mod task;
mod timely;

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;

pub(crate) use authentication::publish as publish_authentication;
pub(crate) use discovery::{merge_aggregated, merge_groups, merge_openapi_index, remote_group};
pub use front_proxy::FrontProxy;
pub(crate) use proxy::{Terms, allow, forward, lasts, upgrades};
pub(crate) use task::start;

use crate::outbound::{Outbound, ServiceRef};

/// Where APIServices are stored.
pub(crate) const API_SERVICES: &str = "apiservices.apiregistration.k8s.io";

/// The group that they are in.
const OWN_GROUP: &str = "apiregistration.k8s.io";

/// A group version that another server answers.
pub(crate) struct Remote {
    /// Name of its APIService.
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) group_priority: i64,
    pub(crate) version_priority: i64,
    pub(crate) service: ServiceRef,
    /// `spec`, to see whether it has changed.
    spec: Value,
    /// `None` when its `caBundle` can't be used.
    outbound: Option<Outbound>,
    /// What the last look has shown.
    pub(crate) state: State,
}

/// What the last look at a remote has shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct State {
    pub(crate) available: bool,
    /// `resources` of its APIResourceList, kept when it goes away.
    pub(crate) resources: Vec<Value>,
}

/// The remotes that are known.
#[derive(Default)]
pub(crate) struct Aggregator {
    remotes: Mutex<Vec<Arc<Remote>>>,
    /// Told whenever the catalogue has changed.
    published: Notify,
}

impl Aggregator {
    /// Has the local APIServices follow the catalogue.
    pub(crate) fn follow_catalog(&self) {
        self.published.notify_one();
    }

    pub(crate) fn remotes(&self) -> Vec<Arc<Remote>> {
        self.remotes.lock().clone()
    }
}
