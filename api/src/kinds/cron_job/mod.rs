//! Rules of cron jobs.

mod columns;
mod schedule;
mod validation;

use serde_json::{Map, Value};

use super::json::{carry_over, sections, set_default, set_if_zero};
use super::{job, pod, warnings};
use crate::catalog::Rules;
use crate::names;

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create: |job| job["status"] = Value::Object(Map::new()),
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate: validation::validate,
    validate_new: validation::name,
    warnings: |job| {
        let mut found = warnings::of_name(job, "Pod names and hostnames");
        found.extend(warnings::of_job_spec(job, "spec.jobTemplate.spec"));
        found
    },
    name_errors: names::subdomain_name,
    columns: columns::COLUMNS,
    cells: columns::cells,
    ..Rules::GENERIC
};

fn defaults(job: &mut Value) {
    sections(job, &["spec", "jobTemplate", "spec", "template", "spec"]);
    if let Some(template) = job.pointer_mut("/spec/jobTemplate/spec/template") {
        pod::template_defaults(template);
    }
    if let Some(spec) = job.pointer_mut("/spec/jobTemplate/spec") {
        job::condition_defaults(spec);
    }
    if let Some(spec) = job.get_mut("spec").and_then(Value::as_object_mut) {
        set_if_zero(spec, "concurrencyPolicy", "Allow");
        set_default(spec, "suspend", false);
        set_default(spec, "successfulJobsHistoryLimit", 3);
        set_default(spec, "failedJobsHistoryLimit", 1);
    }
    if let Some(map) = job.as_object_mut() {
        set_default(map, "status", Map::new());
    }
}
