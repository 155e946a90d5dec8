//! Admission: what may not exist although it is valid, and what is filled in although nobody asked.
//!
//! Plugins are small, named after Kubernetes' own, and run in order before validation.

mod default_tolerations;
mod namespace_lifecycle;
mod priority;
mod service_account;

use std::sync::Arc;

use async_trait::async_trait;
use coracle_api::{ApiResult, Resource};
use serde_json::Value;

use crate::hub::Hub;

/// What is about to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Delete,
}

/// A write that asks to be admitted.
pub(crate) struct Admitted<'a> {
    pub(crate) resource: &'a Arc<Resource>,
    pub(crate) namespace: &'a str,
    /// The name, or its beginning when the rest is still to be generated.
    pub(crate) name: &'a str,
    pub(crate) action: Action,
}

impl Admitted<'_> {
    /// Whether this creates a core object of the kind.
    fn creates(&self, plural: &str) -> bool {
        self.action == Action::Create && self.resource.group.is_empty() && self.resource.plural == plural
    }
}

/// One rule. May change the object, may refuse the write.
#[async_trait]
trait Plugin: Send + Sync {
    async fn admit(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()>;
}

/// The plugins in their order.
pub(crate) struct Chain {
    plugins: Vec<Box<dyn Plugin>>,
}

impl Chain {
    /// The plugins that every server has.
    pub(crate) fn built_in() -> Self {
        Self {
            plugins: vec![
                Box::new(namespace_lifecycle::NamespaceLifecycle),
                Box::new(service_account::ServiceAccount),
                Box::new(priority::Priority),
                Box::new(default_tolerations::DefaultTolerationSeconds),
            ],
        }
    }

    /// Asks every plugin. The first refusal counts.
    pub(crate) async fn admit(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        for plugin in &self.plugins {
            plugin.admit(hub, write, object).await?;
        }
        Ok(())
    }
}
