//! Rules of jobs.

mod columns;
mod indexes;
mod policies;
mod prepare;
mod status;
mod validation;

use serde_json::{Map, Value, json};

use super::json::{carry_over, has, integer, items, sections, set_default, set_if_zero};
use super::{pod, warnings};
use crate::catalog::Rules;
use crate::names;
use crate::selector::FieldSelectorError;

pub(super) use validation::validate_spec;

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create: prepare::create,
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate: validation::validate,
    validate_update: validation::validate_update,
    validate_status: status::validate,
    warnings: |job| {
        let mut found = warnings::of_name(job, "Pod names and hostnames");
        found.extend(warnings::of_job_spec(job, "spec"));
        found
    },
    name_errors: names::subdomain_name,
    selectable: &[("status.successful", |job| integer(job, "status.succeeded").to_string())],
    unknown_label: |label| {
        FieldSelectorError::UnsupportedHere(format!("field label {label:?} not supported for batchv1.Job"))
    },
    columns: columns::COLUMNS,
    cells: columns::cells,
    ..Rules::GENERIC
};

/// Retries of a job that limits them per index instead.
const UNLIMITED_RETRIES: i64 = i32::MAX as i64;

fn defaults(job: &mut Value) {
    sections(job, &["spec", "template", "spec"]);
    let Some(spec) = job.get_mut("spec").filter(|s| s.is_object()) else { return };
    spec.get_mut("template").into_iter().for_each(pod::template_defaults);
    let (per_index, policy) = (has(spec, "backoffLimitPerIndex"), has(spec, "podFailurePolicy"));
    condition_defaults(spec);
    let labels = spec.pointer("/template/metadata/labels").cloned();
    let Some(map) = spec.as_object_mut() else { return };
    let counts = |key: &str| map.get(key).is_some_and(|v| !v.is_null());
    if !counts("completions") && !counts("parallelism") {
        set_default(map, "completions", 1);
    }
    set_default(map, "parallelism", 1);
    set_default(map, "backoffLimit", if per_index { UNLIMITED_RETRIES } else { 6 });
    set_default(map, "completionMode", "NonIndexed");
    set_default(map, "suspend", false);
    set_default(map, "manualSelector", false);
    set_default(map, "podReplacementPolicy", if policy { "Failed" } else { "TerminatingOrFailed" });
    prepare::inherit_labels(job, labels);
    if let Some(map) = job.as_object_mut() {
        set_default(map, "status", json!(Map::new()));
    }
}

/// Conditions that a failure policy looks for are true unless it says otherwise.
pub(super) fn condition_defaults(spec: &mut Value) {
    if let Some(failure_policy) = spec.get_mut("podFailurePolicy") {
        items(failure_policy, "rules").for_each(|rule| {
            items(rule, "onPodConditions").filter_map(Value::as_object_mut).for_each(|condition| {
                set_if_zero(condition, "status", "True");
            });
        });
    }
}
