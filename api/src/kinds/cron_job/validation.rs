//! Validation of cron jobs.

use serde_json::Value;

use super::schedule;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::job;
use crate::kinds::json::{boolean, has, part, text};
use crate::{meta, metadata};

/// Jobs add a dash and ten digits to the name.
const NAME_LIMIT_BYTES: usize = 63 - 11;

pub(super) fn validate(cron_job: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(cron_job, "spec"));
    schedule(&mut errors, &spec, &path);
    errors.count(&path, &spec, "startingDeadlineSeconds");
    errors.choice(&path, &spec, "concurrencyPolicy", &["Allow", "Forbid", "Replace"]);
    let template_path = path.child("jobTemplate");
    let labels = part(&spec, "jobTemplate.metadata.labels");
    let labels_path = template_path.child("metadata").child("labels");
    errors.0.extend(metadata::labels(Some(&labels).filter(|l| l.is_object()), &labels_path));
    let (job_spec, spec_path) = (part(&spec, "jobTemplate.spec"), template_path.child("spec"));
    job::validate_spec(&mut errors, &job_spec, &spec_path, meta::name(cron_job));
    if boolean(&job_spec, "manualSelector") {
        let error = FieldError::not_supported(&spec_path.child("manualSelector"), &true.into(), &["nil", "false"]);
        errors.0.push(error);
    }
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        errors.count(&path, &spec, field);
    }
    if meta::name(cron_job).len() > NAME_LIMIT_BYTES {
        let path = Path::root("metadata").child("name");
        errors.invalid(&path, &meta::name(cron_job), &format!("must be no more than {NAME_LIMIT_BYTES} characters"));
    }
    errors.0
}

fn schedule(errors: &mut Errors, spec: &Value, path: &Path) {
    let (schedule, schedule_path) = (text(spec, "schedule"), path.child("schedule"));
    if schedule.is_empty() {
        errors.required(&schedule_path, "");
    } else {
        if let Some(error) = schedule::error(schedule) {
            errors.invalid(&schedule_path, &schedule, &error);
        }
        if schedule::names_a_zone(schedule) {
            let detail = if has(spec, "timeZone") {
                "cannot use both timeZone field and TZ or CRON_TZ in schedule"
            } else {
                "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            };
            errors.invalid(&schedule_path, &schedule, detail);
        }
    }
    if !has(spec, "timeZone") {
        return;
    }
    let (zone, zone_path) = (text(spec, "timeZone"), path.child("timeZone"));
    if zone.is_empty() {
        errors.invalid(&zone_path, &zone, "timeZone must be nil or non-empty string");
    } else if zone.eq_ignore_ascii_case("local") {
        let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.invalid(&zone_path, &zone, detail);
    } else if !schedule::is_time_zone(zone) {
        errors.invalid(&zone_path, &zone, &format!("unknown time zone {zone}"));
    }
}
