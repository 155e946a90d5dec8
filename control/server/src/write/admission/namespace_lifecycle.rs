//! `NamespaceLifecycle`: nothing is created in a namespace that is not there or on its way out, and the namespaces
//! that the system lives in stay.

use async_trait::async_trait;
use coracle_api::{ApiError, ApiResult};
use coracle_store::Key;
use serde_json::{Value, json};

use super::{Action, Admitted, Plugin};
use crate::hub::Hub;

/// Namespaces that can't be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

pub(super) struct NamespaceLifecycle;

#[async_trait]
impl Plugin for NamespaceLifecycle {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        let creates = write.action == Action::Create && !write.namespace.is_empty();
        // Who may do something in a namespace may be asked before there is one.
        let asks = write.concerns("authorization.k8s.io", "localsubjectaccessreviews");
        (creates && !asks) || write.is(Action::Delete, "", "namespaces")
    }

    async fn validate(&self, _: &Hub, write: &Admitted<'_>, _: &Value) -> ApiResult<()> {
        if write.action == Action::Delete && IMMORTAL.contains(&write.name) {
            return Err(write.forbidden("this namespace may not be deleted"));
        }
        Ok(())
    }

    async fn admit(&self, hub: &Hub, write: &Admitted<'_>, _: &mut Value) -> ApiResult<()> {
        let namespaces = hub.row("v1", "namespaces")?;
        let record = hub.store.get(&Key::new("namespaces", "", write.namespace));
        let record = record.ok_or_else(|| ApiError::not_found(&namespaces, write.namespace))?;
        if record.lifted.field("status.phase") == Some("Terminating") {
            let namespace = write.namespace;
            let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
            let mut error = write.forbidden(&why);
            error.details.insert(
                "causes".into(),
                json!([{
                    "reason": "NamespaceTerminating",
                    "message": format!("namespace {namespace} is being terminated"),
                    "field": "metadata.namespace",
                }]),
            );
            return Err(error);
        }
        Ok(())
    }
}
