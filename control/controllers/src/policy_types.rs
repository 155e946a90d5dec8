//! Checks the expressions of every ValidatingAdmissionPolicy against the schemas of the kinds that it is for, and writes
//! down in its status what they can't find there.
//!
//! Once for each generation, as Kubernetes does: a kind that is defined later is looked at when the policy changes.

use crate::cluster::Cluster;
use crate::discovery::{Discovered, discover};
use crate::framework::{Key, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use coracle_api::kinds::admission::{TypedKind, expression_warnings};
use coracle_client::is_code;
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Kinds that are looked at for one policy, at most.
const MAX_KINDS: usize = 10;
/// Who owns the status.
const MANAGER: &str = "validatingadmissionpolicy-status";

/// Group, version and kind.
type Kind = (String, String, String);

/// See the module's documentation.
pub struct PolicyTypesController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
}

impl PolicyTypesController {
    /// The controller, listening to the informer it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<PolicyTypesController> {
        let controller = Arc::new(PolicyTypesController { cluster: cluster.clone(), queue: WorkQueue::new() });
        cluster.validating_policies.enqueue_for(&controller);
        controller
    }
}

/// Whether this generation of the policy has been checked.
fn is_checked(policy: &ValidatingAdmissionPolicy) -> bool {
    let observed = policy.status.as_ref().and_then(|status| status.observed_generation).unwrap_or_default();
    policy.metadata.generation.unwrap_or_default() <= observed
}

/// The kind of the parameters.
fn param_kind(policy: &ValidatingAdmissionPolicy) -> Option<Kind> {
    let kind = policy.spec.as_ref()?.param_kind.as_ref()?;
    let api_version = kind.api_version.as_deref()?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Some((group.to_owned(), version.to_owned(), kind.kind.clone()?))
}

/// The kinds that the policy names; where it says `*` there would be no end.
fn kinds(policy: &ValidatingAdmissionPolicy, served: &Discovered) -> Vec<Kind> {
    let constraints = policy.spec.as_ref().and_then(|spec| spec.match_constraints.as_ref());
    let rules = constraints.and_then(|constraints| constraints.resource_rules.as_deref()).unwrap_or_default();
    let names = |list: &Option<Vec<String>>, name: &String| list.as_ref().is_some_and(|list| list.contains(name));
    let has_star = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| list.iter().any(|name| name == "*"));
    let mut found = BTreeSet::new();
    for rule in rules.iter().filter(|rule| !has_star(&rule.api_groups) && !has_star(&rule.api_versions)) {
        for resource in served.resources.iter().chain(&served.others).map(|served| &served.resource) {
            let is_named = names(&rule.api_groups, &resource.group)
                && names(&rule.api_versions, &resource.version)
                && names(&rule.resources, &resource.plural);
            if is_named {
                found.insert((resource.group.clone(), resource.version.clone(), resource.kind.clone()));
            }
        }
    }
    if let Some(params) = param_kind(policy) {
        found.remove(&params);
    }
    found.into_iter().take(MAX_KINDS).collect()
}

/// The OpenAPI documents that one check needs, each asked for once.
struct Documents {
    client: Client,
    known: BTreeMap<String, Value>,
}

impl Documents {
    /// A kind as the server describes it. What it does not describe is not checked.
    async fn kind(&mut self, (group, version, kind): &Kind) -> kube::Result<Option<TypedKind>> {
        let path = if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") };
        if !self.known.contains_key(&path) {
            let document = self.read(&path).await?;
            self.known.insert(path.clone(), document);
        }
        Ok(self.known.get(&path).and_then(|document| TypedKind::described(document, group, version, kind)))
    }

    async fn read(&self, path: &str) -> kube::Result<Value> {
        let request = http::Request::get(format!("/openapi/v3/{path}"))
            .header(http::header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(kube::Error::HttpError)?;
        match self.client.request(request).await {
            Err(error) if is_code(&error, 404) => Ok(Value::Null),
            other => other,
        }
    }
}

/// The warnings about a policy.
async fn check(client: &Client, policy: &ValidatingAdmissionPolicy) -> Result<Vec<Value>, ReconcileError> {
    let served = discover(client).await?;
    let mut documents = Documents { client: client.clone(), known: BTreeMap::new() };
    let params = match param_kind(policy) {
        Some(kind) => documents.kind(&kind).await?,
        None => None,
    };
    let mut typed = Vec::new();
    for kind in kinds(policy, &served) {
        typed.extend(documents.kind(&kind).await?);
    }
    let policy = serde_json::to_value(policy).map_err(|error| ReconcileError::Invalid(error.to_string()))?;
    Ok(expression_warnings(&policy, &typed, params.as_ref().map(|params| &params.decl)))
}

fn status(policy: &ValidatingAdmissionPolicy, warnings: &[Value]) -> Value {
    let mut checking = json!({});
    if !warnings.is_empty() {
        checking["expressionWarnings"] = json!(warnings);
    }
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": policy.metadata.name },
        "status": { "observedGeneration": policy.metadata.generation, "typeChecking": checking },
    })
}

/// Checks a policy and writes down what comes of it.
async fn publish(client: &Client, policy: &ValidatingAdmissionPolicy) -> Result<(), ReconcileError> {
    let status = status(policy, &check(client, policy).await?);
    let api: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let name = policy.metadata.name.as_deref().unwrap_or_default();
    api.patch_status(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&status)).await?;
    Ok(())
}

#[async_trait]
impl Reconcile for PolicyTypesController {
    fn name(&self) -> &'static str {
        MANAGER
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(policy) = self.cluster.validating_policies.store().get(key) else { return Ok(None) };
        if is_checked(&policy) {
            return Ok(None);
        }
        publish(&self.cluster.client, &policy).await?;
        Ok(None)
    }
}

#[cfg(test)]
#[path = "policy_types_tests.rs"]
mod tests;
