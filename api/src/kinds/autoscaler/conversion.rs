//! Between the versions of horizontal pod autoscalers (`pkg/apis/autoscaling/v1/conversion.go`).

use serde_json::{Value, json};

use super::{cpu_metric, metrics};
use crate::kinds::json::{has, list, object, part, text};
use crate::meta;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// The CPU use in percent that a metric aims at or has seen.
fn cpu_percent(metric: &Value, part: &str) -> Option<Value> {
    let resource = metric.get("resource").filter(|r| text(r, "name") == "cpu")?;
    resource.get(part)?.get("averageUtilization").filter(|v| !v.is_null()).cloned()
}

/// Takes the CPU metric out of a list: its percentage, and what is left.
fn split(all: &[Value], part: &str) -> (Option<Value>, Vec<Value>) {
    let position = all.iter().position(|metric| cpu_percent(metric, part).is_some());
    let percent = position.and_then(|index| cpu_percent(&all[index], part));
    let rest = all.iter().enumerate().filter(|(index, _)| Some(*index) != position).map(|(_, m)| m.clone());
    (percent, rest.collect())
}

fn take(object: &mut Value, section: &str, field: &str) -> Value {
    object.get_mut(section).and_then(Value::as_object_mut).and_then(|s| s.remove(field)).unwrap_or_default()
}

fn annotate(autoscaler: &mut Value, annotation: &str, value: &Value) {
    meta::metadata_mut(autoscaler);
    if let Some(annotations) = autoscaler.get_mut("metadata").and_then(|m| object(m, "annotations")) {
        annotations.insert(annotation.into(), json!(value.to_string()));
    }
}

/// What an annotation says, and no longer says it. One that is no JSON says nothing.
fn read(autoscaler: &mut Value, annotation: &str) -> Option<Value> {
    let annotations = autoscaler.get_mut("metadata")?.get_mut("annotations")?.as_object_mut()?;
    let text = annotations.remove(annotation)?;
    if annotations.is_empty() {
        autoscaler["metadata"].as_object_mut()?.remove("annotations");
    }
    serde_json::from_str(text.as_str()?).ok()
}

/// From the stored form, `autoscaling/v2`, to `autoscaling/v1`.
pub fn from_v2(mut autoscaler: Value) -> Value {
    if !autoscaler.is_object() {
        return autoscaler;
    }
    autoscaler["apiVersion"] = json!("autoscaling/v1");
    let (percent, rest) = split(list(&autoscaler, "spec.metrics"), "target");
    let behavior = take(&mut autoscaler, "spec", "behavior");
    take(&mut autoscaler, "spec", "metrics");
    if let Some(percent) = percent {
        autoscaler["spec"]["targetCPUUtilizationPercentage"] = percent;
    }
    if !rest.is_empty() {
        annotate(&mut autoscaler, METRICS, &rest.iter().map(metrics::flatten).collect());
    }
    if !behavior.is_null() {
        annotate(&mut autoscaler, BEHAVIOR, &behavior);
    }
    let current = list(&autoscaler, "status.currentMetrics").to_vec();
    take(&mut autoscaler, "status", "currentMetrics");
    if let Some(percent) = current.iter().find_map(|metric| cpu_percent(metric, "current")) {
        autoscaler["status"]["currentCPUUtilizationPercentage"] = percent;
    }
    if !current.is_empty() {
        annotate(&mut autoscaler, CURRENT_METRICS, &current.iter().map(metrics::flatten).collect());
    }
    let conditions = take(&mut autoscaler, "status", "conditions");
    if conditions.as_array().is_some_and(|all| !all.is_empty()) {
        annotate(&mut autoscaler, CONDITIONS, &conditions);
    }
    if let Some(status) = autoscaler.get_mut("status").and_then(Value::as_object_mut) {
        crate::kinds::json::set_default(status, "currentReplicas", 0);
    }
    autoscaler
}

/// From `autoscaling/v1` to the stored form, `autoscaling/v2`.
pub fn to_v2(mut autoscaler: Value) -> Value {
    if !autoscaler.is_object() {
        return autoscaler;
    }
    autoscaler["apiVersion"] = json!("autoscaling/v2");
    let nested = |value: Option<Value>| -> Vec<Value> {
        value.iter().filter_map(Value::as_array).flatten().map(metrics::nest).collect()
    };
    let mut wanted = nested(read(&mut autoscaler, METRICS));
    let percent = take(&mut autoscaler, "spec", "targetCPUUtilizationPercentage");
    if let Some(percent) = percent.as_i64() {
        wanted.push(cpu_metric(percent));
    }
    if !wanted.is_empty() && has(&autoscaler, "spec") && part(&autoscaler, "spec").is_object() {
        autoscaler["spec"]["metrics"] = wanted.into();
    }
    let behavior = read(&mut autoscaler, BEHAVIOR);
    let current = nested(read(&mut autoscaler, CURRENT_METRICS));
    let conditions = read(&mut autoscaler, CONDITIONS);
    take(&mut autoscaler, "status", "currentCPUUtilizationPercentage");
    let mut set = |section: &str, field: &str, value: Option<Value>| {
        if let (Some(value), Some(map)) = (value, autoscaler.get_mut(section).and_then(Value::as_object_mut)) {
            map.insert(field.into(), value);
        }
    };
    set("spec", "behavior", behavior);
    set("status", "currentMetrics", (!current.is_empty()).then(|| current.into()));
    set("status", "conditions", conditions);
    autoscaler
}
