//! Validation of jobs.

use serde_json::{Value, json};

use super::prepare::{CONTROLLER_UID, JOB_NAME};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{boolean, has, integer, text};
use crate::kinds::{pod, workload};
use crate::meta;

/// Most completions of an indexed job.
const MAX_INDEXES: i64 = 10_000_000;
/// Most pods an indexed job runs at a time.
const MAX_PARALLEL_INDEXES: i64 = 100_000;
/// Suffixes of pod names (`-INDEX`) must fit a DNS label.
const NAME_LIMIT_BYTES: usize = 63;

pub(super) fn validate(job: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    let Some(spec) = job.get("spec").filter(|s| s.is_object()) else {
        errors.required(&path, "");
        return errors.0;
    };
    numbers(&mut errors, spec, &path);
    completion_mode(&mut errors, job, spec, &path);
    selector(&mut errors, job, spec, &path);
    let policies = ["Failed", "TerminatingOrFailed"];
    let replacement = text(spec, "podReplacementPolicy");
    errors.one_of_if_set(&path.child("podReplacementPolicy"), Some(replacement).filter(|r| !r.is_empty()), &policies);
    let Some(template) = spec.get("template").filter(|t| !t.is_null()) else {
        errors.required(&path.child("template"), "");
        return errors.0;
    };
    let template_path = path.child("template");
    workload::labels_match(&mut errors, spec.get("selector"), template, &template_path);
    errors.0.extend(pod::validate_template(template, &template_path));
    if !matches!(text(template, "spec.restartPolicy"), "OnFailure" | "Never") {
        let path = template_path.child("spec").child("restartPolicy");
        errors.required(&path, "valid values: \"OnFailure\", \"Never\"");
    }
    if has(spec, "podFailurePolicy") && text(template, "spec.restartPolicy") != "Never" {
        let path = template_path.child("spec").child("restartPolicy");
        let detail = "only \"Never\" is supported when podFailurePolicy is specified";
        errors.invalid(&path, &text(template, "spec.restartPolicy"), detail);
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

fn completion_mode(errors: &mut Errors, job: &Value, spec: &Value, path: &Path) {
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
            let last = format!("{}-{}", meta::name(job), (completions - 1).max(0));
            if last.len() > NAME_LIMIT_BYTES {
                let detail = format!("will not able to create pod with invalid DNS label: {last}");
                errors.invalid(&Path::root("metadata").child("name"), &meta::name(job), &detail);
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
