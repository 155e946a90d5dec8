//! Names of resources that can be requested, limited or counted, and amounts of them (`pkg/apis/core/helper`).

use serde_json::Value;

use super::check::{Errors, NOT_NEGATIVE};
use crate::field::Path;
use crate::names;
use crate::quantity::Quantity;

const OF_CONTAINERS: &[&str] = &["cpu", "ephemeral-storage", "memory"];
const OF_QUOTAS: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];
/// What comes in whole numbers.
const COUNTED: &[&str] = &[
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Kubernetes' own: unqualified, or in its domain.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// A device or the like, of somebody else.
pub(super) fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && names::qualified_name(&format!("requests.{name}")).is_empty()
}

/// Whether more of it can be promised than there is.
pub(super) fn is_shared(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

/// Whether a quota can limit it by this name.
pub(super) fn is_of_quotas(name: &str) -> bool {
    OF_QUOTAS.contains(&name) || is_huge_page(name) || name.starts_with("requests.hugepages-")
}

/// A name that is qualified, or known. Says whether it is.
pub(super) fn any(errors: &mut Errors, name: &str, path: &Path) -> bool {
    let before = errors.0.len();
    errors.named(path, name, names::qualified_name);
    if errors.0.len() == before && !name.contains('/') && !is_of_quotas(name) && name != "storage" {
        errors.invalid(path, &name, "must be a standard resource type or fully qualified");
    }
    errors.0.len() == before
}

/// The name of something that containers use.
pub(super) fn of_container(errors: &mut Errors, name: &str, path: &Path) {
    any(errors, name, path);
    if !name.contains('/') {
        if !OF_CONTAINERS.contains(&name) && !is_huge_page(name) {
            errors.invalid(path, &name, "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        errors.invalid(path, &name, "doesn't follow extended resource name standard");
    }
}

/// The name of something that a quota limits.
pub(super) fn of_quota(errors: &mut Errors, name: &str, path: &Path) {
    any(errors, name, path);
    if !name.contains('/') && !is_of_quotas(name) {
        errors.invalid(path, &name, "must be a standard resource for quota");
    }
}

/// An amount that is not negative, and whole if it has to be.
pub(super) fn amount(errors: &mut Errors, name: &str, amount: &Value, path: &Path) {
    match amount.as_str().map_or_else(|| amount.to_string(), str::to_string).parse::<Quantity>() {
        Err(error) => errors.invalid(path, amount, &error.to_string()),
        Ok(parsed) => {
            if parsed.is_negative() {
                errors.invalid(path, amount, NOT_NEGATIVE);
            }
            // Only thousandths are looked at, as quantities were once.
            if (COUNTED.contains(&name) || is_extended(name)) && parsed.milli_value() % 1000 != 0 {
                errors.invalid(path, amount, "must be an integer");
            }
        }
    }
}
