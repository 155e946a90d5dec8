//! Webhooks that are asked before an object is written.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::expressions::Scope;
use super::match_rules::{self, FAILURE_POLICIES, MATCH_POLICIES};
use crate::catalog::{Column, RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::generation;
use crate::kinds::json::{has, integer, items, list, object, part, set_default, text, texts};
use crate::kinds::table::{AGE, age, number};
use crate::kinds::webhook_client;
use crate::names;

const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// The rules of the row.
pub static VALIDATING_WEBHOOKS: Rules = Rules {
    defaults: |configuration| defaults(configuration, false),
    validate: |configuration| validate(configuration, false),
    ..COMMON
};

/// The rules of the row.
pub static MUTATING_WEBHOOKS: Rules = Rules {
    defaults: |configuration| defaults(configuration, true),
    validate: |configuration| validate(configuration, true),
    ..COMMON
};

const COMMON: Rules = Rules {
    prepare_create: generation::start,
    prepare_update: |new, old| generation::bump_if_changed(new, old, &["webhooks"]),
    name_errors: names::subdomain_name,
    columns: COLUMNS,
    cells: |configuration, now_seconds| RowCells {
        cells: vec![json!(list(configuration, "webhooks").len()), age(configuration, now_seconds)],
    },
    ..Rules::GENERIC
};

const COLUMNS: &[Column] =
    &[number("Webhooks", "Webhooks indicates the number of webhooks registered in this configuration"), AGE];

fn defaults(configuration: &mut Value, mutating: bool) {
    for hook in items(configuration, "webhooks") {
        match_rules::rule_defaults(hook, "rules");
        if has(hook, "clientConfig.service")
            && let Some(service) = hook.get_mut("clientConfig").and_then(|c| object(c, "service"))
        {
            set_default(service, "port", 443);
        }
        let Some(map) = hook.as_object_mut() else { continue };
        match_rules::match_defaults(map);
        set_default(map, "failurePolicy", "Fail");
        set_default(map, "timeoutSeconds", 10);
        if mutating {
            set_default(map, "reinvocationPolicy", "Never");
        }
    }
}

fn validate(configuration: &Value, mutating: bool) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (scope, mut seen) = (Scope::webhook(), BTreeSet::new());
    for (index, hook) in list(configuration, "webhooks").iter().enumerate() {
        let path = Path::root("webhooks").index(index);
        self::hook(&mut errors, hook, mutating, &scope, &path);
        review_versions(&mut errors, hook, &path.child("admissionReviewVersions"));
        let name = text(hook, "name");
        if !name.is_empty() && !seen.insert(name) {
            errors.duplicate(&path.child("name"), &name);
        }
    }
    errors.0
}

fn hook(errors: &mut Errors, hook: &Value, mutating: bool, scope: &Scope, path: &Path) {
    qualified(errors, text(hook, "name"), &path.child("name"));
    for (index, rule) in list(hook, "rules").iter().enumerate() {
        match_rules::rule(errors, rule, &path.child("rules").index(index));
    }
    errors.choice_if_set(path, hook, "failurePolicy", FAILURE_POLICIES);
    errors.choice_if_set(path, hook, "matchPolicy", MATCH_POLICIES);
    if has(hook, "sideEffects") {
        errors.choice_if_set(path, hook, "sideEffects", &["None", "NoneOnDryRun"]);
    } else {
        errors.required(&path.child("sideEffects"), "must specify one of None, NoneOnDryRun");
    }
    let seconds = integer(hook, "timeoutSeconds");
    if has(hook, "timeoutSeconds") && !(1..=30).contains(&seconds) {
        let detail = "the timeout value must be between 1 and 30 seconds";
        errors.invalid(&path.child("timeoutSeconds"), &seconds, detail);
    }
    errors.selector(path, hook, "namespaceSelector");
    errors.selector(path, hook, "objectSelector");
    if mutating {
        errors.choice_if_set(path, hook, "reinvocationPolicy", &["IfNeeded", "Never"]);
    }
    webhook_client::validate(errors, &part(hook, "clientConfig"), &path.child("clientConfig"));
    match_rules::conditions(errors, hook, scope, path);
}

/// A domain of three segments, so that nobody takes somebody else's name.
fn qualified(errors: &mut Errors, name: &str, path: &Path) {
    if name.is_empty() {
        return errors.required(path, "");
    }
    let details = names::dns1123_subdomain(name);
    if !details.is_empty() {
        errors.invalid(path, &name, &details.join(","));
    } else if name.split('.').count() < 3 {
        errors.invalid(path, &name, "should be a domain with at least three segments separated by dots");
    }
}

fn review_versions(errors: &mut Errors, hook: &Value, path: &Path) {
    let versions = texts(hook, "admissionReviewVersions");
    if versions.is_empty() {
        return errors.required(path, &format!("must specify one of {}", REVIEW_VERSIONS.join(", ")));
    }
    let mut seen = BTreeSet::new();
    for (index, version) in versions.iter().enumerate() {
        if seen.insert(version) {
            errors.named(&path.index(index), version, names::dns1035_label);
        } else {
            errors.invalid(&path.index(index), version, "duplicate version");
        }
    }
    if !versions.iter().any(|version| REVIEW_VERSIONS.contains(version)) {
        let detail = format!("must include at least one of {}", REVIEW_VERSIONS.join(", "));
        errors.invalid(path, &versions, &detail);
    }
}
