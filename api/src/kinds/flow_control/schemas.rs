//! Flow schemas: which requests have which priority level.

use serde_json::{Value, json};

use crate::catalog::{Column, RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{boolean, carry_over, has, integer, list, object, part, sections, set_if_zero, text, texts};
use crate::kinds::table::{AGE, age, column, or_none};
use crate::{meta, names};

const MAX_PRECEDENCE: i64 = 10_000;
const DEFAULT_PRECEDENCE: i64 = 1000;
const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

/// The rules of the row.
pub static FLOW_SCHEMA: Rules = Rules {
    defaults: |schema| {
        sections(schema, &["spec"]);
        if let Some(spec) = object(schema, "spec") {
            set_if_zero(spec, "matchingPrecedence", DEFAULT_PRECEDENCE);
        }
        let _ = object(schema, "status");
    },
    prepare_create: |schema| schema["status"] = json!({}),
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate,
    validate_status: |new, _| super::conditions(new),
    name_errors: names::subdomain_name,
    columns: COLUMNS,
    cells: |schema, now_seconds| {
        let dangling = list(schema, "status.conditions").iter().find(|c| text(c, "type") == "Dangling");
        RowCells {
            cells: vec![
                json!(text(schema, "spec.priorityLevelConfiguration.name")),
                json!(integer(schema, "spec.matchingPrecedence")),
                or_none(text(schema, "spec.distinguisherMethod.type")),
                age(schema, now_seconds),
                json!(dangling.map_or("?", |c| text(c, "status"))),
            ],
        }
    },
    ..Rules::GENERIC
};

const COLUMNS: &[Column] = &[
    column("PriorityLevel", "`name` is the name of the priority level configuration being referenced Required."),
    column(
        "MatchingPrecedence",
        "`matchingPrecedence` is used to choose among the FlowSchemas that match a given request. The chosen \
             FlowSchema is among those with the numerically lowest (which we take to be logically highest) \
             MatchingPrecedence.  Each MatchingPrecedence value must be ranged in [1,10000]. Note that if the \
             precedence is not specified, it will be set to 1000 as default.",
    ),
    column(
        "DistinguisherMethod",
        "`distinguisherMethod` defines how to compute the flow distinguisher for requests that match this \
             schema. `nil` specifies that the distinguisher is disabled and thus will always be the empty string.",
    ),
    AGE,
    column("MissingPL", "references a broken or non-existent PriorityLevelConfiguration"),
];

fn validate(schema: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(schema, "spec"));
    let (precedence, precedence_path) = (integer(&spec, "matchingPrecedence"), path.child("matchingPrecedence"));
    if precedence <= 0 {
        errors.invalid(&precedence_path, &precedence, "must be a positive value");
    }
    if precedence > MAX_PRECEDENCE {
        errors.invalid(&precedence_path, &precedence, &format!("must not be greater than {MAX_PRECEDENCE}"));
    }
    if precedence == 1 && meta::name(schema) != "exempt" {
        let detail = "only the schema named 'exempt' may have matchingPrecedence 1";
        errors.invalid(&precedence_path, &precedence, detail);
    }
    if has(&spec, "distinguisherMethod") {
        let kind = text(&spec, "distinguisherMethod.type");
        let path = path.child("distinguisherMethod").child("type");
        errors.one_of_if_set(&path, Some(kind), &["ByNamespace", "ByUser"]);
    }
    let level = path.child("priorityLevelConfiguration").child("name");
    match text(&spec, "priorityLevelConfiguration.name") {
        "" => errors.required(&level, "must reference a priority level"),
        name => errors.named(&level, name, names::dns1123_subdomain),
    }
    for (index, rule) in list(&spec, "rules").iter().enumerate() {
        self::rule(&mut errors, rule, &path.child("rules").index(index));
    }
    errors.0.extend(super::conditions(schema));
    errors.0
}

fn rule(errors: &mut Errors, rule: &Value, path: &Path) {
    let subjects = list(rule, "subjects");
    if subjects.is_empty() {
        errors.required(&path.child("subjects"), "subjects must contain at least one value");
    }
    for (index, subject) in subjects.iter().enumerate() {
        self::subject(errors, subject, &path.child("subjects").index(index));
    }
    let (resources, urls) = (list(rule, "resourceRules"), list(rule, "nonResourceRules"));
    if resources.is_empty() && urls.is_empty() {
        errors.required(path, "at least one of resourceRules and nonResourceRules has to be non-empty");
    }
    for (index, rule) in resources.iter().enumerate() {
        resource_rule(errors, rule, &path.child("resourceRules").index(index));
    }
    for (index, rule) in urls.iter().enumerate() {
        url_rule(errors, rule, &path.child("nonResourceRules").index(index));
    }
}

/// (kind, field, what stands in its messages)
const SUBJECTS: [(&str, &str); 3] = [("Group", "group"), ("ServiceAccount", "serviceAccount"), ("User", "user")];

fn subject(errors: &mut Errors, subject: &Value, path: &Path) {
    let kind = text(subject, "kind");
    if !SUBJECTS.iter().any(|(known, _)| *known == kind) {
        return errors.not_supported(&path.child("kind"), kind, &["Group", "ServiceAccount", "User"]);
    }
    for (known, field) in SUBJECTS {
        let path = path.child(field);
        match (known == kind, has(subject, field)) {
            (true, false) => errors.required(&path, &format!("{field} is required when subject kind is '{known}'")),
            (true, true) => named_subject(errors, field, &part(subject, field), &path),
            (false, true) => {
                errors.forbidden(&path, &format!("{field} is forbidden when subject kind is not '{known}'"));
            }
            (false, false) => {}
        }
    }
}

fn named_subject(errors: &mut Errors, field: &str, subject: &Value, path: &Path) {
    let (name, namespace) = (text(subject, "name"), text(subject, "namespace"));
    errors.filled(path, subject, "name");
    if field != "serviceAccount" {
        return;
    }
    if !name.is_empty() && name != "*" {
        errors.named(&path.child("name"), name, names::dns1123_subdomain);
    }
    match namespace {
        "" => errors.required(&path.child("namespace"), "must specify namespace for service account"),
        namespace => errors.named(&path.child("namespace"), namespace, names::dns1123_label),
    }
}

fn verbs(errors: &mut Errors, rule: &Value, path: &Path) {
    let (verbs, path) = (texts(rule, "verbs"), path.child("verbs"));
    if verbs.is_empty() {
        errors.required(&path, "verbs must contain at least one value");
    } else if verbs.contains(&"*") {
        if verbs.len() > 1 {
            errors.invalid(&path, &verbs, "if '*' is present, must not specify other verbs");
        }
    } else if !verbs.iter().all(|verb| VERBS.contains(verb)) {
        errors.0.push(FieldError::not_supported(&path, &json!(verbs), VERBS));
    }
}

fn resource_rule(errors: &mut Errors, rule: &Value, path: &Path) {
    verbs(errors, rule, path);
    for (field, missing, crowded) in [
        (
            "apiGroups",
            "resource rules must supply at least one api group",
            "if '*' is present, must not specify other api groups",
        ),
        (
            "resources",
            "resource rules must supply at least one resource",
            "if '*' is present, must not specify other resources",
        ),
    ] {
        let values = texts(rule, field);
        if values.is_empty() {
            errors.required(&path.child(field), missing);
        } else if values.len() > 1 && values.contains(&"*") {
            errors.invalid(&path.child(field), &values, crowded);
        }
    }
    let (path, namespaces) = (path.child("namespaces"), texts(rule, "namespaces"));
    if namespaces.is_empty() && !boolean(rule, "clusterScope") {
        let detail = "resource rules that are not cluster scoped must supply at least one namespace";
        errors.required(&path, detail);
    } else if namespaces.contains(&"*") {
        if namespaces.len() > 1 {
            errors.invalid(&path, &namespaces, "if '*' is present, must not specify other namespaces");
        }
    } else {
        for (index, namespace) in namespaces.iter().enumerate() {
            for detail in names::dns1123_label(namespace) {
                let detail = format!("each member of this list must be '*' or a DNS-1123 label; {detail}");
                errors.invalid(&path.index(index), namespace, &detail);
            }
        }
    }
}

fn url_rule(errors: &mut Errors, rule: &Value, path: &Path) {
    verbs(errors, rule, path);
    let (path, urls) = (path.child("nonResourceURLs"), texts(rule, "nonResourceURLs"));
    if urls.is_empty() {
        errors.required(&path, "nonResourceURLs must contain at least one value");
    } else if urls.contains(&"*") {
        if urls.len() > 1 {
            errors.invalid(&path, &urls, "if '*' is present, must not specify other non-resource URLs");
        }
    } else {
        for (index, url) in urls.iter().enumerate() {
            if let Some(detail) = url_error(url) {
                errors.invalid(&path.index(index), url, detail);
            }
        }
    }
}

/// A path, or all paths below one: `/healthz/*`.
fn url_error(url: &str) -> Option<&'static str> {
    let stars = url.matches('*').count();
    match url {
        "" => Some("must not be empty"),
        "/" => None,
        _ if !url.starts_with('/') => Some("must start with slash"),
        _ if url.contains(' ') => Some("must not contain white-space"),
        _ if url.contains("//") => Some("must not contain double slash"),
        _ if stars > 1 || (stars == 1 && !url.ends_with("/*")) => Some("wildcard can only do suffix matching"),
        _ => None,
    }
}
