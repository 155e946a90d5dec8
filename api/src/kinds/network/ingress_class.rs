//! Classes of ingresses: which controller serves them.

use serde_json::{Value, json};

use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::generation;
use crate::kinds::json::{has, object, part, set_if_zero, text};
use crate::kinds::table::{AGE, age, column, or_none};
use crate::names;

const CONTROLLER_LIMIT_BYTES: usize = 250;

/// The rules of the row.
pub static INGRESS_CLASS: Rules = Rules {
    defaults: |class| {
        if has(class, "spec.parameters")
            && let Some(parameters) = class.get_mut("spec").and_then(|spec| object(spec, "parameters"))
        {
            set_if_zero(parameters, "scope", "Cluster");
        }
    },
    prepare_create: generation::start,
    prepare_update: |new, old| generation::bump_if_changed(new, old, &["spec"]),
    validate,
    validate_update: |new, old| {
        let mut errors = Errors::default();
        errors.fixed(&Path::root("spec"), &part(new, "spec"), &part(old, "spec"), &["controller"]);
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: &[
        column("Controller", "Controller that is responsible for handling this class"),
        column("Parameters", "A reference to a resource with additional parameters"),
        AGE,
    ],
    cells: |class, now_seconds| RowCells {
        cells: vec![json!(text(class, "spec.controller")), or_none(&parameters(class)), age(class, now_seconds)],
    },
    ..Rules::GENERIC
};

/// `Kind.group/name`
fn parameters(class: &Value) -> String {
    let (group, kind) = (text(class, "spec.parameters.apiGroup"), text(class, "spec.parameters.kind"));
    match (kind, text(class, "spec.parameters.name")) {
        ("", _) => String::new(),
        (kind, name) if group.is_empty() => format!("{kind}/{name}"),
        (kind, name) => format!("{kind}.{group}/{name}"),
    }
}

fn validate(class: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, controller) = (Path::root("spec").child("controller"), text(class, "spec.controller"));
    if controller.len() > CONTROLLER_LIMIT_BYTES {
        errors.0.push(FieldError::too_long(&path, CONTROLLER_LIMIT_BYTES));
    }
    errors.domain_path(&path, controller);
    if has(class, "spec.parameters") {
        reference(&mut errors, &part(class, "spec.parameters"), &Path::root("spec").child("parameters"));
    }
    errors.0
}

fn reference(errors: &mut Errors, reference: &Value, path: &Path) {
    let group = text(reference, "apiGroup");
    if !group.is_empty() {
        errors.named(&path.child("apiGroup"), group, names::dns1123_subdomain);
    }
    for field in ["kind", "name"] {
        errors.required_name(&path.child(field), text(reference, field), names::path_segment);
    }
    let namespace = text(reference, "namespace");
    match text(reference, "scope") {
        "" => errors.required(&path.child("scope"), ""),
        "Cluster" if has(reference, "namespace") => {
            let detail = "parameters.scope is set to 'Cluster'";
            errors.forbidden(&path.child("namespace"), detail);
        }
        "Cluster" => {}
        "Namespace" if namespace.is_empty() => {
            errors.required(&path.child("namespace"), "parameters.scope is set to 'Namespace'");
        }
        "Namespace" => errors.named(&path.child("namespace"), namespace, names::dns1123_label),
        other => errors.not_supported(&path.child("scope"), other, &["Cluster", "Namespace"]),
    }
}
