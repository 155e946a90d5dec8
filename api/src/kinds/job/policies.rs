//! Validation of what a job makes of failed pods (KEP-3329) and of some that succeed (KEP-3998).

use std::collections::BTreeSet;

use serde_json::Value;

use super::indexes;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{has, integer, list, part, text};
use crate::names;

const RULES_LIMIT: usize = 20;
const PATTERNS_LIMIT: usize = 20;
const EXIT_CODES_LIMIT: usize = 255;
const INDEXES_LIMIT_BYTES: usize = 64 * 1024;
const ACTIONS: &[&str] = &["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS: &[&str] = &["In", "NotIn"];
const STATUSES: &[&str] = &["False", "True", "Unknown"];

/// `spec.podFailurePolicy`
pub(super) fn failure(errors: &mut Errors, spec: &Value, path: &Path) {
    let path = path.child("rules");
    let rules = list(spec, "podFailurePolicy.rules");
    if rules.len() > RULES_LIMIT {
        errors.0.push(FieldError::too_many(&path, rules.len(), RULES_LIMIT));
    }
    let lists = ["containers", "initContainers"].map(|key| list(spec, &format!("template.spec.{key}")));
    let containers: BTreeSet<&str> = lists.into_iter().flatten().map(|container| text(container, "name")).collect();
    for (index, rule) in rules.iter().enumerate() {
        self::rule(errors, rule, spec, &containers, &path.index(index));
    }
}

fn valid_values(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
    format!("valid values: [{}]", quoted.join(" "))
}

/// One of these values, with Kubernetes' hint when there is none.
fn choice(errors: &mut Errors, path: &Path, value: &str, supported: &[&str]) {
    match value {
        "" => errors.required(path, &valid_values(supported)),
        value => errors.one_of_if_set(path, Some(value), supported),
    }
}

fn rule(errors: &mut Errors, rule: &Value, spec: &Value, containers: &BTreeSet<&str>, path: &Path) {
    let action = text(rule, "action");
    if action == "FailIndex" && !has(spec, "backoffLimitPerIndex") {
        errors.invalid(&path.child("action"), &action, "requires the backoffLimitPerIndex to be set");
    } else {
        choice(errors, &path.child("action"), action, ACTIONS);
    }
    let conditions = list(rule, "onPodConditions");
    if has(rule, "onExitCodes") {
        exit_codes(errors, &part(rule, "onExitCodes"), containers, &path.child("onExitCodes"));
    }
    let conditions_path = path.child("onPodConditions");
    if conditions.len() > PATTERNS_LIMIT {
        errors.0.push(FieldError::too_many(&conditions_path, conditions.len(), PATTERNS_LIMIT));
    }
    for (index, pattern) in conditions.iter().enumerate() {
        let path = conditions_path.index(index);
        errors.named(&path.child("type"), text(pattern, "type"), names::qualified_name);
        choice(errors, &path.child("status"), text(pattern, "status"), STATUSES);
    }
    match (has(rule, "onExitCodes"), conditions.is_empty()) {
        (true, false) => errors.bare(path, "specifying both OnExitCodes and OnPodConditions is not supported"),
        (false, true) => errors.bare(path, "specifying one of OnExitCodes and OnPodConditions is required"),
        _ => {}
    }
}

fn exit_codes(errors: &mut Errors, requirement: &Value, containers: &BTreeSet<&str>, path: &Path) {
    let (operator, container) = (text(requirement, "operator"), text(requirement, "containerName"));
    choice(errors, &path.child("operator"), operator, OPERATORS);
    if has(requirement, "containerName") && !containers.contains(container) {
        let detail = "must be one of the container or initContainer names in the pod template";
        errors.invalid(&path.child("containerName"), &container, detail);
    }
    let (path, values) = (path.child("values"), part(requirement, "values"));
    let codes: Vec<i64> = list(requirement, "values").iter().filter_map(Value::as_i64).collect();
    if codes.is_empty() {
        errors.invalid(&path, &values, "at least one value is required");
    } else if codes.len() > EXIT_CODES_LIMIT {
        errors.0.push(FieldError::too_many(&path, codes.len(), EXIT_CODES_LIMIT));
    }
    let mut seen = BTreeSet::new();
    for (index, code) in codes.iter().enumerate() {
        if *code == 0 && operator == "In" {
            errors.invalid(&path.index(index), code, "must not be 0 for the In operator");
        }
        if !seen.insert(code) {
            errors.duplicate(&path.index(index), code);
        }
    }
    if !codes.is_sorted() {
        errors.invalid(&path, &values, "must be ordered");
    }
}

/// `spec.successPolicy`
pub(super) fn success(errors: &mut Errors, spec: &Value, path: &Path) {
    if !has(spec, "successPolicy") {
        return;
    }
    if text(spec, "completionMode") != "Indexed" {
        return errors.invalid(path, &part(spec, "successPolicy"), "requires indexed completion mode");
    }
    let path = path.child("rules");
    let rules = list(spec, "successPolicy.rules");
    if rules.is_empty() {
        errors.required(&path, "at least one rules must be specified when the successPolicy is specified");
    } else if rules.len() > RULES_LIMIT {
        errors.0.push(FieldError::too_many(&path, rules.len(), RULES_LIMIT));
    }
    let completions = integer(spec, "completions");
    for (index, rule) in rules.iter().enumerate() {
        let path = path.index(index);
        if !has(rule, "succeededCount") && !has(rule, "succeededIndexes") {
            errors.required(&path, "at least one of succeededCount or succeededIndexes must be specified");
        }
        let (text_of, text_path) = (text(rule, "succeededIndexes"), path.child("succeededIndexes"));
        if text_of.len() > INDEXES_LIMIT_BYTES {
            errors.0.push(FieldError::too_long(&text_path, INDEXES_LIMIT_BYTES));
        }
        let total = match indexes::read(text_of, completions) {
            Ok(intervals) => indexes::count(&intervals),
            Err(error) => {
                errors.invalid(&text_path, &text_of, &format!("error parsing succeededIndexes: {error}"));
                0
            }
        };
        let (count, count_path) = (integer(rule, "succeededCount"), path.child("succeededCount"));
        errors.not_negative(&count_path, Some(count));
        let mut at_most = |limit: i64, what: &str| {
            if count > limit {
                errors.invalid(&count_path, &count, &format!("must be less than or equal to {limit} ({what})"));
            }
        };
        at_most(completions, "the number of specified completions");
        if has(rule, "succeededIndexes") {
            at_most(total, "the number of indexes in the specified succeededIndexes field");
        }
    }
}
