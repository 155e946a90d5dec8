//! Validation of admission policies and their bindings.

use std::collections::BTreeSet;

use serde_json::Value;

use super::expressions::{Returns, Scope};
use super::match_rules::{self, FAILURE_POLICIES};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{has, list, part, text, texts};
use crate::{meta, names};

const AUDIT_ANNOTATIONS_LIMIT: usize = 20;
/// Shorter than what an annotation may hold: an expression that joins texts gives more than it is.
const AUDIT_EXPRESSION_LIMIT_BYTES: usize = 5 * 1024;
const REASONS: &[&str] = &["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
const ACTIONS: &[&str] = &["Audit", "Deny", "Warn"];
const NOTHING: &str = "validations or auditAnnotations must contain at least one item";
const BOTH_DENY_AND_WARN: &str = "must not contain both Deny and Warn (repeating the same validation failure information \
     in the API response and headers serves no purpose)";

/// All errors in a ValidatingAdmissionPolicy.
pub(super) fn validating_errors(policy: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(policy, "spec"));
    let scope = common(&mut errors, &spec, &path);
    let (validations, annotations) = (list(&spec, "validations"), list(&spec, "auditAnnotations"));
    if validations.is_empty() && annotations.is_empty() {
        errors.required(&path.child("validations"), NOTHING);
        errors.required(&path.child("auditAnnotations"), NOTHING);
    }
    for (index, validation) in validations.iter().enumerate() {
        self::validation(&mut errors, validation, &scope, &path.child("validations").index(index));
    }
    audit_annotations(&mut errors, &spec, meta::name(policy), &scope, &path.child("auditAnnotations"));
    errors.0
}

/// All errors in a MutatingAdmissionPolicy.
pub(super) fn mutating_errors(policy: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(policy, "spec"));
    let scope = common(&mut errors, &spec, &path);
    let (mutations_path, mutations) = (path.child("mutations"), list(&spec, "mutations"));
    if mutations.is_empty() {
        errors.required(&mutations_path, "mutations must contain at least one item");
    }
    for (index, mutation) in mutations.iter().enumerate() {
        self::mutation(&mut errors, mutation, &scope, &mutations_path.index(index));
    }
    errors.choice(&path, &spec, "reinvocationPolicy", &["IfNeeded", "Never"]);
    errors.0
}

/// What both kinds of policies say; returns what their expressions see.
fn common(errors: &mut Errors, spec: &Value, path: &Path) -> Scope {
    errors.choice(path, spec, "failurePolicy", FAILURE_POLICIES);
    if has(spec, "paramKind") {
        param_kind(errors, &part(spec, "paramKind"), &path.child("paramKind"));
    }
    let constraints = path.child("matchConstraints");
    if has(spec, "matchConstraints") {
        match_rules::resources(errors, &part(spec, "matchConstraints"), &constraints);
        if list(spec, "matchConstraints.resourceRules").is_empty() {
            errors.required(&constraints.child("resourceRules"), "");
        }
    } else {
        errors.required(&constraints, "");
    }
    let scope = Scope::policy(has(spec, "paramKind"));
    match_rules::conditions(errors, spec, &scope, path);
    let mut scope = scope.with_variables();
    for (index, variable) in list(spec, "variables").iter().enumerate() {
        let path = path.child("variables").index(index);
        match text(variable, "name") {
            name if name.trim().is_empty() => errors.required(&path.child("name"), "name is not specified"),
            name if !is_identifier(name) => {
                errors.invalid(&path.child("name"), &name, "name is not a valid CEL identifier");
            }
            _ => {}
        }
        match text(variable, "expression") {
            source if source.trim().is_empty() => expression(errors, variable, "expression", &path),
            source => scope.declare(errors, text(variable, "name"), source, &path.child("expression")),
        }
    }
    scope
}

fn is_identifier(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn expression(errors: &mut Errors, holder: &Value, field: &str, path: &Path) {
    if text(holder, field).trim().is_empty() {
        errors.required(&path.child(field), &format!("{field} is not specified"));
    }
}

fn param_kind(errors: &mut Errors, kind: &Value, path: &Path) {
    let (api_version, kind) = (text(kind, "apiVersion"), text(kind, "kind"));
    let version_path = path.child("apiVersion");
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if api_version.is_empty() {
        errors.required(&version_path, "");
    } else if version.contains('/') {
        let detail = format!("unexpected GroupVersion string: {api_version}");
        errors.invalid(&version_path, &api_version, &detail);
    } else {
        let joined = |errors: &mut Errors, value: &str, details: Vec<String>| {
            if !details.is_empty() {
                errors.invalid(&version_path, &value, &details.join(","));
            }
        };
        if !group.is_empty() {
            joined(errors, group, names::dns1123_subdomain(group));
        }
        joined(errors, version, names::dns1035_label(version));
    }
    let details = names::dns1035_label(&kind.to_lowercase());
    if kind.is_empty() {
        errors.required(&path.child("kind"), "");
    } else if !details.is_empty() {
        let detail = format!("may have mixed case, but should otherwise match: {}", details.join(","));
        errors.invalid(&path.child("kind"), &kind, &detail);
    }
}

fn validation(errors: &mut Errors, validation: &Value, scope: &Scope, path: &Path) {
    match text(validation, "expression") {
        source if source.trim().is_empty() => expression(errors, validation, "expression", path),
        source => scope.check(errors, source, Returns::Bool, &path.child("expression")),
    }
    let (message, message_expression) = (text(validation, "message"), text(validation, "messageExpression"));
    if !message_expression.is_empty() && message_expression.trim().is_empty() {
        errors.invalid(&path.child("messageExpression"), &message_expression, "must be non-empty if specified");
    } else if !message_expression.is_empty() {
        scope.check(errors, message_expression, Returns::Text, &path.child("messageExpression"));
    }
    if !message.is_empty() && message.trim().is_empty() {
        errors.invalid(&path.child("message"), &message, "message must be non-empty if specified");
    } else if message.trim().contains(['\n', '\r']) {
        errors.invalid(&path.child("message"), &message, "message must not contain line breaks");
    } else if message.is_empty() && text(validation, "expression").trim().contains(['\n', '\r']) {
        let detail = "message must be specified if expression contains line breaks";
        errors.required(&path.child("message"), detail);
    }
    errors.choice_if_set(path, validation, "reason", REASONS);
}

fn audit_annotations(errors: &mut Errors, spec: &Value, policy: &str, scope: &Scope, path: &Path) {
    let annotations = list(spec, "auditAnnotations");
    if annotations.len() > AUDIT_ANNOTATIONS_LIMIT {
        let detail = format!("must not have more than {AUDIT_ANNOTATIONS_LIMIT} auditAnnotations");
        errors.invalid(path, &part(spec, "auditAnnotations"), &detail);
    }
    let mut seen = BTreeSet::new();
    for (index, annotation) in annotations.iter().enumerate() {
        let (path, key) = (path.index(index), text(annotation, "key"));
        for detail in names::qualified_name(&format!("{policy}/{key}")) {
            errors.invalid(&path.child("key"), &format!("{policy}/{key}"), &detail);
        }
        let value = text(annotation, "valueExpression");
        if value.trim().is_empty() {
            errors.required(&path.child("valueExpression"), "valueExpression is not specified");
        } else if value.len() > AUDIT_EXPRESSION_LIMIT_BYTES {
            let detail = format!("must not exceed {AUDIT_EXPRESSION_LIMIT_BYTES} bytes in length");
            errors.required(&path.child("valueExpression"), &detail);
        } else {
            scope.check(errors, value, Returns::TextOrNull, &path.child("valueExpression"));
        }
        if !seen.insert(key) {
            errors.duplicate(&path.child("key"), &key);
        }
    }
}

fn mutation(errors: &mut Errors, mutation: &Value, scope: &Scope, path: &Path) {
    let (wanted, other, returns) = match text(mutation, "patchType") {
        "ApplyConfiguration" => ("applyConfiguration", "jsonPatch", Returns::Object),
        "JSONPatch" => ("jsonPatch", "applyConfiguration", Returns::JsonPatches),
        "" => return errors.required(&path.child("patchType"), ""),
        kind => {
            return errors.not_supported(&path.child("patchType"), kind, &["ApplyConfiguration", "JSONPatch"]);
        }
    };
    let kind = text(mutation, "patchType");
    if has(mutation, wanted) {
        let (patch, path) = (part(mutation, wanted), path.child(wanted));
        match text(&patch, "expression") {
            source if source.trim().is_empty() => expression(errors, &patch, "expression", &path),
            source => scope.check(errors, source, returns, &path.child("expression")),
        }
    } else {
        errors.required(&path.child(wanted), &format!("must be specified when patchType is {kind}"));
    }
    if has(mutation, other) {
        let detail = format!("must not be specified when patchType is {kind}");
        errors.invalid(&path.child(other), &format!("{{{other}}}"), &detail);
    }
}

/// All errors in a binding; only those of validating policies say what to do about what they find.
pub(super) fn binding_errors(binding: &Value, validating: bool) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(binding, "spec"));
    errors.required_name(&path.child("policyName"), text(&spec, "policyName"), names::dns1123_subdomain);
    if has(&spec, "paramRef") {
        param_ref(&mut errors, &part(&spec, "paramRef"), &path.child("paramRef"));
    }
    if has(&spec, "matchResources") {
        match_rules::resources(&mut errors, &part(&spec, "matchResources"), &path.child("matchResources"));
    }
    if !validating {
        return errors.0;
    }
    let (path, actions) = (path.child("validationActions"), texts(&spec, "validationActions"));
    let mut seen = BTreeSet::new();
    for (index, action) in actions.iter().enumerate() {
        errors.one_of_if_set(&path.index(index), Some(action), ACTIONS);
        if !seen.insert(action) {
            errors.duplicate(&path.index(index), action);
        }
    }
    if actions.contains(&"Deny") && actions.contains(&"Warn") {
        errors.invalid(&path, &actions, BOTH_DENY_AND_WARN);
    }
    if actions.is_empty() {
        errors.required(&path, "at least one validation action is required");
    }
    errors.0
}

fn param_ref(errors: &mut Errors, reference: &Value, path: &Path) {
    let name = text(reference, "name");
    match (name.is_empty(), has(reference, "selector")) {
        (false, true) => {
            let detail = "name and selector are mutually exclusive";
            errors.forbidden(&path.child("name"), detail);
        }
        (true, false) => errors.required(path, "one of name or selector must be specified"),
        (false, false) => errors.named(&path.child("name"), name, names::path_segment),
        (true, true) => errors.selector(path, reference, "selector"),
    }
    errors.choice(path, reference, "parameterNotFoundAction", &["Allow", "Deny"]);
}
