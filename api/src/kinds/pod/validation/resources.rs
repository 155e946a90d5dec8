//! Requests and limits.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as WireQuantity;

use crate::field::Path;
use crate::kinds::check::{Errors, NOT_NEGATIVE};
use crate::names;
use crate::quantity::Quantity;

fn is_standard(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-")
}

/// Neither a part of Kubernetes' own nor unqualified: devices and the like, which can't be shared.
fn is_extended(name: &str) -> bool {
    name.contains('/') && !name.contains("kubernetes.io/") && !name.starts_with("requests.")
}

pub(super) fn validate(errors: &mut Errors, requirements: &ResourceRequirements, path: &Path) {
    let (limits_path, requests_path) = (path.child("limits"), path.child("requests"));
    let limits = requirements.limits.as_ref();
    for (name, amount) in limits.into_iter().flatten() {
        entry(errors, name, amount, &limits_path.key(name));
    }
    for (name, amount) in requirements.requests.iter().flatten() {
        let before = errors.0.len();
        entry(errors, name, amount, &requests_path.key(name));
        if errors.0.len() > before {
            continue;
        }
        let (request, limit) = (Quantity::from(amount), limits.and_then(|l| l.get(name)));
        let shared = !is_extended(name) && !name.starts_with("hugepages-");
        match limit.map(|l| (l, Quantity::from(l))) {
            Some((text, limit)) if !shared && request != limit => {
                let detail = format!("must be equal to {name} limit of {}", text.0);
                errors.invalid(&requests_path, &amount.0, &detail);
            }
            Some((text, limit)) if request > limit => {
                let detail = format!("must be less than or equal to {name} limit of {}", text.0);
                errors.invalid(&requests_path, &amount.0, &detail);
            }
            None if !shared => errors.required(&limits_path, "Limit must be set for non overcommitable resources"),
            _ => {}
        }
    }
}

fn entry(errors: &mut Errors, name: &str, amount: &WireQuantity, path: &Path) {
    let name_errors = names::qualified_name(name);
    if !name_errors.is_empty() {
        name_errors.iter().for_each(|detail| errors.invalid(path, &name, detail));
    } else if !name.contains('/') && !is_standard(name) {
        errors.invalid(path, &name, "must be a standard resource type or fully qualified");
        errors.invalid(path, &name, "must be a standard resource for containers");
    }
    match amount.0.parse::<Quantity>() {
        Err(error) => errors.invalid(path, &amount.0, &error.to_string()),
        Ok(parsed) if parsed.is_negative() => errors.invalid(path, &amount.0, NOT_NEGATIVE),
        Ok(parsed) if is_extended(name) && !parsed.is_whole() => errors.invalid(path, &amount.0, "must be an integer"),
        Ok(_) => {}
    }
}
