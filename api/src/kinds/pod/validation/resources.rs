//! Requests and limits.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{ResourceClaim, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as WireQuantity;

use super::hugepages;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::json;
use crate::kinds::resource_names as kinds;
use crate::names;
use crate::quantity::Quantity;

/// Checks the name of a resource.
type NameRule = fn(&mut Errors, &str, &Path);

/// `resources` of a container. `claims` are the names of the pod's claims.
pub(super) fn of_container(
    errors: &mut Errors,
    requirements: &ResourceRequirements,
    claims: &BTreeSet<&str>,
    path: &Path,
) {
    validate(errors, requirements, kinds::of_container, claims, path);
}

/// What a pod costs besides its containers.
pub(super) fn overhead(errors: &mut Errors, overhead: &BTreeMap<String, WireQuantity>, path: &Path) {
    let limits = ResourceRequirements { limits: Some(overhead.clone()), ..ResourceRequirements::default() };
    validate(errors, &limits, kinds::of_container, &BTreeSet::new(), path);
}

/// Names, amounts, and requests that fit their limits.
pub(super) fn validate(
    errors: &mut Errors,
    requirements: &ResourceRequirements,
    name_rule: NameRule,
    claims: &BTreeSet<&str>,
    path: &Path,
) {
    let (limits_path, requests_path) = (path.child("limits"), path.child("requests"));
    let limits = requirements.limits.as_ref();
    for (name, amount) in limits.into_iter().flatten() {
        let path = limits_path.key(name);
        name_rule(errors, name, &path);
        kinds::amount(errors, name, &json(amount), &path);
        pages(errors, name, amount, &path);
    }
    for (name, amount) in requirements.requests.iter().flatten() {
        let path = requests_path.key(name);
        name_rule(errors, name, &path);
        kinds::amount(errors, name, &json(amount), &path);
        let request = Quantity::from(amount);
        let limit = limits.and_then(|l| l.get(name));
        match limit.map(|text| (text, Quantity::from(text))) {
            Some((text, limit)) if !kinds::is_shared(name) && request != limit => {
                let detail = format!("must be equal to {name} limit of {}", text.0);
                errors.invalid(&requests_path, &amount.0, &detail);
            }
            Some((text, limit)) if request > limit => {
                let detail = format!("must be less than or equal to {name} limit of {}", text.0);
                errors.invalid(&requests_path, &amount.0, &detail);
            }
            None if !kinds::is_shared(name) => {
                errors.required(&limits_path, "Limit must be set for non overcommitable resources");
            }
            _ => {}
        }
        pages(errors, name, amount, &path);
    }
    let mut names = limits.into_iter().flatten().chain(requirements.requests.iter().flatten()).map(|(name, _)| name);
    let computes = names.clone().any(|name| matches!(name.as_str(), "cpu" | "memory"));
    if !computes && names.any(|name| hugepages::is(name)) {
        errors.forbidden(path, "HugePages require cpu or memory");
    }
    device_claims(errors, requirements.claims.as_deref().unwrap_or_default(), claims, &path.child("claims"));
}

fn pages(errors: &mut Errors, name: &str, amount: &WireQuantity, path: &Path) {
    if let Some(detail) = hugepages::error(name, Quantity::from(amount)) {
        errors.invalid(path, &amount.0, &detail);
    }
}

/// Claims that the pod has, each used once: as a whole, or by its requests.
fn device_claims(errors: &mut Errors, claims: &[ResourceClaim], known: &BTreeSet<&str>, path: &Path) {
    let mut seen: BTreeSet<(&str, Option<&str>)> = BTreeSet::new();
    let mut parts: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, claim) in claims.iter().enumerate() {
        let (path, name) = (path.index(index), claim.name.as_str());
        if name.is_empty() {
            errors.required(&path, "");
            continue;
        }
        let request = claim.request.as_deref().filter(|request| !request.is_empty());
        if seen.contains(&(name, None)) {
            errors.duplicate(&path, &name);
        } else {
            if let Some(request) = request {
                errors.named(&path.child("request"), request, names::dns1123_label);
                if seen.contains(&(name, Some(request))) {
                    errors.duplicate(&path, &format!("{name}/{request}"));
                }
            } else {
                let parts = parts.get(name).copied().unwrap_or_default();
                (0..parts).for_each(|_| errors.duplicate(&path, &name));
            }
            if seen.insert((name, request)) && request.is_some() {
                *parts.entry(name).or_default() += 1;
            }
        }
        if !known.contains(name) {
            errors.tell(|| unknown_claim(name, known, &path));
        }
    }
}

fn unknown_claim(name: &str, known: &BTreeSet<&str>, path: &Path) -> FieldError {
    let listed = known.iter().copied().collect::<Vec<_>>().join(", ");
    let which = if known.is_empty() { " which is empty".to_string() } else { format!(": {listed}") };
    let mut error = FieldError::not_found(path, &json(&name));
    error.body.push_str(&format!(": must be one of the names in pod.spec.resourceClaims{which}"));
    error
}
