//! Admission: what may not exist although it is valid, and what is filled in although nobody asked.
//!
//! Plugins are small, named after Kubernetes' own, and run in order: those that change a new object before it is
//! validated, those that only judge afterwards, on every write.

mod certificates;
mod claim_resize;
mod default_class;
mod default_tolerations;
mod limits;
mod namespace_lifecycle;
mod priority;
mod quota;
mod runtime_class;
mod service_account;
mod token_volume;

use async_trait::async_trait;
use coracle_api::{ApiResult, Resource};
use coracle_store::{Key, Scope};
use serde_json::Value;

use crate::hub::Hub;
use crate::identity::User;

pub(crate) use quota::{Charge, Quotas};

/// What is about to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
}

/// A write that asks to be admitted.
#[derive(Clone, Copy)]
pub(crate) struct Admitted<'a> {
    pub(crate) resource: &'a Resource,
    pub(crate) namespace: &'a str,
    /// The name, or its beginning when the rest is still to be generated.
    pub(crate) name: &'a str,
    /// The subresource that is written, empty for the object itself.
    pub(crate) subresource: &'a str,
    pub(crate) action: Action,
    /// What is there now, if anything.
    pub(crate) old: Option<&'a Value>,
    pub(crate) user: &'a User,
}

impl Admitted<'_> {
    /// Whether it is about an object (not a subresource of one) of this group and plural.
    fn is(&self, action: Action, group: &str, plural: &str) -> bool {
        self.action == action && self.subresource.is_empty() && self.concerns(group, plural)
    }

    fn concerns(&self, group: &str, plural: &str) -> bool {
        self.resource.group == group && self.resource.plural == plural
    }

    /// Whether this creates a core object of the kind.
    fn creates(&self, plural: &str) -> bool {
        self.is(Action::Create, "", plural)
    }
}

/// A stored object, parsed; `None` when there is none.
fn stored(hub: &Hub, resource: &str, namespace: &str, name: &str) -> Option<Value> {
    let record = hub.store.get(&Key::new(resource, namespace, name))?;
    serde_json::from_slice(&record.json).ok()
}

/// All stored objects of a kind (in a namespace, unless that is empty). For kinds that a cluster has few of.
fn all_stored(hub: &Hub, resource: &str, namespace: &str) -> Vec<Value> {
    let scope = if namespace.is_empty() { Scope::all(resource) } else { Scope::namespaced(resource, namespace) };
    hub.store.list(&scope).iter().filter_map(|record| serde_json::from_slice(&record.json).ok()).collect()
}

/// One rule.
#[async_trait]
trait Plugin: Send + Sync {
    /// Whether the plugin has anything to say about the write. Asked first: most have not.
    fn handles(&self, write: &Admitted<'_>) -> bool;

    /// Before validation of a new object: may change it, may refuse the write.
    async fn admit(&self, _: &Hub, _: &Admitted<'_>, _: &mut Value) -> ApiResult<()> {
        Ok(())
    }

    /// After validation, on every write: may refuse it. `object` is the new version, of a deletion the last one.
    async fn validate(&self, _: &Hub, _: &Admitted<'_>, _: &Value) -> ApiResult<()> {
        Ok(())
    }
}

/// The plugins in their order.
pub(crate) struct Chain {
    plugins: Vec<Box<dyn Plugin>>,
    /// Last of all, once everybody else agrees: what it takes must not be taken in vain.
    pub(crate) quotas: Quotas,
}

impl Chain {
    /// The plugins that every server has, in kube-apiserver's order.
    pub(crate) fn built_in() -> Self {
        Self {
            plugins: vec![
                Box::new(namespace_lifecycle::NamespaceLifecycle),
                Box::new(limits::LimitRanger),
                Box::new(service_account::ServiceAccount),
                Box::new(priority::Priority),
                Box::new(default_tolerations::DefaultTolerationSeconds),
                Box::new(default_class::DefaultStorageClass),
                Box::new(claim_resize::PersistentVolumeClaimResize),
                Box::new(runtime_class::RuntimeClass),
                Box::new(certificates::Certificates),
                Box::new(default_class::DefaultIngressClass),
            ],
            quotas: Quotas::default(),
        }
    }

    /// Has every plugin fill in what it has to. The first refusal counts.
    pub(crate) async fn admit(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        for plugin in self.plugins.iter().filter(|plugin| plugin.handles(write)) {
            plugin.admit(hub, write, object).await?;
        }
        Ok(())
    }

    /// Asks every plugin about a write that is otherwise fine. The first refusal counts.
    pub(crate) async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        for plugin in self.plugins.iter().filter(|plugin| plugin.handles(write)) {
            plugin.validate(hub, write, object).await?;
        }
        Ok(())
    }
}
