//! Validation of nodes.

use k8s_openapi::api::core::v1::NodeSpec;
use serde_json::Value;

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{decode, text};
use crate::kinds::pod;

pub(super) fn validate(node: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    match decode::<NodeSpec>(node, "spec") {
        Ok(spec) => {
            pod::taints(&mut errors, spec.taints.as_deref().unwrap_or_default(), &path.child("taints"));
            let cidrs = path.child("podCIDRs");
            for (index, cidr) in spec.pod_cidrs.iter().flatten().enumerate() {
                if cidr.parse::<ipnet::IpNet>().is_err() {
                    let detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
                    errors.invalid(&cidrs.index(index), cidr, detail);
                }
            }
        }
        Err(error) => errors.0.push(error),
    }
    errors.0
}

/// The address range and the provider's name for the node are set once.
pub(super) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    let cidrs = |node: &Value| node.pointer("/spec/podCIDRs").cloned().unwrap_or_default();
    if !cidrs(old).is_null() && cidrs(new) != cidrs(old) {
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        errors.forbidden(&path.child("podCIDRs"), detail);
    }
    let provider = text(old, "spec.providerID");
    if !provider.is_empty() && text(new, "spec.providerID") != provider {
        let detail = "node updates may not change providerID except from \"\" to valid";
        errors.forbidden(&path.child("providerID"), detail);
    }
    errors.0
}
