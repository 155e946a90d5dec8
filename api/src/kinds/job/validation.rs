//! Validation of jobs.

use serde_json::{Value, json};

use super::policies;
use super::prepare::{CONTROLLER_UID, JOB_NAME};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{boolean, has, integer, text};
use crate::kinds::{pod, workload};
use crate::{meta, names};

/// Most completions of an indexed job.
const MAX_INDEXES: i64 = 10_000_000;
/// Most pods an indexed job runs at a time.
const MAX_PARALLEL_INDEXES: i64 = 100_000;
/// Most indexes that may fail before the job does.
const MAX_FAILED_INDEXES: i64 = 100_000;
/// Suffixes of pod names (`-INDEX`) must fit a DNS label.
const NAME_LIMIT_BYTES: usize = 63;

pub(super) fn validate(job: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    let Some(spec) = job.get("spec").filter(|s| s.is_object()) else {
        errors.required(&path, "");
        return errors.0;
    };
    validate_spec(&mut errors, spec, &path, meta::name(job));
    selector(&mut errors, job, spec, &path);
    if let Some(template) = spec.get("template").filter(|t| !t.is_null()) {
        workload::labels_match(&mut errors, spec.get("selector"), template, &path.child("template"));
    }
    errors.0
}

/// All errors in the spec of a job called `name`, or of those that a cron job makes, but for the selector.
pub(in crate::kinds) fn validate_spec(errors: &mut Errors, spec: &Value, path: &Path, name: &str) {
    numbers(errors, spec, path);
    completion_mode(errors, name, spec, path);
    policies::success(errors, spec, &path.child("successPolicy"));
    policies::failure(errors, spec, &path.child("podFailurePolicy"));
    limits_per_index(errors, spec, path);
    managed_by(errors, spec, &path.child("managedBy"));
    replacement(errors, spec, &path.child("podReplacementPolicy"));
    let template_path = path.child("template");
    let Some(template) = spec.get("template").filter(|t| !t.is_null()) else {
        return errors.required(&template_path, "");
    };
    errors.0.extend(pod::validate_template(template, &template_path));
    let (policy, path) = (text(template, "spec.restartPolicy"), template_path.child("spec").child("restartPolicy"));
    if !matches!(policy, "OnFailure" | "Never") {
        errors.required(&path, "valid values: \"OnFailure\", \"Never\"");
    } else if has(spec, "podFailurePolicy") && policy != "Never" {
        errors.invalid(&path, &policy, "only \"Never\" is supported when podFailurePolicy is specified");
    }
}

/// Pods that are replaced while they terminate would be judged before they ended.
fn replacement(errors: &mut Errors, spec: &Value, path: &Path) {
    let policy = text(spec, "podReplacementPolicy");
    if has(spec, "podFailurePolicy") {
        errors.one_of_if_set(path, Some(policy).filter(|p| !p.is_empty()), &["Failed"]);
    } else {
        errors.one_of_if_set(path, Some(policy).filter(|p| !p.is_empty()), &["Failed", "TerminatingOrFailed"]);
    }
}

fn limits_per_index(errors: &mut Errors, spec: &Value, path: &Path) {
    let (failed, completions) = (integer(spec, "maxFailedIndexes"), integer(spec, "completions"));
    let failed_path = path.child("maxFailedIndexes");
    if has(spec, "maxFailedIndexes") && !has(spec, "backoffLimitPerIndex") {
        errors.required(&path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    }
    if has(spec, "maxFailedIndexes") && has(spec, "completions") && failed > completions {
        errors.invalid(&failed_path, &failed, "must be less than or equal to completions");
    }
    if failed > MAX_FAILED_INDEXES {
        let detail = format!("must be less than or equal to {MAX_FAILED_INDEXES}");
        errors.invalid(&failed_path, &failed, &detail);
    }
}

/// `example.com/controller`: who runs the job instead of the built-in controller (KEP-4368).
fn managed_by(errors: &mut Errors, spec: &Value, path: &Path) {
    let manager = text(spec, "managedBy");
    if !has(spec, "managedBy") {
        return;
    }
    match manager.split_once('/') {
        Some((domain, name)) if !domain.is_empty() && !name.is_empty() => {
            errors.named(path, domain, names::dns1123_subdomain);
        }
        _ => errors.invalid(path, &manager, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
    }
    if manager.len() > NAME_LIMIT_BYTES {
        errors.0.push(FieldError::too_long(path, NAME_LIMIT_BYTES));
    }
}

/// Counts of pods are not negative.
pub(super) fn validate_status(new: &Value, _: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let status = new.get("status").unwrap_or(&Value::Null);
    for field in ["active", "succeeded", "failed", "ready", "terminating"] {
        errors.count(&Path::root("status"), status, field);
    }
    errors.0
}

fn numbers(errors: &mut Errors, spec: &Value, path: &Path) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        errors.not_negative(&path.child(field), Some(integer(spec, field)));
    }
}

fn completion_mode(errors: &mut Errors, name: &str, spec: &Value, path: &Path) {
    match text(spec, "completionMode") {
        "" | "NonIndexed" => {
            for field in ["backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"] {
                if has(spec, field) {
                    errors.invalid(&path.child(field), &spec[field], "requires indexed completion mode");
                }
            }
        }
        "Indexed" => {
            let completions = integer(spec, "completions");
            if !has(spec, "completions") {
                errors.required(&path.child("completions"), "when completion mode is Indexed");
            } else if completions > MAX_INDEXES {
                let detail = format!("must be less than or equal to {MAX_INDEXES}");
                errors.invalid(&path.child("completions"), &completions, &detail);
            }
            if integer(spec, "parallelism") > MAX_PARALLEL_INDEXES {
                let detail =
                    format!("must be less than or equal to {MAX_PARALLEL_INDEXES} when completion mode is Indexed");
                errors.invalid(&path.child("parallelism"), &integer(spec, "parallelism"), &detail);
            }
            let last = format!("{name}-{}", (completions - 1).max(0));
            if last.len() > NAME_LIMIT_BYTES {
                let detail = format!("will not able to create pod with invalid DNS label: {last}");
                errors.invalid(&Path::root("metadata").child("name"), &name, &detail);
            }
        }
        other => errors.not_supported(&path.child("completionMode"), other, &["Indexed", "NonIndexed"]),
    }
}

fn selector(errors: &mut Errors, job: &Value, spec: &Value, path: &Path) {
    let selector_path = path.child("selector");
    let Some(selector) = spec.get("selector").filter(|s| !s.is_null()) else {
        return errors.required(&selector_path, "");
    };
    workload::selector_errors(errors, selector, &selector_path);
    if boolean(spec, "manualSelector") {
        return;
    }
    let labels = spec.pointer("/template/metadata/labels");
    let labels_path = path.child("template").child("metadata").child("labels");
    for (label, expected) in [(CONTROLLER_UID, meta::uid(job)), (JOB_NAME, meta::name(job))] {
        let found = labels.and_then(|l| l.get(label)).and_then(Value::as_str);
        let (path, detail) = (labels_path.key(label), format!("must be '{expected}'"));
        if found.is_none() {
            errors.required(&path, &detail);
        }
        if found != Some(expected) {
            errors.invalid(&path, &labels, &detail);
        }
    }
    let generated = json!({ "matchLabels": { CONTROLLER_UID: meta::uid(job) } });
    let legacy = json!({ "matchLabels": { "controller-uid": meta::uid(job) } });
    if *selector != generated && *selector != legacy {
        errors.invalid(&selector_path, selector, "`selector` not auto-generated");
    }
}

pub(super) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    let part = |object: &Value, field: &str| object.get("spec").and_then(|s| s.get(field)).cloned().unwrap_or_default();
    if part(new, "completions") != part(old, "completions") && !is_elastic(new) {
        errors.invalid(&path.child("completions"), &part(new, "completions"), crate::metadata::IMMUTABLE);
    }
    for field in
        ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
    {
        errors.unchanged(&path.child(field), &part(new, field), &part(old, field));
    }
    let mut template = part(new, "template");
    if boolean(old, "spec.suspend") && !has(old, "status.startTime") {
        scheduling_directives(&mut template, &part(old, "template"));
    }
    let mut differences = Vec::new();
    pod::compare("template", &template, &part(old, "template"), &mut differences);
    if !differences.is_empty() {
        errors.invalid(&path.child("template"), &part(new, "template"), crate::metadata::IMMUTABLE);
    }
    errors.0
}

/// An indexed job can grow and shrink if completions and parallelism go together (KEP-3715).
fn is_elastic(job: &Value) -> bool {
    let counts = (integer(job, "spec.completions"), integer(job, "spec.parallelism"));
    text(job, "spec.completionMode") == "Indexed" && has(job, "spec.completions") && counts.0 == counts.1
}

/// Where the pods of a suspended job go can still change (KEP-2926): takes those fields from the old template.
fn scheduling_directives(template: &mut Value, old: &Value) {
    for (section, fields) in [
        ("spec", &["nodeSelector", "affinity", "tolerations", "schedulingGates"][..]),
        ("metadata", &["annotations", "labels"][..]),
    ] {
        let before = old.get(section).cloned().unwrap_or_default();
        if let Some(part) = template.get_mut(section) {
            fields.iter().for_each(|field| crate::kinds::json::carry_over(part, &before, field));
        }
    }
}
