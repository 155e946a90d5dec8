//! Policies written in CEL, and their bindings to parameters and requests (KEP-3488, KEP-3962).
//!
//! Their expressions are compiled here; what validating ones say of the kinds they are for is checked when those are known.

use serde_json::{Map, Value, json};

use super::match_rules;
use super::policy_validation::{binding_errors, mutating_errors, validating_errors};
use crate::catalog::{Column, RowCells, Rules};
use crate::kinds::generation;
use crate::kinds::json::{carry_over, has, list, part, sections, set_default, text};
use crate::kinds::table::{AGE, age, column, number, or_unset, selector};
use crate::names;

/// The rules of the row.
pub static VALIDATING_POLICY: Rules = Rules {
    defaults: policy_defaults,
    prepare_create: |policy| policy["status"] = json!({}),
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate: validating_errors,
    name_errors: names::subdomain_name,
    columns: VALIDATING_COLUMNS,
    cells: |policy, now_seconds| policy_cells(policy, "spec.validations", now_seconds),
    ..Rules::GENERIC
};

/// The rules of the row.
pub static MUTATING_POLICY: Rules = Rules {
    defaults: policy_defaults,
    prepare_create: generation::start,
    prepare_update: |new, old| generation::bump_if_changed(new, old, &["spec"]),
    validate: mutating_errors,
    name_errors: names::subdomain_name,
    columns: MUTATING_COLUMNS,
    cells: |policy, now_seconds| policy_cells(policy, "spec.mutations", now_seconds),
    ..Rules::GENERIC
};

/// The rules of the row.
pub static VALIDATING_POLICY_BINDING: Rules = Rules { validate: |b| binding_errors(b, true), ..BINDING };

/// The rules of the row.
pub static MUTATING_POLICY_BINDING: Rules = Rules { validate: |b| binding_errors(b, false), ..BINDING };

const BINDING: Rules = Rules {
    defaults: |binding| {
        if let Some(spec) = binding.get_mut("spec").filter(|s| s.is_object()) {
            match_rules::resources_defaults(spec, "matchResources");
        }
    },
    prepare_create: generation::start,
    prepare_update: |new, old| generation::bump_if_changed(new, old, &["spec"]),
    name_errors: names::subdomain_name,
    columns: BINDING_COLUMNS,
    cells: |binding, now_seconds| RowCells {
        cells: vec![json!(text(binding, "spec.policyName")), parameter(binding), age(binding, now_seconds)],
    },
    ..Rules::GENERIC
};

const PARAM_KIND: Column =
    column("ParamKind", "ParamKind specifies the kind of resources used to parameterize this policy");
const VALIDATING_COLUMNS: &[Column] = &[
    number("Validations", "Validations indicates the number of validation rules defined in this configuration"),
    PARAM_KIND,
    AGE,
];
const MUTATING_COLUMNS: &[Column] = &[
    number("Mutations", "Mutation indicates the number of mutations rules defined in this configuration"),
    PARAM_KIND,
    AGE,
];
const BINDING_COLUMNS: &[Column] = &[
    column("PolicyName", "PolicyName indicates the policy definition which the policy binding binded to"),
    column("ParamRef", "ParamRef indicates the param resource which sets the configration param"),
    AGE,
];

fn policy_defaults(policy: &mut Value) {
    sections(policy, &["spec"]);
    let Some(spec) = policy.get_mut("spec").filter(|s| s.is_object()) else { return };
    match_rules::resources_defaults(spec, "matchConstraints");
    if let Some(map) = spec.as_object_mut() {
        set_default(map, "failurePolicy", "Fail");
    }
    if let Some(map) =
        policy.as_object_mut().filter(|p| p.get("kind").is_some_and(|k| k == "ValidatingAdmissionPolicy"))
    {
        set_default(map, "status", Map::new());
    }
}

fn policy_cells(policy: &Value, rules: &str, now_seconds: i64) -> RowCells {
    let kind = match text(policy, "spec.paramKind.kind") {
        "" => String::new(),
        kind => format!("{}/{kind}", text(policy, "spec.paramKind.apiVersion")),
    };
    RowCells { cells: vec![json!(list(policy, rules).len()), or_unset(&kind), age(policy, now_seconds)] }
}

fn parameter(binding: &Value) -> Value {
    let reference = part(binding, "spec.paramRef");
    match (text(&reference, "name"), text(&reference, "namespace")) {
        ("", _) if has(&reference, "selector") => selector(reference.get("selector")),
        ("", _) => or_unset(""),
        (name, "") => json!(format!("*/{name}")),
        (name, namespace) => json!(format!("{namespace}/{name}")),
    }
}
