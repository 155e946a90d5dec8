//! Claims of devices, and the templates that pods have claims made from.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{configurations, selectors};
use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, same};
use crate::kinds::generation;
use crate::kinds::json::{carry_over, has, integer, items, list, object, part, sections, set_if_zero, text, texts};
use crate::kinds::table::{AGE, age, column};
use crate::{meta, names};

const REQUESTS_LIMIT: usize = 32;
const CONSTRAINTS_LIMIT: usize = 32;
const ALTERNATIVES_LIMIT: usize = 8;
const CONSUMERS_LIMIT: usize = 256;
const MODES: &[&str] = &["All", "ExactCount"];

/// The rules of the row.
pub static RESOURCE_CLAIM: Rules = Rules {
    defaults: |claim| {
        sections(claim, &["spec", "devices"]);
        claim.get_mut("spec").into_iter().for_each(spec_defaults);
        let _ = object(claim, "status");
    },
    prepare_create: |claim| {
        generation::none(claim);
        claim["status"] = json!({});
    },
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate: |claim| {
        let mut errors = Errors::default();
        devices(&mut errors, &part(claim, "spec.devices"), &Path::root("spec").child("devices"));
        errors.0
    },
    validate_update: frozen,
    validate_status: status,
    name_errors: names::subdomain_name,
    columns: &[column("State", "A summary of the current state (allocated, pending, reserved, etc.)."), AGE],
    cells: |claim, now_seconds| RowCells { cells: vec![json!(state(claim)), age(claim, now_seconds)] },
    ..Rules::GENERIC
};

/// The rules of the row.
pub static RESOURCE_CLAIM_TEMPLATE: Rules = Rules {
    defaults: |template| {
        sections(template, &["spec", "spec", "devices"]);
        template.pointer_mut("/spec/spec").into_iter().for_each(spec_defaults);
    },
    validate: |template| {
        let mut errors = Errors::default();
        let path = Path::root("spec").child("spec").child("devices");
        devices(&mut errors, &part(template, "spec.spec.devices"), &path);
        errors.0
    },
    validate_update: frozen,
    name_errors: names::subdomain_name,
    columns: &[AGE],
    cells: |template, now_seconds| RowCells { cells: vec![age(template, now_seconds)] },
    ..Rules::GENERIC
};

fn spec_defaults(spec: &mut Value) {
    let Some(devices) = spec.get_mut("devices") else { return };
    for request in items(devices, "requests") {
        request.get_mut("exactly").into_iter().for_each(request_defaults);
        items(request, "firstAvailable").for_each(request_defaults);
    }
}

fn request_defaults(request: &mut Value) {
    items(request, "tolerations").filter_map(Value::as_object_mut).for_each(|t| set_if_zero(t, "operator", "Equal"));
    let Some(map) = request.as_object_mut() else { return };
    set_if_zero(map, "allocationMode", "ExactCount");
    if map["allocationMode"] == "ExactCount" {
        set_if_zero(map, "count", 1);
    }
}

/// What was asked for stays as it is.
fn frozen(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    if !same(&part(new, "spec"), &part(old, "spec")) {
        errors.invalid(&Path::root("spec"), &part(new, "spec"), crate::metadata::IMMUTABLE);
    }
    errors.0
}

fn devices(errors: &mut Errors, devices: &Value, path: &Path) {
    let (requests_path, requests) = (path.child("requests"), list(devices, "requests"));
    if requests.len() > REQUESTS_LIMIT {
        errors.0.push(FieldError::too_many(&requests_path, requests.len(), REQUESTS_LIMIT));
    }
    let mut seen = BTreeSet::new();
    for (index, request) in requests.iter().enumerate() {
        let (path, name) = (requests_path.index(index), text(request, "name"));
        errors.required_name(&path.child("name"), name, names::dns1123_label);
        if !name.is_empty() && !seen.insert(name) {
            errors.duplicate(&path.child("name"), &name);
        }
        self::request(errors, request, &path);
    }
    let (constraints_path, constraints) = (path.child("constraints"), list(devices, "constraints"));
    if constraints.len() > CONSTRAINTS_LIMIT {
        errors.0.push(FieldError::too_many(&constraints_path, constraints.len(), CONSTRAINTS_LIMIT));
    }
    let named: BTreeSet<&str> = requests.iter().map(|request| text(request, "name")).collect();
    let known = |name: &str| named.contains(name.split('/').next().unwrap_or_default());
    for (index, constraint) in constraints.iter().enumerate() {
        let path = constraints_path.index(index);
        for (index, name) in texts(constraint, "requests").into_iter().enumerate().filter(|(_, n)| !known(n)) {
            let detail = "must be the name of a request in the claim or the name of a request and a subrequest \
                          separated by '/'";
            errors.invalid(&path.child("requests").index(index), &name, detail);
        }
        if !has(constraint, "matchAttribute") && !has(constraint, "distinctAttribute") {
            errors.required(&path.child("matchAttribute"), "");
        }
    }
    configurations(errors, devices, path);
}

fn request(errors: &mut Errors, request: &Value, path: &Path) {
    let alternatives = list(request, "firstAvailable");
    match (has(request, "exactly"), alternatives.is_empty()) {
        (true, true) => exact(errors, &part(request, "exactly"), &path.child("exactly")),
        (false, true) => errors.required(path, "exactly one of `exactly` or `firstAvailable` is required"),
        (true, false) => errors.invalid(path, request, "exactly one of `exactly` or `firstAvailable` is required"),
        (false, false) => {
            let path = path.child("firstAvailable");
            if alternatives.len() > ALTERNATIVES_LIMIT {
                errors.0.push(FieldError::too_many(&path, alternatives.len(), ALTERNATIVES_LIMIT));
            }
            for (index, alternative) in alternatives.iter().enumerate() {
                let path = path.index(index);
                errors.required_name(&path.child("name"), text(alternative, "name"), names::dns1123_label);
                exact(errors, alternative, &path);
            }
        }
    }
}

fn exact(errors: &mut Errors, request: &Value, path: &Path) {
    errors.required_name(&path.child("deviceClassName"), text(request, "deviceClassName"), names::dns1123_subdomain);
    selectors(errors, request, path);
    let (mode, count) = (text(request, "allocationMode"), integer(request, "count"));
    match mode {
        "All" if count != 0 => {
            let detail = "must not be specified when allocationMode is 'All'";
            errors.invalid(&path.child("count"), &count, detail);
        }
        "ExactCount" if count <= 0 => errors.invalid(&path.child("count"), &count, "must be greater than zero"),
        "All" | "ExactCount" => {}
        other => errors.not_supported(&path.child("allocationMode"), other, MODES),
    }
}

fn status(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("status");
    let (reserved_path, reserved) = (path.child("reservedFor"), list(new, "status.reservedFor"));
    if reserved.len() > CONSUMERS_LIMIT {
        errors.0.push(FieldError::too_many(&reserved_path, reserved.len(), CONSUMERS_LIMIT));
    }
    let mut seen = BTreeSet::new();
    for (index, consumer) in reserved.iter().enumerate() {
        let path = reserved_path.index(index);
        for field in ["resource", "name", "uid"] {
            errors.filled(&path, consumer, field);
        }
        if !seen.insert(text(consumer, "uid")) {
            errors.duplicate(&path.child("uid"), &text(consumer, "uid"));
        }
    }
    if !reserved.is_empty() && !has(new, "status.allocation") {
        errors.forbidden(&reserved_path, "may not be specified when `allocated` is not set");
    }
    let (now, before) = (part(new, "status.allocation"), part(old, "status.allocation"));
    if !now.is_null() && !before.is_null() && !same(&now, &before) {
        errors.invalid(&path.child("allocation"), &now, crate::metadata::IMMUTABLE);
    }
    errors.0
}

/// `pending`, `allocated,reserved`, `deleted,allocated`
fn state(claim: &Value) -> String {
    let mut states = Vec::new();
    if meta::is_deleting(claim) {
        states.push("deleted");
    }
    if has(claim, "status.allocation") {
        states.push("allocated");
        if !list(claim, "status.reservedFor").is_empty() {
            states.push("reserved");
        }
    } else if !meta::is_deleting(claim) {
        states.push("pending");
    }
    states.join(",")
}
