//! Rules of limit ranges.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::check::Errors;
use super::json::{entries, items, list, object, text};
use super::pod::normalize_list;
use super::resource_names::{self, is_shared};
use crate::catalog::Rules;
use crate::field::{FieldError, Path};
use crate::names;
use crate::quantity::Quantity;

/// The rules of the row.
pub static RULES: Rules = Rules { defaults, validate, name_errors: names::subdomain_name, ..Rules::GENERIC };

const LISTS: [&str; 5] = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];

fn defaults(range: &mut Value) {
    let Some(spec) = range.get_mut("spec") else { return };
    for item in items(spec, "limits") {
        LISTS.iter().for_each(|list| item.get_mut(*list).into_iter().for_each(normalize_list));
        if text(item, "type") == "Container" {
            // A limit that is not given is the most there may be; a request that is not given is the limit, or the
            // least there must be.
            inherit(item, "default", "max");
            inherit(item, "defaultRequest", "default");
            inherit(item, "defaultRequest", "min");
        }
    }
}

fn inherit(item: &mut Value, into: &str, from: &str) {
    let amounts: Map<String, Value> = item.get(from).and_then(Value::as_object).cloned().unwrap_or_default();
    let Some(target) = object(item, into) else { return };
    for (name, amount) in amounts {
        target.entry(name).or_insert(amount);
    }
}

fn validate(range: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, mut seen) = (Path::root("spec").child("limits"), BTreeSet::new());
    for (index, item) in list(range, "spec.limits").iter().enumerate() {
        let path = path.index(index);
        let kind = text(item, "type");
        errors.named(&path.child("type"), kind, names::qualified_name);
        if !kind.contains('/') && !matches!(kind, "Pod" | "Container" | "PersistentVolumeClaim") {
            errors.invalid(&path.child("type"), &kind, "must be a standard limit type or fully qualified");
        }
        if !seen.insert(kind) {
            errors.duplicate(&path.child("type"), &kind);
        }
        amounts(&mut errors, item, kind, &path);
        let resources: BTreeSet<&String> =
            LISTS.iter().flat_map(|list| entries(item, list).map(|(name, _)| name)).collect();
        resources.into_iter().for_each(|resource| bounds(&mut errors, item, resource, &path));
    }
    errors.0
}

/// Names of resources, and which lists the type has.
fn amounts(errors: &mut Errors, item: &Value, kind: &str, path: &Path) {
    for field in LISTS {
        if kind == "Pod" && matches!(field, "default" | "defaultRequest") {
            if entries(item, field).next().is_some() {
                errors.forbidden(&path.child(field), "may not be specified when `type` is 'Pod'");
            }
            continue;
        }
        for (name, _) in entries(item, field) {
            let path = path.child(field).key(name);
            match kind {
                "Pod" | "Container" => resource_names::of_container(errors, name, &path),
                _ => drop(resource_names::any(errors, name, &path)),
            }
        }
    }
    let has_storage = |list: &str| item.get(list).is_some_and(|l| l.get("storage").is_some());
    if kind == "PersistentVolumeClaim" && !has_storage("min") && !has_storage("max") {
        let detail = "either minimum or maximum storage value is required, but neither was provided";
        errors.required(&path.child("limits"), detail);
    }
}

/// min <= defaultRequest <= default <= max, and a ratio that these allow.
fn bounds(errors: &mut Errors, item: &Value, resource: &str, path: &Path) {
    let read = |list: &str| item.get(list).and_then(|l| l.get(resource)).and_then(Quantity::from_value);
    let (min, max, default, request) = (read("min"), read("max"), read("default"), read("defaultRequest"));
    let mut ordered = |low: (Option<Quantity>, &str), high: (Option<Quantity>, &str), at: &str| {
        if let (Some(lower), Some(higher)) = (low.0, high.0)
            && lower > higher
        {
            let detail = format!("{} value {lower} is greater than {} value {higher}", low.1, high.1);
            let value = read(at).unwrap_or(lower).to_string();
            errors.invalid(&path.child(at).key(resource), &value, &detail);
        }
    };
    ordered((min, "min"), (max, "max"), "min");
    ordered((min, "min"), (request, "default request"), "defaultRequest");
    ordered((request, "default request"), (max, "max"), "defaultRequest");
    ordered((request, "default request"), (default, "default limit"), "defaultRequest");
    ordered((min, "min"), (default, "default"), "default");
    ordered((default, "default"), (max, "max"), "default");
    if let Some(ratio) = read("maxLimitRequestRatio").filter(|ratio| ratio.milli_value() < 1000) {
        let path = path.child("maxLimitRequestRatio").key(resource);
        errors.invalid(&path, &ratio.to_string(), &format!("ratio {ratio} is less than 1"));
    }
    if let (Some(ratio), Some(min), Some(max)) = (read("maxLimitRequestRatio"), min, max) {
        let (wanted, most) = (ratio.milli_value() as f64 / 1000.0, max.milli_value() as f64 / min.milli_value() as f64);
        if wanted > most {
            let path = path.child("maxLimitRequestRatio").key(resource);
            let detail = format!("ratio {ratio} is greater than max/min = {most:.6}");
            errors.invalid(&path, &ratio.to_string(), &detail);
        }
    }
    if let (Some(limit), Some(request)) = (default, request)
        && !is_shared(resource)
        && limit != request
    {
        let detail = format!("default value {limit} must equal to defaultRequest value {request} in {resource}");
        errors.invalid(&path.child("defaultRequest").key(resource), &request.to_string(), &detail);
    }
}
