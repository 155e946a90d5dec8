//! Requirements of a pod as a whole (KEP-2837).

use k8s_openapi::api::core::v1::PodSpec;

use super::containers::Surroundings;
use super::{hugepages, resources};
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::resource_names;
use crate::pod::{aggregate_limits, aggregate_requests, read_list};

/// `resources` of the pod, under the path of its spec.
pub(super) fn validate(errors: &mut Errors, spec: &PodSpec, around: &Surroundings<'_>, path: &Path) {
    let Some(requirements) = &spec.resources else { return };
    let path = path.child("resources");
    if spec.os.as_ref().is_some_and(|os| os.name == "windows") {
        return errors.forbidden(&path, "may not be set for a windows pod");
    }
    if requirements.claims.is_some() {
        errors.forbidden(&path.child("claims"), "claims may not be set for Resources at pod-level");
    }
    resources::validate(errors, requirements, name, &around.claims, &path);
    consistency(errors, spec, &path);
}

/// Few resources can be asked for by the pod as a whole.
fn name(errors: &mut Errors, name: &str, path: &Path) {
    if resource_names::any(errors, name, path) && !matches!(name, "cpu" | "memory") && !hugepages::is(name) {
        errors.not_supported(path, name, &["cpu", hugepages::PREFIX, "memory"]);
    }
}

/// The pod asks for at least what its containers ask for, and none of them may use more than it.
fn consistency(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let Some(requirements) = &spec.resources else { return };
    let requests = read_list(requirements.requests.as_ref());
    for (name, needed) in aggregate_requests(spec) {
        if let Some(request) = requests.get(&name).filter(|request| needed > **request) {
            let detail = format!("must be greater than or equal to aggregate container requests of {needed}");
            errors.invalid(&path.child("requests").key(&name), &request.to_string(), &detail);
        }
    }
    let limits = read_list(requirements.limits.as_ref());
    for (name, used) in aggregate_limits(spec).into_iter().filter(|(name, _)| hugepages::is(name)) {
        if let Some(limit) = limits.get(&name).filter(|limit| used > **limit) {
            let detail = format!("must be greater than or equal to aggregate container limits of {used}");
            errors.invalid(&path.child("limits").key(&name), &limit.to_string(), &detail);
        }
    }
    for (index, container) in spec.containers.iter().enumerate() {
        let own = read_list(container.resources.as_ref().and_then(|r| r.limits.as_ref()));
        for (name, amount) in own {
            if let Some(limit) = limits.get(&name).filter(|limit| amount > **limit) {
                let path = path.child("containers").index(index).key(&name).child("limits");
                let detail = format!("must be less than or equal to pod limits of {limit}");
                errors.invalid(&path, &amount.to_string(), &detail);
            }
        }
    }
}
