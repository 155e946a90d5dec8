//! `kubectl get horizontalpodautoscalers`.

use serde_json::{Value, json};

use super::metrics::field_of;
use crate::catalog::{Column, RowCells};
use crate::kinds::json::{has, integer, list, part, text};
use crate::kinds::table::{AGE, NONE, age, column};

/// Metrics that a cell shows before it counts the rest.
const SHOWN: usize = 2;

pub(super) const COLUMNS: &[Column] = &[
    column(
        "Reference",
        "scaleTargetRef points to the target resource to scale, and is used to the pods for which metrics \
             should be collected, as well as to actually change the replica count.",
    ),
    column(
        "Targets",
        "metrics contains the specifications for which to use to calculate the desired replica count (the \
             maximum replica count across all metrics will be used).  The desired replica count is calculated \
             multiplying the ratio between the target value and the current value by the current number of pods.  \
             Ergo, metrics used must decrease as the pod count is increased, and vice-versa.  See the individual \
             metric source types for more information about how each type of metric must respond. If not set, the \
             default metric will be set to 80% average CPU utilization.",
    ),
    column(
        "MinPods",
        "minReplicas is the lower limit for the number of replicas to which the autoscaler can scale down.  It \
             defaults to 1 pod.  minReplicas is allowed to be 0 if the alpha feature gate HPAScaleToZero is enabled \
             and at least one Object or External metric is configured.  Scaling is active as long as at least one \
             metric value is available.",
    ),
    column(
        "MaxPods",
        "maxReplicas is the upper limit for the number of replicas to which the autoscaler can scale up. It \
             cannot be less that minReplicas.",
    ),
    column(
        "Replicas",
        "currentReplicas is current number of replicas of pods managed by this autoscaler, as last seen by the \
             autoscaler.",
    ),
    AGE,
];

pub(super) fn cells(autoscaler: &Value, now_seconds: i64) -> RowCells {
    let target =
        format!("{}/{}", text(autoscaler, "spec.scaleTargetRef.kind"), text(autoscaler, "spec.scaleTargetRef.name"));
    let min = if has(autoscaler, "spec.minReplicas") {
        integer(autoscaler, "spec.minReplicas").to_string()
    } else {
        "<unset>".to_string()
    };
    let cells = vec![
        json!(target),
        json!(metrics(autoscaler)),
        json!(min),
        json!(integer(autoscaler, "spec.maxReplicas")),
        json!(integer(autoscaler, "status.currentReplicas")),
        age(autoscaler, now_seconds),
    ];
    RowCells { cells }
}

fn metrics(autoscaler: &Value) -> String {
    let (wanted, seen) = (list(autoscaler, "spec.metrics"), list(autoscaler, "status.currentMetrics"));
    if wanted.is_empty() {
        return NONE.to_string();
    }
    let shown: Vec<String> =
        wanted.iter().take(SHOWN).enumerate().map(|(index, metric)| one(metric, seen.get(index))).collect();
    match wanted.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} + {more} more...", shown.join(", ")),
    }
}

/// `cpu: 30%/80%`, `100m/500m (avg)`
fn one(metric: &Value, seen: Option<&Value>) -> String {
    let Some(field) = field_of(metric) else { return "<unknown type>".to_string() };
    let source = part(metric, field);
    let current = |value: &str| seen.map(|s| part(s, &format!("{field}.current.{value}"))).unwrap_or_default();
    let or_unknown = |value: Value| value.as_str().map_or_else(|| "<unknown>".to_string(), str::to_string);
    let average = text(&source, "target.averageValue");
    match field {
        "pods" => format!("{}/{average}", or_unknown(current("averageValue"))),
        "object" | "external" if !average.is_empty() => {
            format!("{}/{average} (avg)", or_unknown(current("averageValue")))
        }
        "object" | "external" => format!("{}/{}", or_unknown(current("value")), text(&source, "target.value")),
        _ if !average.is_empty() => {
            format!("{}: {}/{average}", text(&source, "name"), or_unknown(current("averageValue")))
        }
        _ => {
            let percent = |value: Value, other: &str| value.as_i64().map_or(other.to_string(), |p| format!("{p}%"));
            let seen = percent(current("averageUtilization"), "<unknown>");
            let wanted = percent(part(&source, "target.averageUtilization"), "<auto>");
            format!("{}: {seen}/{wanted}", text(&source, "name"))
        }
    }
}
