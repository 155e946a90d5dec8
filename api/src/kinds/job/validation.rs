//! Validation of jobs.

use serde_json::{Map, Value, json};

use super::policies;
use super::prepare::{CONTROLLER_UID, JOB_NAME, LEGACY};
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, same};
use crate::kinds::json::{boolean, carry_over, has, integer, items, object, part, text};
use crate::kinds::{pod, workload};
use crate::selector::LabelSelector;
use crate::{meta, names};

/// Most pods an indexed job runs at a time.
const MAX_PARALLEL_INDEXES: i64 = 100_000;
/// Most indexes that may fail before the job does.
const MAX_FAILED_INDEXES: i64 = 100_000;
/// Completions above which retries per index need tighter limits, so that the status stays small.
const MANY_COMPLETIONS: i64 = 100_000;
/// Most pods at a time, and most failed indexes, of such a job.
const FEW_INDEXES: i64 = 10_000;
const MANAGER_LIMIT_BYTES: usize = 63;

pub(super) fn validate(job: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    let Some(spec) = job.get("spec").filter(|s| s.is_object()) else {
        errors.required(&path, "");
        return errors.0;
    };
    generated_selector(&mut errors, job, spec, &path);
    validate_spec(&mut errors, spec, &path);
    selector(&mut errors, spec, &path);
    last_pod_name(&mut errors, meta::name(job), spec);
    errors.0
}

/// All errors in the spec of a job, or of those that a cron job makes, but for the selector.
pub(in crate::kinds) fn validate_spec(errors: &mut Errors, spec: &Value, path: &Path) {
    numbers(errors, spec, path);
    managed_by(errors, spec, &path.child("managedBy"));
    completion_mode(errors, spec, path);
    policies::failure(errors, spec, &path.child("podFailurePolicy"));
    policies::success(errors, spec, &path.child("successPolicy"));
    replacement(errors, spec, &path.child("podReplacementPolicy"));
    let template_path = path.child("template");
    let template = spec.get("template").cloned().unwrap_or_default();
    errors.0.extend(pod::validate_template(&template, &template_path));
    let (policy, path) = (text(&template, "spec.restartPolicy"), template_path.child("spec").child("restartPolicy"));
    match policy {
        // What was not said has become the default by now.
        "" | "Always" => errors.required(&path, "valid values: \"OnFailure\", \"Never\""),
        "Never" => {}
        "OnFailure" if has(spec, "podFailurePolicy") => {
            errors.invalid(&path, &policy, "only \"Never\" is supported when podFailurePolicy is specified");
        }
        "OnFailure" => {}
        other => errors.not_supported(&path, other, &["OnFailure", "Never"]),
    }
}

/// Pods that are replaced while they terminate would be judged before they ended.
fn replacement(errors: &mut Errors, spec: &Value, path: &Path) {
    let policies: &[&str] =
        if has(spec, "podFailurePolicy") { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
    if has(spec, "podReplacementPolicy") {
        errors.one_of_if_set(path, Some(text(spec, "podReplacementPolicy")), policies);
    }
}

/// `example.com/controller`: who runs the job instead of the built-in controller (KEP-4368).
fn managed_by(errors: &mut Errors, spec: &Value, path: &Path) {
    if !has(spec, "managedBy") {
        return;
    }
    let manager = text(spec, "managedBy");
    errors.domain_path(path, manager);
    if manager.len() > MANAGER_LIMIT_BYTES {
        errors.0.push(FieldError::too_long(path, MANAGER_LIMIT_BYTES));
    }
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
    if has(spec, "maxFailedIndexes") && !has(spec, "backoffLimitPerIndex") {
        errors.required(&path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    }
}

fn completion_mode(errors: &mut Errors, spec: &Value, path: &Path) {
    // The template of a CronJob is not defaulted.
    let mode = if has(spec, "completionMode") { text(spec, "completionMode") } else { "NonIndexed" };
    match mode {
        "NonIndexed" => {
            for field in ["backoffLimitPerIndex", "maxFailedIndexes"].into_iter().filter(|field| has(spec, field)) {
                errors.invalid(&path.child(field), &spec[field], "requires indexed completion mode");
            }
        }
        "Indexed" => indexed(errors, spec, path),
        other => errors.not_supported(&path.child("completionMode"), other, &["NonIndexed", "Indexed"]),
    }
}

fn indexed(errors: &mut Errors, spec: &Value, path: &Path) {
    let field = |name: &str| (integer(spec, name), path.child(name));
    let (completions, completions_path) = field("completions");
    let (parallelism, parallelism_path) = field("parallelism");
    let (failed, failed_path) = field("maxFailedIndexes");
    if !has(spec, "completions") {
        errors.required(&completions_path, "when completion mode is Indexed");
    }
    if parallelism > MAX_PARALLEL_INDEXES {
        let detail = format!("must be less than or equal to {MAX_PARALLEL_INDEXES} when completion mode is Indexed");
        errors.invalid(&parallelism_path, &parallelism, &detail);
    }
    if has(spec, "completions") && failed > completions {
        errors.invalid(&failed_path, &failed, "must be less than or equal to completions");
    }
    if failed > MAX_FAILED_INDEXES {
        errors.invalid(&failed_path, &failed, &format!("must be less than or equal to {MAX_FAILED_INDEXES}"));
    }
    if completions <= MANY_COMPLETIONS || !has(spec, "backoffLimitPerIndex") {
        return;
    }
    if !has(spec, "maxFailedIndexes") {
        let detail = format!("must be specified when completions is above {MANY_COMPLETIONS}");
        errors.required(&failed_path, &detail);
    }
    for (number, path) in [(parallelism, &parallelism_path), (failed, &failed_path)] {
        if number > FEW_INDEXES {
            let detail = format!(
                "must be less than or equal to {FEW_INDEXES} when completions are above {MANY_COMPLETIONS} and used \
                 with backoff limit per index"
            );
            errors.invalid(path, &number, &detail);
        }
    }
}

/// Pods of an indexed job are called `NAME-INDEX`, which must be a host name for every index.
fn last_pod_name(errors: &mut Errors, name: &str, spec: &Value) {
    let completions = integer(spec, "completions");
    let last = format!("{name}-{}", completions - 1);
    let indexed = text(spec, "completionMode") == "Indexed" && completions > 0;
    if indexed && !names::dns1123_label(&last).is_empty() {
        let detail = format!("will not able to create pod with invalid DNS label: {last}");
        errors.invalid(&Path::root("metadata").child("name"), &name, &detail);
    }
}

/// A selector that nobody manages by hand is the one that was generated, and so are the labels.
fn generated_selector(errors: &mut Errors, job: &Value, spec: &Value, path: &Path) {
    if boolean(spec, "manualSelector") || !has(spec, "selector") {
        return;
    }
    let labels = part(spec, "template.metadata.labels");
    let labels_path = path.child("template").child("metadata").child("labels");
    let generated = [
        (LEGACY.0, meta::uid(job)),
        (LEGACY.1, meta::name(job)),
        (CONTROLLER_UID, meta::uid(job)),
        (JOB_NAME, meta::name(job)),
    ];
    for (label, expected) in generated {
        let (path, detail) = (labels_path.key(label), format!("must be '{expected}'"));
        match labels.get(label).and_then(Value::as_str) {
            None => errors.required(&path, &detail),
            Some(found) if found != expected => errors.invalid(&path, &labels, &detail),
            Some(_) => {}
        }
    }
    let all: Map<String, Value> = generated.iter().map(|(label, value)| (label.to_string(), json!(value))).collect();
    let object = json!({ "metadata": { "labels": all } });
    let selector = part(spec, "selector");
    if LabelSelector::from_value(Some(&selector)).is_ok_and(|parsed| !parsed.matches_object(&object)) {
        errors.invalid(&path.child("selector"), &selector, "`selector` not auto-generated");
    }
}

fn selector(errors: &mut Errors, spec: &Value, path: &Path) {
    let selector = part(spec, "selector");
    if selector.is_null() {
        errors.required(&path.child("selector"), "");
    } else {
        workload::selector_errors(errors, &selector, &path.child("selector"));
    }
    // A selector that is missing selects nothing.
    let matches = LabelSelector::from_value(Some(&selector)).map(|s| s.matches_object(&part(spec, "template")));
    if selector.is_null() || matches.is_ok_and(|matches| !matches) {
        let path = path.child("template").child("metadata").child("labels");
        let labels = part(spec, "template.metadata.labels");
        errors.invalid(&path, &labels, "`selector` does not match template `labels`");
    }
}

pub(super) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    let (spec, before) = (part(new, "spec"), part(old, "spec"));
    completions(&mut errors, &spec, &before, &path.child("completions"));
    errors.fixed(&path, &spec, &before, &["selector"]);
    let mut template = part(&spec, "template");
    if boolean(old, "spec.suspend") && (!has(old, "status.startTime") || integer(old, "status.active") == 0) {
        while_suspended(&mut template, &part(&before, "template"));
    }
    if !same(&template, &part(&before, "template")) {
        errors.invalid(&path.child("template"), &part(&spec, "template"), crate::metadata::IMMUTABLE);
    }
    let others = ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"];
    errors.fixed(&path, &spec, &before, &others);
    errors.0
}

/// An indexed job can grow and shrink if completions and parallelism go together (KEP-3715).
fn completions(errors: &mut Errors, new: &Value, old: &Value, path: &Path) {
    let (now, before) = (part(new, "completions"), part(old, "completions"));
    if now == before {
        return;
    }
    if text(new, "completionMode") != "Indexed" {
        errors.invalid(path, &now, crate::metadata::IMMUTABLE);
    } else if !now.is_null() && now != part(new, "parallelism") {
        errors.invalid(path, &now, "can only be modified in tandem with spec.parallelism");
    }
}

/// What can still change while a job has no pods: where they go (KEP-2926) and what they get (KEP-5440). Takes those
/// fields from the old template.
fn while_suspended(template: &mut Value, old: &Value) {
    for (section, fields) in [
        ("spec", &["nodeSelector", "tolerations", "schedulingGates"][..]),
        ("metadata", &["annotations", "labels"][..]),
    ] {
        let before = old.get(section).cloned().unwrap_or_default();
        if let Some(part) = template.get_mut(section) {
            fields.iter().for_each(|field| carry_over(part, &before, field));
        }
    }
    if let Some(affinity) = template.get_mut("spec").and_then(|spec| object(spec, "affinity")) {
        let before = part(old, "spec.affinity.nodeAffinity");
        affinity.insert("nodeAffinity".into(), before);
    }
    for list in ["containers", "initContainers"] {
        let before = part(old, &format!("spec.{list}"));
        let containers = template.get_mut("spec").into_iter().flat_map(|spec| items(spec, list));
        containers
            .zip(before.as_array().into_iter().flatten())
            .for_each(|(new, old)| carry_over(new, old, "resources"));
    }
}
