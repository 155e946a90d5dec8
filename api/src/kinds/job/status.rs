//! What a job's status may become: whoever runs the job, it ends once, and what it counted is not uncounted (KEP-4368).

use std::collections::BTreeSet;

use serde_json::Value;

use super::indexes;
use crate::duration::unix_seconds;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{boolean, has, integer, list, part, text, texts};

/// Conditions that stay once they are true.
const FINAL: [&str; 3] = ["Failed", "Complete", "FailureTarget"];

/// The status before and after, and where errors about it belong.
struct Change<'a> {
    new: &'a Value,
    old: &'a Value,
    path: Path,
}

/// All errors in a write to the status.
pub(super) fn validate(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let change = Change { new, old, path: Path::root("status") };
    counts(&mut errors, &change);
    completion(&mut errors, &change);
    finished(&mut errors, &change);
    completed_indexes(&mut errors, &change);
    late(&mut errors, &change);
    success_criteria(&mut errors, &change);
    kept(&mut errors, &change);
    errors.0
}

fn is(job: &Value, kind: &str) -> bool {
    list(job, "status.conditions").iter().any(|c| text(c, "type") == kind && text(c, "status") == "True")
}

fn is_finished(job: &Value) -> bool {
    is(job, "Complete") || is(job, "Failed")
}

impl Change<'_> {
    fn at(&self, field: &str) -> Path {
        self.path.child(field)
    }

    fn value(&self, field: &str) -> Value {
        part(self.new, &format!("status.{field}"))
    }

    fn number(&self, field: &str) -> i64 {
        integer(self.new, &format!("status.{field}"))
    }

    fn has(&self, field: &str) -> bool {
        has(self.new, &format!("status.{field}"))
    }

    fn field_changed(&self, field: &str) -> bool {
        self.value(field) != part(self.old, &format!("status.{field}"))
    }

    fn condition_changed(&self, kind: &str) -> bool {
        is(self.new, kind) != is(self.old, kind)
    }

    fn ended(&self) -> bool {
        is_finished(self.new) != is_finished(self.old)
    }
}

fn counts(errors: &mut Errors, change: &Change<'_>) {
    for field in ["active", "succeeded", "failed", "ready", "terminating"] {
        errors.not_negative(&change.at(field), Some(change.number(field)));
    }
    let mut seen = BTreeSet::new();
    for field in ["succeeded", "failed"] {
        let path = change.at("uncountedTerminatedPods").child(field);
        for (index, uid) in texts(change.new, &format!("status.uncountedTerminatedPods.{field}")).iter().enumerate() {
            if uid.is_empty() {
                errors.invalid(&path.index(index), uid, "must not be empty");
            } else if !seen.insert(*uid) {
                errors.duplicate(&path.index(index), uid);
            }
        }
    }
}

fn completion(errors: &mut Errors, change: &Change<'_>) {
    let is = |kind| is(change.new, kind);
    let conditions = change.at("conditions");
    let changed = |kinds: [&str; 2]| kinds.into_iter().any(|kind| change.condition_changed(kind));
    if changed(["Complete", "Failed"]) && is("Complete") && is("Failed") {
        errors.bare(&conditions, "cannot set Complete=True and Failed=true conditions");
    }
    if changed(["Complete", "FailureTarget"]) && is("Complete") && is("FailureTarget") {
        errors.bare(&conditions, "cannot set Complete=True and FailureTarget=true conditions");
    }
    let (path, time) = (change.at("completionTime"), change.value("completionTime"));
    if change.condition_changed("Complete") || change.field_changed("completionTime") {
        match (time.is_null(), is("Complete")) {
            (false, false) => {
                let detail = "cannot set completionTime when there is no Complete=True condition";
                errors.invalid(&path, &time, detail);
            }
            (true, true) => errors.required(&path, "completionTime is required for Complete jobs"),
            _ => {}
        }
    }
    if change.field_changed("startTime") || change.field_changed("completionTime") {
        let moment = |field: &str| unix_seconds(text(change.new, &format!("status.{field}")));
        if moment("completionTime").zip(moment("startTime")).is_some_and(|(end, start)| end < start) {
            errors.invalid(&path, &time, "completionTime cannot be set before startTime");
        }
    }
    if changed(["Failed", "FailureTarget"]) && is("Failed") && !is("FailureTarget") {
        errors.bare(&conditions, "cannot set Failed=True condition without the FailureTarget=true condition");
    }
    if changed(["Complete", "SuccessCriteriaMet"]) && is("Complete") && !is("SuccessCriteriaMet") {
        errors.bare(&conditions, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition");
    }
}

/// A job that is over has nothing left to do or to count.
fn finished(errors: &mut Errors, change: &Change<'_>) {
    if !is_finished(change.new) {
        return;
    }
    let concerns = |field: &str| change.ended() || change.field_changed(field);
    if concerns("active") && change.number("active") > 0 {
        errors.invalid(&change.at("active"), &change.number("active"), "active>0 is invalid for finished job");
    }
    if concerns("startTime") && !change.has("startTime") {
        errors.required(&change.at("startTime"), "startTime is required for finished job");
    }
    let uncounted = change.value("uncountedTerminatedPods");
    let some = ["succeeded", "failed"].iter().any(|field| !list(&uncounted, field).is_empty());
    if concerns("uncountedTerminatedPods") && some {
        let detail = "uncountedTerminatedPods needs to be empty for finished job";
        errors.invalid(&change.at("uncountedTerminatedPods"), &uncounted, detail);
    }
}

fn completed_indexes(errors: &mut Errors, change: &Change<'_>) {
    let (completed, failed) = (change.value("completedIndexes"), change.value("failedIndexes"));
    let text_of = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let completions = has(change.new, "spec.completions").then(|| integer(change.new, "spec.completions"));
    let per_index = has(change.new, "spec.backoffLimitPerIndex");
    let read = |value: &Value| completions.map(|completions| indexes::read(&text_of(value), completions));
    let (completed_changed, failed_changed) =
        (change.field_changed("completedIndexes"), change.field_changed("failedIndexes"));
    if let Some(Err(error)) = read(&completed).filter(|_| completed_changed) {
        let detail = format!("error parsing completedIndexes: {error}");
        errors.invalid(&change.at("completedIndexes"), &completed, &detail);
    }
    if let Some(Err(error)) = read(&failed).filter(|_| failed_changed && per_index) {
        errors.invalid(&change.at("failedIndexes"), &failed, &format!("error parsing failedIndexes: {error}"));
    }
    if completed_changed && !text_of(&completed).is_empty() && text(change.new, "spec.completionMode") != "Indexed" {
        let detail = "cannot set non-empty completedIndexes when non-indexed completion mode";
        errors.invalid(&change.at("completedIndexes"), &completed, detail);
    }
    if failed_changed && !failed.is_null() && !per_index {
        let detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
        errors.invalid(&change.at("failedIndexes"), &failed, detail);
    }
    if (completed_changed || failed_changed)
        && let (Some(Ok(completed)), Some(Ok(parsed))) = (read(&completed), read(&failed))
        && let Some(index) = indexes::overlap(&completed, &parsed)
    {
        let detail = format!("failedIndexes and completedIndexes overlap at index: {index}");
        errors.invalid(&change.at("failedIndexes"), &failed, &detail);
    }
}

fn late(errors: &mut Errors, change: &Change<'_>) {
    let (terminating, ready) = (change.number("terminating"), change.number("ready"));
    let concerns = change.ended() || change.field_changed("terminating");
    if concerns && terminating > 0 && is_finished(change.new) {
        errors.invalid(&change.at("terminating"), &terminating, "terminating>0 is invalid for finished job");
    }
    if (change.field_changed("ready") || change.field_changed("active")) && ready > change.number("active") {
        errors.invalid(&change.at("ready"), &ready, "cannot set more ready pods than active");
    }
}

fn success_criteria(errors: &mut Errors, change: &Change<'_>) {
    let is = |kind| is(change.new, kind);
    let conditions = change.at("conditions");
    if is("SuccessCriteriaMet") {
        if is("Failed") {
            errors.bare(&conditions, "cannot set SuccessCriteriaMet=True and Failed=true conditions");
        }
        if is("FailureTarget") {
            errors.bare(&conditions, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions");
        }
    } else if has(change.new, "spec.successPolicy") && is("Complete") {
        let detail = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True";
        errors.bare(&conditions, detail);
    }
}

/// What a job has become, it stays.
fn kept(errors: &mut Errors, change: &Change<'_>) {
    let (had, has_now) = (|kind| is(change.old, kind), |kind| is(change.new, kind));
    let conditions = change.at("conditions");
    for kind in FINAL.into_iter().filter(|kind| had(kind) && !has_now(kind)) {
        errors.bare(&conditions, &format!("cannot disable the terminal {kind}=True condition"));
    }
    let spec = |field: &str| part(change.new, &format!("spec.{field}"));
    // An indexed job that shrinks forgets the indexes that it no longer has.
    let elastic = spec("completionMode") == "Indexed" && spec("completions") == spec("parallelism");
    for (field, frozen) in [("failed", true), ("succeeded", !elastic)] {
        if frozen && change.number(field) < integer(change.old, &format!("status.{field}")) {
            errors.invalid(&change.at(field), &change.number(field), &format!("cannot decrease the {field} counter"));
        }
    }
    let before = |field: &str| part(change.old, &format!("status.{field}"));
    let time = change.value("completionTime");
    if !time.is_null() && !before("completionTime").is_null() && change.field_changed("completionTime") {
        errors.invalid(&change.at("completionTime"), &time, "completionTime cannot be mutated");
    }
    if !before("startTime").is_null() && change.field_changed("startTime") && !boolean(change.new, "spec.suspend") {
        errors.required(&change.at("startTime"), "startTime cannot be removed for unsuspended job");
    }
    if had("SuccessCriteriaMet") && !has_now("SuccessCriteriaMet") {
        errors.bare(&conditions, "cannot disable the SuccessCriteriaMet=True condition");
    }
    if had("Complete") && !had("SuccessCriteriaMet") && has_now("SuccessCriteriaMet") {
        let detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
        errors.bare(&conditions, detail);
    }
}
