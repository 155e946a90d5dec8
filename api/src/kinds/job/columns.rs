//! `kubectl get jobs`.

use serde_json::{Value, json};

use crate::catalog::{Column, RowCells};
use crate::duration;
use crate::kinds::json::{has, integer, list, text};
use crate::kinds::table::{AGE, CONTAINERS, IMAGES, age, column, of_containers, selector, wide};

pub(super) const COLUMNS: &[Column] = &[
    column("Status", "Status of the job."),
    column("Completions", "The number of pods which reached phase Succeeded."),
    column("Duration", "Time required to complete the job."),
    AGE,
    CONTAINERS,
    IMAGES,
    wide(
        "Selector",
        "A label query over pods that should match the pod count. Normally, the system sets this field for you. More \
         info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
];

pub(super) fn cells(job: &Value, now_seconds: i64) -> RowCells {
    let cells = vec![
        json!(status(job)),
        json!(completions(job)),
        json!(took(job, now_seconds)),
        age(job, now_seconds),
        of_containers(job, "name"),
        of_containers(job, "image"),
        selector(job.pointer("/spec/selector")),
    ];
    RowCells { cells }
}

fn status(job: &Value) -> &'static str {
    let is = |kind: &str| {
        let met = |c: &Value| text(c, "type") == kind && text(c, "status") == "True";
        list(job, "status.conditions").iter().any(met)
    };
    let ended = ["Complete", "Failed"].into_iter().find(|kind| is(kind));
    let deleting = has(job, "metadata.deletionTimestamp").then_some("Terminating");
    let pending = || ["Suspended", "FailureTarget", "SuccessCriteriaMet"].into_iter().find(|kind| is(kind));
    ended.or(deleting).or_else(pending).unwrap_or("Running")
}

fn completions(job: &Value) -> String {
    let (succeeded, parallelism) = (integer(job, "status.succeeded"), integer(job, "spec.parallelism"));
    if has(job, "spec.completions") {
        format!("{succeeded}/{}", integer(job, "spec.completions"))
    } else if parallelism > 1 {
        format!("{succeeded}/1 of {parallelism}")
    } else {
        format!("{succeeded}/1")
    }
}

fn took(job: &Value, now_seconds: i64) -> String {
    let Some(start) = duration::unix_seconds(text(job, "status.startTime")) else { return String::new() };
    let end = duration::unix_seconds(text(job, "status.completionTime")).unwrap_or(now_seconds);
    duration::human(end - start)
}
