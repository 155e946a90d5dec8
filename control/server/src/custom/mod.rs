//! CustomResourceDefinitions: from an object in the store to a resource that is served, and back to nothing.
//!
//! One task sees every definition that changes. It judges the names, writes the conditions, has the rows of what is
//! established served, and has what is deleted cleaned up. The rows are built before the server answers its first
//! request; a write to a definition is answered when its rows are what they should be.
//!
//! Invariant: only the task writes the catalogue of custom rows, and only from what is in the store.

mod approval;
mod cleanup;
pub(crate) mod conditions;
mod definitions;
mod judge;
mod names;
mod task;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use coracle_api::{ApiError, ApiResult, Reason, Resource};
use coracle_store::Scope;
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) use definitions::{Definitions, Installed};
pub(crate) use task::start;

use crate::hub::Hub;
use crate::write::{Author, Next, Part, now, revise};

/// Where definitions are stored.
pub(crate) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// The finalizer that keeps a definition until its objects are gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// How long a write to a definition waits for its rows. They come within milliseconds; a server too busy for that
/// answers as Kubernetes always does, before the resource is served.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);

/// The definitions that are known, and up to which revision they are.
pub(crate) struct Custom {
    definitions: parking_lot::Mutex<Definitions>,
    settled: watch::Sender<u64>,
    /// Those that are being cleaned up, by uid.
    cleaning: parking_lot::Mutex<HashSet<String>>,
}

impl Default for Custom {
    fn default() -> Self {
        Self {
            definitions: parking_lot::Mutex::default(),
            settled: watch::channel(0).0,
            cleaning: parking_lot::Mutex::default(),
        }
    }
}

impl Custom {
    /// Waits until the definitions are served as they were at `revision`, for a bounded time.
    async fn settle(&self, revision: u64) {
        let mut settled = self.settled.subscribe();
        let _ = tokio::time::timeout(SETTLE_TIMEOUT, settled.wait_for(|seen| *seen >= revision)).await;
    }

    /// The rows of everything established.
    pub(crate) fn rows(&self) -> Vec<Arc<Resource>> {
        self.definitions.lock().rows()
    }

    /// What is known about the definition behind a storage key.
    pub(crate) fn installed(&self, storage_key: &str) -> Option<Arc<Installed>> {
        self.definitions.lock().get(storage_key)
    }
}

/// Waits until what is served is what the definitions in the store say.
pub(crate) async fn catch_up(hub: &Hub) {
    let newest = hub.store.list(&Scope::all(DEFINITIONS)).iter().map(|record| record.revision).max();
    if let Some(revision) = newest {
        hub.custom.settle(revision).await;
    }
}

/// What a deletion does to a definition: it is marked, and kept until its objects are gone. Nothing for other kinds.
pub(crate) fn before_deletion(resource: &Resource, object: &mut Value) {
    if resource.storage_key() != DEFINITIONS || coracle_api::meta::is_deleting(object) {
        return;
    }
    let mut finalizers: Vec<String> = coracle_api::meta::finalizers(object).into_iter().map(str::to_string).collect();
    if !finalizers.iter().any(|finalizer| finalizer == CLEANUP) {
        finalizers.push(CLEANUP.into());
    }
    coracle_api::meta::metadata_mut(object).insert("finalizers".into(), json!(finalizers));
    let text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    conditions::Condition::new(names::TERMINATING, true, "InstanceDeletionPending", text).set(object, &now());
}

/// 405 for a create while the definition is on its way out.
pub(crate) fn check_create(hub: &Hub, resource: &Resource) -> ApiResult<()> {
    match hub.custom.installed(&resource.storage_key()) {
        Some(installed) if installed.terminating => Err(ApiError::new(
            Reason::MethodNotAllowed,
            "create not allowed while custom resource definition is terminating",
        )
        .about(resource, "")),
        _ => Ok(()),
    }
}

/// The next version of a definition whose status the server itself has changed.
fn serverside(resource: &Resource, new: Value, old: &Value) -> ApiResult<Next> {
    let author = Author { manager: "kube-apiserver".into(), subresource: "status", applied: false };
    Ok(Next::Write { object: revise(resource, Part::Status, new, old, &author)?, pinned: false })
}
