//! Rules of horizontal pod autoscalers. Version 2 is what is stored; version 1 says less, and keeps in annotations
//! what it has no fields for.

mod columns;
mod conversion;
mod metrics;
mod validation;

use serde_json::{Map, Value, json};

use super::generation;
use super::json::{carry_over, has, items, object, part, sections, set_default, set_if_zero};
use super::pod::normalize_field;
use crate::catalog::Rules;
use crate::names;

pub use conversion::{from_v2, to_v2};

/// CPU use that an autoscaler without metrics aims at, in percent of the requests.
const DEFAULT_CPU_PERCENT: i64 = 80;

/// The rules of the row.
pub static V2: Rules = Rules {
    defaults,
    prepare_create: |autoscaler| {
        generation::none(autoscaler);
        autoscaler["status"] = json!({ "currentMetrics": null, "desiredReplicas": 0 });
    },
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate: validation::validate,
    validate_new: validation::target_group,
    validate_update: validation::new_target,
    validate_status: validation::validate_status,
    name_errors: names::subdomain_name,
    columns: columns::COLUMNS,
    cells: columns::cells,
    ..Rules::GENERIC
};

/// The rules of the row.
pub static V1: Rules = Rules {
    defaults: |autoscaler| {
        sections(autoscaler, &["spec"]);
        sections(autoscaler, &["status"]);
        for (section, field, value) in
            [("spec", "minReplicas", 1), ("status", "currentReplicas", 0), ("status", "desiredReplicas", 0)]
        {
            if let Some(map) = object(autoscaler, section) {
                set_default(map, field, value);
            }
        }
    },
    prepare_create: |autoscaler| {
        generation::none(autoscaler);
        autoscaler["status"] = json!({ "currentReplicas": 0, "desiredReplicas": 0 });
    },
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate: |autoscaler| validation::validate(&as_v2(autoscaler)),
    validate_new: validation::target_group,
    validate_update: validation::new_target,
    validate_status: |new, old| validation::validate_status(&as_v2(new), &as_v2(old)),
    name_errors: names::subdomain_name,
    columns: columns::COLUMNS,
    cells: |autoscaler, now_seconds| columns::cells(&as_v2(autoscaler), now_seconds),
    from_storage: Some(from_v2),
    to_storage: Some(|autoscaler| as_v2(&autoscaler)),
    ..Rules::GENERIC
};

fn as_v2(autoscaler: &Value) -> Value {
    let mut converted = to_v2(autoscaler.clone());
    defaults(&mut converted);
    converted
}

fn defaults(autoscaler: &mut Value) {
    sections(autoscaler, &["spec"]);
    let Some(spec) = autoscaler.get_mut("spec").filter(|s| s.is_object()) else { return };
    if part(spec, "metrics").as_array().is_none_or(Vec::is_empty) {
        spec["metrics"] = json!([cpu_metric(DEFAULT_CPU_PERCENT)]);
    }
    if has(spec, "behavior")
        && let Some(behavior) = spec.get_mut("behavior").filter(|b| b.is_object())
    {
        // Up: at once, doubling or four pods every 15 seconds. Down: everything every 15 seconds.
        let up = json!([{ "type": "Pods", "value": 4, "periodSeconds": 15 }, { "type": "Percent", "value": 100, "periodSeconds": 15 }]);
        direction(behavior, "scaleUp", up);
        direction(behavior, "scaleDown", json!([{ "type": "Percent", "value": 100, "periodSeconds": 15 }]));
        if let Some(up) = object(behavior, "scaleUp") {
            set_default(up, "stabilizationWindowSeconds", 0);
        }
    }
    if let Some(map) = spec.as_object_mut() {
        set_default(map, "minReplicas", 1);
    }
    amounts(spec);
    if let Some(status) = object(autoscaler, "status") {
        set_default(status, "desiredReplicas", 0);
        status.entry("currentMetrics").or_insert(Value::Null);
    }
}

/// Quantities as they are stored.
fn amounts(spec: &mut Value) {
    for metric in items(spec, "metrics") {
        let sources = metric.as_object_mut().into_iter().flat_map(|metric| metric.values_mut());
        for target in sources.filter_map(|source| source.get_mut("target")?.as_object_mut()) {
            normalize_field(target, "value");
            normalize_field(target, "averageValue");
        }
    }
    for direction in ["scaleUp", "scaleDown"] {
        let rules = spec.get_mut("behavior").and_then(|behavior| behavior.get_mut(direction));
        if let Some(rules) = rules.and_then(Value::as_object_mut) {
            normalize_field(rules, "tolerance");
        }
    }
}

fn cpu_metric(percent: i64) -> Value {
    json!({ "type": "Resource", "resource": {
        "name": "cpu", "target": { "type": "Utilization", "averageUtilization": percent },
    } })
}

fn direction(behavior: &mut Value, name: &str, policies: Value) {
    let Some(rules): Option<&mut Map<String, Value>> = object(behavior, name) else { return };
    set_if_zero(rules, "selectPolicy", "Max");
    set_default(rules, "policies", policies);
}
