//! Validation of nodes.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::NodeSpec;
use serde_json::Value;

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{decode, entries, list, text, texts};
use crate::kinds::{ip, pod, resource_names};

pub(super) fn validate(node: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    match decode::<NodeSpec>(node, "spec") {
        Ok(spec) => {
            let taints = Path::root("metadata").child("taints");
            pod::taints(&mut errors, spec.taints.as_deref().unwrap_or_default(), &taints);
        }
        Err(error) => errors.0.push(error),
    }
    errors.0.extend(of_status(node));
    ranges(&mut errors, node);
    errors.0
}

/// All errors in what a node reports.
pub(super) fn of_status(node: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    for section in ["capacity", "allocatable"] {
        for (name, amount) in entries(node, &format!("status.{section}")) {
            let path = Path::root("status").child(section).child(name);
            if resource_names::any(&mut errors, name, &path) {
                resource_names::amount(&mut errors, name, amount, &path);
            }
        }
    }
    errors.0
}

/// The addresses of the node's pods: at most one range of each family.
fn ranges(errors: &mut Errors, node: &Value) {
    let (ranges, path) = (texts(node, "spec.podCIDRs"), Path::root("spec").child("podCIDRs"));
    let before = errors.0.len();
    ranges.iter().enumerate().for_each(|(index, range)| ip::range(errors, &path.index(index), range, &[]));
    if ranges.len() < 2 || errors.0.len() > before {
        return;
    }
    let is_six = |range: &&str| ip::is_ipv6(range.split('/').next().unwrap_or_default());
    let dual = ranges.iter().any(is_six) && !ranges.iter().all(is_six);
    if !dual || ranges.len() > 2 {
        errors.invalid(&path, &ranges, "may specify no more than one CIDR for each IP family");
    }
}

/// The address range and the provider's name for the node are set once; addresses differ.
pub(super) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    let mut seen = HashSet::new();
    for (index, address) in list(new, "status.addresses").iter().enumerate().filter(|(_, it)| !seen.insert(*it)) {
        errors.duplicate(&Path::root("status").child("addresses").index(index), address);
    }
    let cidrs =
        |node: &Value| -> Vec<String> { texts(node, "spec.podCIDRs").into_iter().map(str::to_string).collect() };
    if !cidrs(old).is_empty() && cidrs(new) != cidrs(old) {
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        errors.forbidden(&path.child("podCIDRs"), detail);
    }
    let provider = text(old, "spec.providerID");
    if !provider.is_empty() && text(new, "spec.providerID") != provider {
        let detail = "node updates may not change providerID except from \"\" to valid";
        errors.forbidden(&path.child("providerID"), detail);
    }
    if text(new, "spec.externalID") != text(old, "spec.externalID") {
        errors.forbidden(&path.child("externalID"), "may not be updated");
    }
    errors.0
}
