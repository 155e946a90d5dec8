//! `SelfSubjectRulesReview`: everything the author of the request may do in a namespace (`kubectl auth can-i --list`).

use coracle_api::{ApiError, ApiResult};
use serde_json::{Value, json};

use super::text;
use crate::hub::Hub;
use crate::identity::User;

pub(super) fn status(hub: &Hub, user: &User, spec: &Value) -> ApiResult<Value> {
    let namespace = text(spec, "namespace");
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let rules = hub.authorizer.rules(user, namespace);
    Ok(json!({ "resourceRules": rules.resources, "nonResourceRules": rules.paths, "incomplete": false }))
}
