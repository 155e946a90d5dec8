//! `kubectl get cronjobs`.

use serde_json::{Value, json};

use crate::catalog::{Column, RowCells};
use crate::duration;
use crate::kinds::json::{has, list, part, text};
use crate::kinds::table::{
    AGE, CONTAINERS, IMAGES, NONE, age, column, flag, number, of_containers_at, or_none, selector, wide,
};

const TEMPLATE: &str = "spec.jobTemplate.spec.template.spec.containers";

pub(super) const COLUMNS: &[Column] = &[
    column("Schedule", "The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron."),
    column(
        "Timezone",
        "The time zone name for the given schedule, see \
             https://en.wikipedia.org/wiki/List_of_tz_database_time_zones. If not specified, this will default to \
             the time zone of the kube-controller-manager process. The set of valid time zone names and the time \
             zone offset is loaded from the system-wide time zone database by the API server during CronJob \
             validation and the controller manager during execution. If no system-wide time zone database can be \
             found a bundled version of the database is used instead. If the time zone name becomes invalid during \
             the lifetime of a CronJob or due to a change in host configuration, the controller will stop creating \
             new new Jobs and will create a system event with the reason UnknownTimeZone. More information can be \
             found in https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones",
    ),
    flag(
        "Suspend",
        "This flag tells the controller to suspend subsequent executions, it does not apply to already started \
             executions.  Defaults to false.",
    ),
    number("Active", "A list of pointers to currently running jobs."),
    column("Last Schedule", "Information when was the last time the job was successfully scheduled."),
    AGE,
    CONTAINERS,
    IMAGES,
    wide(
        "Selector",
        "A label query over pods that should match the pod count. Normally, the system sets this field for you. \
             More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
];

pub(super) fn cells(job: &Value, now_seconds: i64) -> RowCells {
    let last = text(job, "status.lastScheduleTime");
    let last = if last.is_empty() { NONE.to_string() } else { duration::age(Some(last), now_seconds) };
    let suspend = match part(job, "spec.suspend").as_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    let zone = if has(job, "spec.timeZone") { text(job, "spec.timeZone") } else { "" };
    let cells = vec![
        json!(text(job, "spec.schedule")),
        or_none(zone),
        json!(suspend),
        json!(list(job, "status.active").len()),
        json!(last),
        age(job, now_seconds),
        of_containers_at(job, TEMPLATE, "name"),
        of_containers_at(job, TEMPLATE, "image"),
        selector(job.pointer("/spec/jobTemplate/spec/selector")),
    ];
    RowCells { cells }
}
