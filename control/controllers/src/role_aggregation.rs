//! ClusterRoles that gather the rules of others by their labels, so that whoever brings a kind can add to `admin`, `edit`
//! and `view` (Kubernetes' clusterrole-aggregation-controller).

use crate::cluster::Cluster;
use crate::framework::{Key, Reconcile, ReconcileError, WorkQueue, selector_of};
use async_trait::async_trait;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Who owns the rules.
const MANAGER: &str = "clusterrole-aggregation-controller";

/// See the module's documentation.
pub struct RoleAggregationController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
}

impl RoleAggregationController {
    /// The controller, listening to the informer it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<RoleAggregationController> {
        let controller = Arc::new(RoleAggregationController { cluster: cluster.clone(), queue: WorkQueue::new() });
        // Whatever a role was or is, any that gathers may be about it.
        cluster.cluster_roles.tell(&controller, |this, _| this.enqueue_gatherers());
        controller
    }

    fn enqueue_gatherers(&self) {
        for role in self.cluster.cluster_roles.store().all() {
            if role.aggregation_rule.is_some() {
                self.queue.add(Key::new("", role.metadata.name.clone().unwrap_or_default()));
            }
        }
    }
}

/// The rules of all roles that the selectors of one select, each rule once: in the selectors' order, then by name.
fn gathered(role: &ClusterRole, all: &[Arc<ClusterRole>]) -> Result<Vec<PolicyRule>, ReconcileError> {
    let selectors = role.aggregation_rule.as_ref().and_then(|rule| rule.cluster_role_selectors.as_deref());
    let mut rules: Vec<PolicyRule> = Vec::new();
    for selector in selectors.unwrap_or_default() {
        let selector = selector_of(Some(selector))?;
        let is_selected = |other: &&Arc<ClusterRole>| {
            other.metadata.name != role.metadata.name
                && selector.matches(&other.metadata.labels.clone().unwrap_or_default())
        };
        let mut selected: Vec<_> = all.iter().filter(is_selected).collect();
        selected.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        for rule in selected.iter().flat_map(|other| other.rules.iter().flatten()) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    Ok(rules)
}

#[async_trait]
impl Reconcile for RoleAggregationController {
    fn name(&self) -> &'static str {
        MANAGER
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let store = self.cluster.cluster_roles.store();
        let Some(role) = store.get(key).filter(|role| role.aggregation_rule.is_some()) else { return Ok(None) };
        let rules = gathered(&role, &store.all())?;
        if rules.as_slice() == role.rules.as_deref().unwrap_or_default() {
            return Ok(None);
        }
        let patch = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": key.name }, "rules": rules,
        });
        let api: Api<ClusterRole> = Api::all(self.cluster.client.clone());
        api.patch(&key.name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&patch)).await?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str, label: &str, verbs: &[&str]) -> Arc<ClusterRole> {
        let role = json!({
            "metadata": { "name": name, "labels": { label: "true" } },
            "rules": verbs.iter().map(|v| json!({ "verbs": [v], "apiGroups": [""], "resources": ["pods"] })).collect::<Vec<_>>(),
        });
        Arc::new(serde_json::from_value(role).unwrap())
    }

    #[test]
    fn rules_are_gathered_by_name_and_each_once() {
        let gatherer: ClusterRole = serde_json::from_value(json!({
            "metadata": { "name": "all", "labels": { "to-all": "true" } },
            "aggregationRule": { "clusterRoleSelectors": [{ "matchLabels": { "to-all": "true" } }, { "matchLabels": { "more": "true" } }] },
            "rules": [{ "verbs": ["gone"] }],
        }))
        .unwrap();
        let all = [
            role("c", "more", &["watch", "get"]),
            role("b", "to-all", &["list", "get"]),
            role("a", "to-all", &["get"]),
            role("other", "x", &["delete"]),
            Arc::new(gatherer.clone()),
        ];
        let rules = gathered(&gatherer, &all).unwrap();
        let verbs: Vec<&str> = rules.iter().map(|rule| rule.verbs[0].as_str()).collect();
        assert_eq!(verbs, ["get", "list", "watch"]);
    }
}
