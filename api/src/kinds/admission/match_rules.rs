//! Which requests a webhook or a policy is about.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::expressions::{Returns, Scope};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{has, items, list, object, part, set_default, set_if_zero, text, texts};
use crate::names;

const OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: &[&str] = &["*", "Cluster", "Namespaced"];
pub(super) const MATCH_POLICIES: &[&str] = &["Equivalent", "Exact"];
pub(super) const FAILURE_POLICIES: &[&str] = &["Fail", "Ignore"];
const CONDITIONS_LIMIT: usize = 64;

/// A rule without a scope is about all scopes.
pub(super) fn rule_defaults(holder: &mut Value, key: &str) {
    items(holder, key).filter_map(Value::as_object_mut).for_each(|rule| set_if_zero(rule, "scope", "*"));
}

/// The selectors and the policy that webhooks and `MatchResources` share.
pub(super) fn match_defaults(map: &mut Map<String, Value>) {
    set_default(map, "matchPolicy", "Equivalent");
    set_default(map, "namespaceSelector", Map::new());
    set_default(map, "objectSelector", Map::new());
}

/// The defaults of the `MatchResources` under `key`, if it is there.
pub(super) fn resources_defaults(spec: &mut Value, key: &str) {
    if !has(spec, key) {
        return;
    }
    if let Some(map) = object(spec, key) {
        match_defaults(map);
    }
    for rules in ["resourceRules", "excludeResourceRules"] {
        rule_defaults(&mut spec[key], rules);
    }
}

/// `MatchResources`
pub(super) fn resources(errors: &mut Errors, resources: &Value, path: &Path) {
    errors.choice(path, resources, "matchPolicy", MATCH_POLICIES);
    for selector in ["namespaceSelector", "objectSelector"] {
        if !has(resources, selector) {
            errors.required(&path.child(selector), "");
        }
        errors.selector(path, resources, selector);
    }
    for rules in ["resourceRules", "excludeResourceRules"] {
        for (index, rule) in list(resources, rules).iter().enumerate() {
            let path = path.child(rules).index(index);
            resource_names(errors, rule, &path.child("resourceNames"));
            self::rule(errors, rule, &path);
        }
    }
}

fn resource_names(errors: &mut Errors, rule: &Value, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, name) in texts(rule, "resourceNames").into_iter().enumerate() {
        errors.named(&path.index(index), name, names::path_segment);
        if !seen.insert(name) {
            errors.duplicate(&path.index(index), &name);
        }
    }
}

/// `RuleWithOperations`
pub(super) fn rule(errors: &mut Errors, rule: &Value, path: &Path) {
    alone(errors, rule, path, "operations", "operations");
    for (index, operation) in texts(rule, "operations").into_iter().enumerate() {
        errors.one_of_if_set(&path.child("operations").index(index), Some(operation), OPERATIONS);
    }
    alone(errors, rule, path, "apiGroups", "API groups");
    alone(errors, rule, path, "apiVersions", "API versions");
    for (index, version) in texts(rule, "apiVersions").into_iter().enumerate() {
        if version.is_empty() {
            errors.required(&path.child("apiVersions").index(index), "");
        }
    }
    rule_resources(errors, &texts(rule, "resources"), &part(rule, "resources"), &path.child("resources"));
    errors.choice_if_set(path, rule, "scope", SCOPES);
}

/// A list that is not empty, and where `*` stands alone.
fn alone(errors: &mut Errors, rule: &Value, path: &Path, field: &str, what: &str) {
    let (values, path) = (texts(rule, field), path.child(field));
    if values.is_empty() {
        errors.required(&path, "");
    }
    if values.len() > 1 && values.contains(&"*") {
        errors.invalid(&path, &values, &format!("if '*' is present, must not specify other {what}"));
    }
}

fn rule_resources(errors: &mut Errors, resources: &[&str], all: &Value, path: &Path) {
    if resources.is_empty() {
        errors.required(path, "");
    }
    let (mut of_any_subresource, mut of_any_resource) = (BTreeSet::new(), BTreeSet::new());
    for (index, entry) in resources.iter().enumerate() {
        let path = path.index(index);
        let Some((resource, sub)) = entry.split_once('/') else {
            if entry.is_empty() {
                errors.required(&path, "");
            }
            continue;
        };
        if of_any_subresource.contains(resource) {
            errors.invalid(&path, entry, &format!("if '{resource}/*' is present, must not specify {entry}"));
        }
        if of_any_resource.contains(sub) {
            errors.invalid(&path, entry, &format!("if '*/{sub}' is present, must not specify {entry}"));
        }
        if sub == "*" {
            of_any_subresource.insert(resource);
        }
        if resource == "*" {
            of_any_resource.insert(sub);
        }
    }
    if resources.len() > 1 && resources.contains(&"*/*") {
        errors.invalid(path, all, "if '*/*' is present, must not specify other resources");
    }
    let plain = |entry: &&&str| !entry.contains('/') && **entry != "*";
    if resources.contains(&"*") && resources.iter().any(|entry| plain(&entry)) {
        let detail = "if '*' is present, must not specify other resources without subresources";
        errors.invalid(path, all, detail);
    }
}

/// `matchConditions`: CEL expressions, each with a name of its own.
pub(super) fn conditions(errors: &mut Errors, holder: &Value, scope: &Scope, path: &Path) {
    let (path, conditions) = (path.child("matchConditions"), list(holder, "matchConditions"));
    if conditions.len() > CONDITIONS_LIMIT {
        errors.0.push(FieldError::too_many(&path, conditions.len(), CONDITIONS_LIMIT));
    }
    let mut seen = BTreeSet::new();
    for (index, condition) in conditions.iter().enumerate() {
        let (path, name) = (path.index(index), text(condition, "name"));
        match text(condition, "expression") {
            source if source.trim().is_empty() => errors.required(&path.child("expression"), ""),
            source => scope.check(errors, source, Returns::Bool, &path.child("expression")),
        }
        errors.required_name(&path.child("name"), name, names::qualified_name);
        if !name.is_empty() && !seen.insert(name) {
            errors.duplicate(&path.child("name"), &name);
        }
    }
}
