//! Admission: what may not exist although it is valid, and what is filled in although nobody asked.
//!
//! Plugins are small, named after Kubernetes' own, and run in order: first they may change what somebody wants to write,
//! before it is validated; afterwards they judge what would be stored. Deletions and connections are only judged.

mod cel;
mod certificates;
mod claim_resize;
mod default_class;
mod default_tolerations;
mod escalation;
mod limits;
mod namespace_lifecycle;
mod new_node;
mod node_restriction;
mod notes;
mod options;
mod pod_security;
mod pod_topology;
mod policies;
mod priority;
mod quota;
mod rounds;
mod runtime_class;
mod service_account;
mod token_volume;
mod webhooks;

use async_trait::async_trait;
use coracle_api::{ApiError, ApiResult, Resource};
use coracle_store::{Key, Scope};
use serde_json::Value;

use crate::hub::Hub;
use crate::identity::User;
use rounds::Rounds;

pub(crate) use notes::Notes;
pub(crate) use options::Options;
pub use pod_security::{PodSecurityConfig, PodSecurityError};
pub(crate) use quota::{Charge, Quotas};

/// What is about to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
    /// Nothing is written: something that runs is talked to (`pods/exec`).
    Connect,
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
    /// Nothing will be stored.
    pub(crate) dry_run: bool,
    /// Where warnings and audit annotations go.
    pub(crate) notes: &'a Notes,
}

impl Admitted<'_> {
    /// Whether it is about an object (not a subresource of one) of this group and plural.
    fn is(&self, action: Action, group: &str, plural: &str) -> bool {
        self.action == action && self.subresource.is_empty() && self.concerns(group, plural)
    }

    /// 403 with the reason.
    fn forbidden(&self, why: &str) -> ApiError {
        ApiError::forbidden(self.resource, self.name, why)
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

    /// Before validation of a new object or version: may change it, may refuse the write. A change is decided again when
    /// somebody else was faster, so this may be asked several times.
    async fn admit(&self, _: &Hub, _: &Admitted<'_>, _: &mut Value) -> ApiResult<()> {
        Ok(())
    }

    /// The same in one of two rounds, for plugins that have to know: those that ask others.
    async fn admit_in(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value, _: &mut Rounds) -> ApiResult<()> {
        self.admit(hub, write, object).await
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
                Box::new(node_restriction::NodeRestriction),
                Box::new(new_node::TaintNodesByCondition),
                Box::new(pod_security::PodSecurity),
                Box::new(priority::Priority),
                Box::new(default_tolerations::DefaultTolerationSeconds),
                Box::new(default_class::DefaultStorageClass),
                Box::new(claim_resize::PersistentVolumeClaimResize),
                Box::new(runtime_class::RuntimeClass),
                Box::new(certificates::Certificates),
                Box::new(default_class::DefaultIngressClass),
                Box::new(pod_topology::PodTopologyLabels),
                Box::new(escalation::Escalation),
                Box::new(policies::MutatingAdmissionPolicy::default()),
                Box::new(webhooks::MutatingAdmissionWebhook::default()),
                Box::new(policies::ValidatingAdmissionPolicy::default()),
                Box::new(webhooks::ValidatingAdmissionWebhook::default()),
            ],
            quotas: Quotas::default(),
        }
    }

    /// Has every plugin fill in what it has to. The first refusal counts.
    pub(crate) async fn admit(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        let mut rounds = Rounds::default();
        loop {
            for plugin in self.plugins.iter().filter(|plugin| plugin.handles(write)) {
                plugin.admit_in(hub, write, object, &mut rounds).await?;
            }
            if !rounds.next() {
                return Ok(());
            }
        }
    }

    /// Asks every plugin about a write that is otherwise fine. The first refusal counts.
    pub(crate) async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        for plugin in self.plugins.iter().filter(|plugin| plugin.handles(write)) {
            plugin.validate(hub, write, object).await?;
        }
        Ok(())
    }
}
