//! Validation of horizontal pod autoscalers (`pkg/apis/autoscaling/validation`).

use serde_json::Value;

use super::metrics::{TYPES, field_of};
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, NOT_NEGATIVE};
use crate::kinds::json::{has, integer, list, part, text};
use crate::names;
use crate::quantity::Quantity;

const MAX_STABILIZATION_SECONDS: i64 = 3600;
const MAX_PERIOD_SECONDS: i64 = 1800;
const EITHER: &str = "must set either a target value for metric or a per-pod target";

pub(super) fn validate(autoscaler: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(autoscaler, "spec"));
    let (min, max) = (integer(&spec, "minReplicas"), integer(&spec, "maxReplicas"));
    if has(&spec, "minReplicas") && min < 1 {
        errors.invalid(&path.child("minReplicas"), &min, "must be greater than or equal to 1");
    }
    if max < 1 {
        errors.invalid(&path.child("maxReplicas"), &max, "must be greater than 0");
    }
    if has(&spec, "minReplicas") && max < min {
        errors.invalid(&path.child("maxReplicas"), &max, "must be greater than or equal to `minReplicas`");
    }
    reference(&mut errors, &part(&spec, "scaleTargetRef"), &path.child("scaleTargetRef"));
    for (index, metric) in list(&spec, "metrics").iter().enumerate() {
        self::metric(&mut errors, metric, &path.child("metrics").index(index));
    }
    for direction in ["scaleUp", "scaleDown"] {
        let rules = part(&spec, &format!("behavior.{direction}"));
        if !rules.is_null() {
            behavior(&mut errors, &rules, &path.child("behavior").child(direction));
        }
    }
    errors.0
}

pub(super) fn validate_status(new: &Value, _: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, status) = (Path::root("status"), part(new, "status"));
    for field in ["currentReplicas", "desiredReplicas"] {
        errors.count(&path, &status, field);
    }
    errors.0
}

fn reference(errors: &mut Errors, reference: &Value, path: &Path) {
    for field in ["kind", "name"] {
        errors.required_name(&path.child(field), text(reference, field), names::path_segment);
    }
}

/// The version of an object that is referred to is one.
fn version(errors: &mut Errors, reference: &Value, path: &Path) {
    let version = text(reference, "apiVersion");
    if version.matches('/').count() > 1 {
        let detail = format!("unexpected GroupVersion string: {version}");
        errors.invalid(&path.child("apiVersion"), &version, &detail);
    }
}

/// What scales has a group, but for the one such kind of the core group. Older objects may lack it.
pub(super) fn target_group(autoscaler: &Value) -> Vec<FieldError> {
    let (mut errors, path) = (Errors::default(), Path::root("spec").child("scaleTargetRef"));
    let target = part(autoscaler, "spec.scaleTargetRef");
    version(&mut errors, &target, &path);
    let named = text(&target, "apiVersion");
    if !named.contains('/') && text(&target, "kind") != "ReplicationController" {
        errors.invalid(&path.child("apiVersion"), &named, "apiVersion must specify API group");
    }
    errors.0
}

/// The same for another target than before.
pub(super) fn new_target(new: &Value, old: &Value) -> Vec<FieldError> {
    let same = |field: &str| text(new, field) == text(old, field);
    let kept = same("spec.scaleTargetRef.kind") && same("spec.scaleTargetRef.apiVersion");
    if kept { Vec::new() } else { target_group(new) }
}

fn metric(errors: &mut Errors, metric: &Value, path: &Path) {
    let kind = text(metric, "type");
    if kind.is_empty() {
        errors.required(&path.child("type"), "must specify a metric source type");
    }
    errors.one_of_if_set(&path.child("type"), Some(kind), &TYPES.map(|(kind, _)| kind));
    let present: Vec<&str> = TYPES.iter().map(|(_, field)| *field).filter(|field| has(metric, field)).collect();
    if let Some(field) = present.first() {
        source(errors, field, &part(metric, field), &path.child(field));
    }
    let expected = field_of(metric);
    if let Some(expected) = expected.filter(|expected| !present.contains(expected)) {
        errors.required(&path.child(expected), "must populate information for the given metric source");
    }
    if present.len() > 1 {
        for field in present.into_iter().filter(|field| Some(*field) != expected) {
            errors.forbidden(&path.child(field), "must populate the given metric source only");
        }
    }
}

fn source(errors: &mut Errors, field: &str, source: &Value, path: &Path) {
    let target_path = path.child("target");
    let set = |field: &str| has(source, &format!("target.{field}"));
    if matches!(field, "object" | "pods" | "external") {
        let path = path.child("metric").child("name");
        match text(source, "metric.name") {
            "" => errors.required(&path, "must specify a metric name"),
            name => errors.named(&path, name, names::path_segment),
        }
    }
    errors.selector(&path.child("metric"), &part(source, "metric"), "selector");
    if matches!(field, "resource" | "containerResource") && text(source, "name").is_empty() {
        errors.required(&path.child("name"), "must specify a resource name");
    }
    if field == "containerResource" && text(source, "container").is_empty() {
        errors.required(&path.child("container"), "must specify a container");
    }
    if field == "object" {
        let object = part(source, "describedObject");
        reference(errors, &object, &path.child("describedObject"));
        version(errors, &object, &path.child("describedObject"));
    }
    target(errors, &part(source, "target"), &target_path);
    match field {
        "object" if !set("value") && !set("averageValue") => {
            errors.required(&target_path.child("averageValue"), EITHER);
        }
        "external" if set("value") && set("averageValue") => {
            let detail = "may not set both a target value for metric and a per-pod target";
            errors.forbidden(&target_path.child("value"), detail);
        }
        "external" if !set("value") && !set("averageValue") => {
            errors.required(&target_path.child("averageValue"), EITHER);
        }
        "pods" if !set("averageValue") => {
            errors.required(&target_path.child("averageValue"), "must specify a positive target averageValue");
        }
        "resource" | "containerResource" if set("averageUtilization") && set("averageValue") => {
            let detail = "may not set both a target raw value and a target utilization";
            errors.forbidden(&target_path.child("averageValue"), detail);
        }
        "resource" | "containerResource" if !set("averageUtilization") && !set("averageValue") => {
            let detail = "must set either a target raw value or a target utilization";
            errors.required(&target_path.child("averageUtilization"), detail);
        }
        _ => {}
    }
}

fn target(errors: &mut Errors, target: &Value, path: &Path) {
    match text(target, "type") {
        "" => errors.required(&path.child("type"), "must specify a metric target type"),
        "Utilization" | "Value" | "AverageValue" => {}
        other => errors.invalid(&path.child("type"), &other, "must be either Utilization, Value, or AverageValue"),
    }
    for field in ["value", "averageValue"] {
        let amount = part(target, field);
        if Quantity::from_value(&amount).is_some_and(|q| q.is_zero() || q.is_negative()) {
            errors.invalid(&path.child(field), &amount, "must be positive");
        }
    }
    let percent = integer(target, "averageUtilization");
    if has(target, "averageUtilization") && percent < 1 {
        errors.invalid(&path.child("averageUtilization"), &percent, "must be greater than 0");
    }
}

fn behavior(errors: &mut Errors, rules: &Value, path: &Path) {
    let window = integer(rules, "stabilizationWindowSeconds");
    let window_path = path.child("stabilizationWindowSeconds");
    if window < 0 {
        errors.invalid(&window_path, &window, "must be greater than or equal to zero");
    }
    if window > MAX_STABILIZATION_SECONDS {
        let detail = format!("must be less than or equal to {MAX_STABILIZATION_SECONDS}");
        errors.invalid(&window_path, &window, &detail);
    }
    let tolerance = part(rules, "tolerance");
    if Quantity::from_value(&tolerance).is_some_and(Quantity::is_negative) {
        errors.invalid(&path.child("tolerance"), &tolerance, NOT_NEGATIVE);
    }
    errors.choice_if_set(path, rules, "selectPolicy", &["Disabled", "Max", "Min"]);
    let policies = path.child("policies");
    if list(rules, "policies").is_empty() {
        errors.required(&policies, "must specify at least one Policy");
    }
    for (index, policy) in list(rules, "policies").iter().enumerate() {
        let path = policies.index(index);
        errors.one_of_if_set(&path.child("type"), Some(text(policy, "type")), &["Percent", "Pods"]);
        for field in ["value", "periodSeconds"] {
            if integer(policy, field) <= 0 {
                errors.invalid(&path.child(field), &integer(policy, field), "must be greater than zero");
            }
        }
        let period = integer(policy, "periodSeconds");
        if period > MAX_PERIOD_SECONDS {
            let detail = format!("must be less than or equal to {MAX_PERIOD_SECONDS}");
            errors.invalid(&path.child("periodSeconds"), &period, &detail);
        }
    }
}
