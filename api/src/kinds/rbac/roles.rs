//! Roles: what may be done.

use serde_json::Value;

use super::name_errors;
use crate::catalog::Rules;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{has, list, texts};
use crate::kinds::workload;

/// The rules of the row.
pub static ROLE: Rules = Rules { validate: |role| rules(role, true), name_errors, ..Rules::GENERIC };

/// The rules of the row.
pub static CLUSTER_ROLE: Rules = Rules { validate: cluster_role, name_errors, ..Rules::GENERIC };

fn cluster_role(role: &Value) -> Vec<FieldError> {
    let mut errors = Errors(rules(role, false));
    if has(role, "aggregationRule") {
        let path = Path::root("aggregationRule").child("clusterRoleSelectors");
        let selectors = list(role, "aggregationRule.clusterRoleSelectors");
        if selectors.is_empty() {
            errors.required(&path, "at least one clusterRoleSelector required if aggregationRule is non-nil");
        }
        for (index, selector) in selectors.iter().enumerate() {
            workload::selector_errors(&mut errors, selector, &path.index(index));
        }
    }
    errors.0
}

fn rules(role: &Value, namespaced: bool) -> Vec<FieldError> {
    let mut errors = Errors::default();
    for (index, rule) in list(role, "rules").iter().enumerate() {
        self::rule(&mut errors, rule, namespaced, &Path::root("rules").index(index));
    }
    errors.0
}

fn rule(errors: &mut Errors, rule: &Value, namespaced: bool, path: &Path) {
    if texts(rule, "verbs").is_empty() {
        errors.required(&path.child("verbs"), "verbs must contain at least one value");
    }
    let urls = texts(rule, "nonResourceURLs");
    if !urls.is_empty() {
        let path = path.child("nonResourceURLs");
        if namespaced {
            errors.invalid(&path, &urls, "namespaced rules cannot apply to non-resource URLs");
        }
        if ["apiGroups", "resources", "resourceNames"].iter().any(|field| !texts(rule, field).is_empty()) {
            errors.invalid(&path, &urls, "rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if texts(rule, "apiGroups").is_empty() {
        errors.required(&path.child("apiGroups"), "resource rules must supply at least one api group");
    }
    if texts(rule, "resources").is_empty() {
        errors.required(&path.child("resources"), "resource rules must supply at least one resource");
    }
}
