//! When containers start again: by policy, by rules about their exit codes (KEP-5307), and when their resources
//! change (KEP-1287).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, ContainerRestartRule};

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;

const POLICIES: &[&str] = &["Always", "Never", "OnFailure"];
const RESOURCES: &[&str] = &["cpu", "memory"];
const RESIZE_POLICIES: &[&str] = &["NotRequired", "RestartContainer"];
const ACTIONS: &[&str] = &["Restart", "RestartAllContainers"];
const RULES_LIMIT: usize = 20;
const EXIT_CODES_LIMIT: usize = 255;

/// `restartPolicy` and `restartPolicyRules`
pub(super) fn validate(errors: &mut Errors, container: &Container, path: &Path) {
    let rules = container.restart_policy_rules.as_deref().unwrap_or_default();
    let policy = container.restart_policy.as_deref();
    errors.one_of_if_set(&path.child("restartPolicy"), policy, POLICIES);
    if !rules.is_empty() && policy.is_none() {
        errors.required(&path.child("restartPolicy"), "must specify restartPolicy when restart rules are used");
    }
    let path = path.child("restartPolicyRules");
    if rules.len() > RULES_LIMIT {
        errors.0.push(FieldError::too_many(&path, rules.len(), RULES_LIMIT));
    }
    for (index, rule) in rules.iter().enumerate() {
        self::rule(errors, rule, &path.index(index));
    }
}

fn rule(errors: &mut Errors, rule: &ContainerRestartRule, path: &Path) {
    errors.one_of_if_set(&path.child("action"), Some(&rule.action), ACTIONS);
    let path = path.child("exitCodes");
    let Some(codes) = &rule.exit_codes else { return errors.required(&path, "must be specified") };
    errors.one_of_if_set(&path.child("operator"), Some(&codes.operator), &["In", "NotIn"]);
    let count = codes.values.as_ref().map_or(0, Vec::len);
    if count > EXIT_CODES_LIMIT {
        errors.0.push(FieldError::too_many(&path.child("values"), count, EXIT_CODES_LIMIT));
    }
}

/// `resizePolicy`, in a pod with this restart policy.
pub(super) fn resize(errors: &mut Errors, container: &Container, pod_policy: &str, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, policy) in container.resize_policy.iter().flatten().enumerate() {
        if !seen.insert(&policy.resource_name) {
            errors.duplicate(&path.index(index), &policy.resource_name);
        }
        errors.one_of(path, Some(&policy.resource_name), RESOURCES);
        errors.one_of(path, Some(&policy.restart_policy), RESIZE_POLICIES);
        if pod_policy == "Never" && policy.restart_policy != "NotRequired" {
            let detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
            errors.invalid(path, &policy.restart_policy, detail);
        }
    }
}
