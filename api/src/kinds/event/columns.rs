//! `kubectl get events`.

use serde_json::{Value, json};

use crate::catalog::{Column, RowCells};
use crate::duration;
use crate::kinds::json::{has, integer, text};
use crate::kinds::table::{NAME, column, wide};
use crate::meta;

/// `Name` is one of these: events are read by what happened, not by their names.
pub(super) const COLUMNS: &[Column] = &[
    column("Last Seen", "The time at which the most recent occurrence of this event was recorded."),
    column("Type", "Type of this event (Normal, Warning), new types could be added in the future"),
    column(
        "Reason",
        "This should be a short, machine understandable string that gives the reason for the transition into the \
         object's current status.",
    ),
    column("Object", "The object that this event is about."),
    wide(
        "Subobject",
        "If referring to a piece of an object instead of an entire object, this string should contain a valid JSON/Go \
         field access statement, such as desiredState.manifest.containers[2].",
    ),
    wide("Source", "The component reporting this event. Should be a short machine understandable string."),
    column("Message", "A human-readable description of the status of this operation."),
    wide("First Seen", "The time at which the event was first recorded. (Time of server receipt is in TypeMeta.)"),
    wide("Count", "The number of times this event has occurred."),
    Column { priority: 1, ..NAME },
];

/// One row for an event in its `v1` form.
pub(super) fn cells(event: &Value, now_seconds: i64) -> RowCells {
    let age = |path: &str| {
        let moment = text(event, path);
        (!moment.is_empty()).then(|| duration::age(Some(moment), now_seconds))
    };
    let unknown = || duration::UNKNOWN.to_string();
    let first_seen = age("firstTimestamp").or_else(|| age("eventTime")).unwrap_or_else(unknown);
    let (last_seen, count) = if has(event, "series") {
        (age("series.lastObservedTime").unwrap_or_else(unknown), integer(event, "series.count"))
    } else {
        (age("lastTimestamp").unwrap_or_else(|| first_seen.clone()), integer(event, "count").max(1))
    };
    let cells = vec![
        json!(last_seen),
        json!(text(event, "type")),
        json!(text(event, "reason")),
        json!(target(event)),
        json!(text(event, "involvedObject.fieldPath")),
        json!(source(event)),
        json!(text(event, "message").trim()),
        json!(first_seen),
        json!(count),
        json!(meta::name(event)),
    ];
    RowCells { cells }
}

fn target(event: &Value) -> String {
    let kind = text(event, "involvedObject.kind").to_lowercase();
    match text(event, "involvedObject.name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

fn source(event: &Value) -> String {
    let first = |a: &str, b: &str| if text(event, a).is_empty() { text(event, b) } else { text(event, a) }.to_string();
    let component = first("source.component", "reportingComponent");
    match first("source.host", "reportingInstance") {
        instance if instance.is_empty() => component,
        instance => format!("{component}, {instance}"),
    }
}
