//! What a container or a pod may use, from the API's quantities to the sandbox's numbers.

use std::collections::BTreeMap;

use coracle_api::{pod::read_list, quantity::Quantity};
use k8s_openapi::{
    api::core::v1::{Pod, PodSpec, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity as Wire,
};

/// Limits as the sandbox knows them; None: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Thousandths of a CPU.
    pub cpu_millis: Option<u32>,
}

/// The limits that `requirements` set.
pub fn limits(requirements: Option<&ResourceRequirements>) -> Limits {
    let limits = read_list(requirements.and_then(|requirements| requirements.limits.as_ref()));
    let millis = |limit: Quantity| u32::try_from(limit.milli_value()).ok();
    Limits {
        memory_bytes: limits.get("memory").map(|limit| limit.bytes()).filter(|bytes| *bytes > 0),
        cpu_millis: limits.get("cpu").copied().and_then(millis).filter(|millis| *millis > 0),
    }
}

/// The limit of a resource, if `requirements` set one.
pub fn limit_of<'a>(requirements: Option<&'a ResourceRequirements>, resource: &str) -> Option<&'a Wire> {
    requirements?.limits.as_ref()?.get(resource)
}

/// The pod's memory limit: what it says itself, or the sum if every container has one. A container without a limit
/// leaves the pod without.
pub fn memory_limit(pod: &Pod, spec: &PodSpec) -> Option<u64> {
    let limited = |requirements: Option<&ResourceRequirements>| limit_of(requirements, "memory").is_some();
    let mut containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let every = containers.all(|container| limited(container.resources.as_ref()));
    let total = coracle_api::pod::limits(pod).get("memory").map(|quantity| quantity.bytes());
    total.filter(|total| (limited(spec.resources.as_ref()) || every) && *total > 0)
}

/// Whether an amount of this resource differs between the two.
pub fn differs(resource: &str, one: Option<&ResourceRequirements>, other: Option<&ResourceRequirements>) -> bool {
    let amount = |list: Option<&BTreeMap<String, Wire>>| read_list(list).get(resource).copied();
    let both = |requirements: Option<&ResourceRequirements>| {
        let requirements = requirements?;
        Some((amount(requirements.requests.as_ref()), amount(requirements.limits.as_ref())))
    };
    both(one).unwrap_or_default() != both(other).unwrap_or_default()
}
