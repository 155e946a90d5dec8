//! `SelfSubjectRulesReview`: everything the author of the request may do in a namespace (`kubectl auth can-i --list`).

use coracle_api::{ApiError, ApiResult};
use serde_json::{Value, json};

use super::text;
use crate::authz::node::node_of;
use crate::authz::rbac::Rule;
use crate::hub::Hub;
use crate::identity::User;

pub(super) fn status(hub: &Hub, user: &User, spec: &Value) -> ApiResult<Value> {
    let namespace = text(spec, "namespace");
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let (rules, mut errors) = hub.authorizer.rbac.rules_of(user, namespace);
    if node_of(user).is_some_and(|node| !node.is_empty()) {
        // What a node may do depends on its pods.
        errors.insert(0, "node authorizer does not support user rule resolution".into());
    }
    let (paths, resources): (Vec<_>, Vec<_>) = rules.iter().partition(|rule| !rule.urls.is_empty());
    let listed = |rules: Vec<&Rule>| rules.into_iter().map(Rule::to_json).collect::<Vec<_>>();
    let mut status = json!({
        "resourceRules": listed(resources), "nonResourceRules": listed(paths), "incomplete": !errors.is_empty(),
    });
    if !errors.is_empty() {
        status["evaluationError"] = json!(errors.join(", "));
    }
    Ok(status)
}
