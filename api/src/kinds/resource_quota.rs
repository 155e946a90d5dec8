//! Rules of resource quotas.

use serde_json::{Value, json};

use super::check::Errors;
use super::generation;
use super::json::{carry_over, entries, list, part, sections, text, texts};
use super::pod::normalize_list;
use super::resource_names::{self, is_of_quotas};
use super::table::{AGE, age, column};
use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::names;

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults: |quota| {
        sections(quota, &["spec"]);
        sections(quota, &["status"]);
        for (section, lists) in [("spec", &["hard"][..]), ("status", &["hard", "used"])] {
            for list in lists {
                quota.get_mut(section).and_then(|s| s.get_mut(*list)).into_iter().for_each(normalize_list);
            }
        }
    },
    prepare_create: |quota| {
        generation::none(quota);
        quota["status"] = json!({});
    },
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate,
    validate_update: |new, old| {
        let mut errors = Errors::default();
        let scopes = |quota: &Value| {
            let mut scopes: Vec<String> = texts(quota, "spec.scopes").into_iter().map(str::to_string).collect();
            scopes.sort_unstable();
            scopes
        };
        errors.unchanged(&Path::root("spec").child("scopes"), &scopes(new), &scopes(old));
        errors.0
    },
    validate_status: |new, _| {
        let mut errors = Errors::default();
        for list in ["hard", "used"] {
            amounts(&mut errors, new, &format!("status.{list}"), &Path::root("status").child(list));
        }
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: &[
        column("Request", "Request represents a minimum amount of cpu/memory that a container may consume."),
        column(
            "Limit",
            "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the \
             node.",
        ),
        AGE,
    ],
    cells: |quota, now_seconds| RowCells {
        cells: vec![json!(used(quota, false)), json!(used(quota, true)), age(quota, now_seconds)],
    },
    ..Rules::GENERIC
};

/// What pods use, as far as scopes go: upstream leaves ephemeral storage out.
const COMPUTE: &[&str] = &["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
const EXISTENCE_SCOPES: &[&str] =
    &["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"];
const ONLY_EXISTS: &str = "must be 'Exist' only operator when scope is any of ResourceQuotaScopeTerminating, \
     ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or \
     ResourceQuotaScopeCrossNamespacePodAffinity";

fn is_scope(scope: &str) -> bool {
    EXISTENCE_SCOPES.contains(&scope) || matches!(scope, "PriorityClass" | "VolumeAttributesClass")
}

/// Whether a scope says anything about the resource.
fn applies(scope: &str, name: &str) -> bool {
    match scope {
        "BestEffort" => name == "pods",
        "VolumeAttributesClass" => matches!(name, "persistentvolumeclaims" | "requests.storage"),
        _ => name == "pods" || COMPUTE.contains(&name),
    }
}

fn validate(quota: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    amounts(&mut errors, quota, "spec.hard", &path.child("hard"));
    let limited = entries(quota, "spec.hard").map(|(name, _)| name.as_str());
    let limited: Vec<&str> = limited.filter(|name| is_of_quotas(name)).collect();
    scopes(&mut errors, quota, &limited, &path.child("scopes"));
    let path = path.child("scopeSelector").child("matchExpressions");
    selector(&mut errors, quota, &limited, &path);
    for list in ["hard", "used"] {
        amounts(&mut errors, quota, &format!("status.{list}"), &Path::root("status").child(list));
    }
    errors.0
}

fn amounts(errors: &mut Errors, quota: &Value, at: &str, path: &Path) {
    for (name, amount) in entries(quota, at) {
        let path = path.key(name);
        resource_names::of_quota(errors, name, &path);
        resource_names::amount(errors, name, amount, &path);
    }
}

fn scopes(errors: &mut Errors, quota: &Value, limited: &[&str], path: &Path) {
    let (scopes, all) = (texts(quota, "spec.scopes"), part(quota, "spec.scopes"));
    for scope in &scopes {
        if !is_scope(scope) {
            errors.invalid(path, &all, "unsupported scope");
        }
        not_for(errors, scope, limited, &all, path);
    }
    conflicts(errors, &scopes, &all, path);
}

/// Native resources that a scope says nothing about, each with an error that shows all of `shown`. Scopes times
/// resources are too many to be counted, so it ends where nobody would be told.
fn not_for(errors: &mut Errors, scope: &str, limited: &[&str], shown: &Value, path: &Path) {
    for _ in limited.iter().filter(|name| !applies(scope, name)) {
        if !errors.has_room() {
            return;
        }
        errors.invalid(path, shown, "unsupported scope applied to resource");
    }
}

/// Scopes that no pod is in at once. Errors show `spec.scopes`, as upstream's do.
fn conflicts(errors: &mut Errors, scopes: &[&str], shown: &Value, path: &Path) {
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|scope| scopes.contains(scope)) {
            errors.invalid(path, shown, "conflicting scopes");
        }
    }
}

fn selector(errors: &mut Errors, quota: &Value, limited: &[&str], path: &Path) {
    let (requirements, all) = (list(quota, "spec.scopeSelector.matchExpressions"), part(quota, "spec.scopeSelector"));
    for requirement in requirements {
        scope_name(errors, text(requirement, "scopeName"), limited, &all, path);
        expression(errors, requirement, path);
    }
    let scopes: Vec<&str> = requirements.iter().map(|requirement| text(requirement, "scopeName")).collect();
    conflicts(errors, &scopes, &part(quota, "spec.scopes"), path);
}

fn scope_name(errors: &mut Errors, scope: &str, limited: &[&str], selector: &Value, path: &Path) {
    if !is_scope(scope) {
        errors.invalid(&path.child("scopeName"), &scope, "unsupported scope");
    }
    not_for(errors, scope, limited, selector, path);
}

fn expression(errors: &mut Errors, requirement: &Value, path: &Path) {
    let (scope, operator) = (text(requirement, "scopeName"), text(requirement, "operator"));
    let values = texts(requirement, "values");
    if EXISTENCE_SCOPES.contains(&scope) && operator != "Exists" {
        errors.invalid(&path.child("operator"), &operator, ONLY_EXISTS);
    }
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            let detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
            errors.required(&path.child("values"), detail);
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
            errors.invalid(&path.child("values"), &values, detail);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => errors.invalid(&path.child("operator"), &other, "not a valid selector operator"),
    }
}

/// `cpu: 1/2, memory: 0/1Gi`: of limits, or of everything else.
fn used(quota: &Value, limits: bool) -> String {
    let shown = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("0").to_string();
    let hard = entries(quota, "status.hard").filter(|(name, _)| name.starts_with("limits.") == limits);
    let used = quota.pointer("/status/used");
    let cells = hard.map(|(name, amount)| {
        format!("{name}: {}/{}", shown(used.and_then(|used| used.get(name))), shown(Some(amount)))
    });
    cells.collect::<Vec<_>>().join(", ")
}
