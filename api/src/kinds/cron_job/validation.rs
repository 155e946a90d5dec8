//! Validation of cron jobs.

use serde_json::Value;

use super::schedule;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::job;
use crate::kinds::json::{boolean, has, part, text};
use crate::meta;

/// Jobs add a dash and ten digits to the name.
const NAME_LIMIT_BYTES: usize = 63 - 11;

pub(super) fn validate(cron_job: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(cron_job, "spec"));
    schedule(&mut errors, &spec, &path.child("schedule"));
    errors.count(&path, &spec, "startingDeadlineSeconds");
    time_zone(&mut errors, &spec, &path.child("timeZone"));
    errors.choice(&path, &spec, "concurrencyPolicy", &["Allow", "Forbid", "Replace"]);
    let (job_spec, spec_path) = (part(&spec, "jobTemplate.spec"), path.child("jobTemplate").child("spec"));
    job::validate_spec(&mut errors, &job_spec, &spec_path);
    if has(&job_spec, "selector") {
        let detail = "`selector` will be auto-generated";
        errors.invalid(&spec_path.child("selector"), &part(&job_spec, "selector"), detail);
    }
    if boolean(&job_spec, "manualSelector") {
        let error = FieldError::not_supported(&spec_path.child("manualSelector"), &true.into(), &["nil", "false"]);
        errors.0.push(error);
    }
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        errors.count(&path, &spec, field);
    }
    errors.0
}

/// Jobs that the controller makes must get names.
pub(super) fn name(cron_job: &Value) -> Vec<FieldError> {
    let (mut errors, name) = (Errors::default(), meta::name(cron_job));
    if name.len() > NAME_LIMIT_BYTES {
        let detail = format!("must be no more than {NAME_LIMIT_BYTES} characters");
        errors.invalid(&Path::root("metadata").child("name"), &name, &detail);
    }
    errors.0
}

fn schedule(errors: &mut Errors, spec: &Value, path: &Path) {
    let schedule = text(spec, "schedule");
    if schedule.is_empty() {
        return errors.required(path, "");
    }
    if let Some(error) = schedule::error(schedule) {
        errors.invalid(path, &schedule, &error);
    }
    if schedule::names_a_zone(schedule) {
        errors.invalid(path, &schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    }
}

fn time_zone(errors: &mut Errors, spec: &Value, path: &Path) {
    if !has(spec, "timeZone") {
        return;
    }
    let zone = text(spec, "timeZone");
    if zone.is_empty() {
        errors.invalid(path, &zone, "timeZone must be nil or non-empty string");
    } else if zone.eq_ignore_ascii_case("local") {
        let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.invalid(path, &zone, detail);
    } else if !schedule::is_time_zone(zone) {
        errors.invalid(path, &zone, &format!("unknown time zone {zone}"));
    }
}
