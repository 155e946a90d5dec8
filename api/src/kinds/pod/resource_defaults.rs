//! Canonical amounts, and requests that follow from limits.

use k8s_openapi::api::core::v1::PodSpec;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::kinds::json::{items, object, part};
use crate::pod;
use crate::quantity::Quantity;

/// Rewrites one amount as the API server would hand it back. What is no quantity is left for validation.
pub(in crate::kinds) fn normalize_field(map: &mut Map<String, Value>, key: &str) {
    let text = match map.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return,
    };
    if let Ok(normal) = Quantity::normalize(&text) {
        map.insert(key.to_string(), json!(normal));
    }
}

/// Rewrites a resource list: canonical, and rounded up to thousandths.
pub(in crate::kinds) fn normalize_list(list: &mut Value) {
    let Some(map) = list.as_object_mut() else { return };
    for key in map.keys().cloned().collect::<Vec<_>>() {
        let amount = map.get(&key).and_then(Quantity::from_value);
        match amount.map(|a| (a, a.round_up_to_millis())) {
            Some((exact, rounded)) if exact != rounded => {
                map.insert(key, json!(rounded.to_string()));
            }
            _ => normalize_field(map, &key),
        }
    }
}

/// The resource list under `key`, if there is one.
pub(super) fn normalize_at(parent: &mut Value, key: &str) {
    parent.get_mut(key).into_iter().for_each(normalize_list);
}

/// `resources.requests` and `resources.limits`.
pub(super) fn normalize_requirements(parent: &mut Value) {
    if let Some(resources) = parent.get_mut("resources") {
        normalize_at(resources, "requests");
        normalize_at(resources, "limits");
    }
}

/// Requests that are not given equal the limits, for containers and then for the pod as a whole.
pub(super) fn pod_requests(spec: &mut Value) {
    for key in ["containers", "initContainers"] {
        items(spec, key).filter_map(|c| c.get_mut("resources")).for_each(|r| fill_requests(r, |_| true));
    }
    huge_page_limits(spec);
    if part(spec, "resources.limits").as_object().is_none_or(Map::is_empty) {
        return;
    }
    let containers = PodSpec::deserialize(&*spec).map(|s| pod::aggregate_requests(&s)).unwrap_or_default();
    let Some(resources) = spec.get_mut("resources") else { return };
    if let Some(requests) = object(resources, "requests") {
        for (name, amount) in containers {
            if matches!(name.as_str(), "cpu" | "memory") && !requests.contains_key(&name) {
                requests.insert(name, json!(amount.to_string()));
            }
        }
    }
    fill_requests(resources, |name| matches!(name, "cpu" | "memory") || name.starts_with("hugepages-"));
}

/// Huge pages can't be promised twice, so a pod with requirements of its own has the limits of its containers for them.
fn huge_page_limits(spec: &mut Value) {
    let given = |list: &str| part(spec, &format!("resources.{list}")).as_object().cloned().unwrap_or_default();
    let (limits, requests) = (given("limits"), given("requests"));
    if limits.is_empty() && requests.is_empty() {
        return;
    }
    let used = PodSpec::deserialize(&*spec).map(|s| pod::aggregate_limits(&s)).unwrap_or_default();
    for (name, amount) in used.into_iter().filter(|(name, _)| name.starts_with("hugepages-")) {
        if !requests.contains_key(&name) && !limits.contains_key(&name) {
            spec["resources"]["limits"][&name] = json!(amount.to_string());
        }
    }
}

fn fill_requests(resources: &mut Value, applies: fn(&str) -> bool) {
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { return };
    let Some(requests) = object(resources, "requests") else { return };
    for (name, limit) in limits {
        if applies(&name) && !requests.contains_key(&name) {
            requests.insert(name, limit);
        }
    }
}
