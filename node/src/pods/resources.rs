//! What a container or a pod may use, from the API's quantities to the sandbox's numbers.

use std::collections::BTreeMap;

use coracle_api::{pod::read_list, quantity::Quantity};
use coracle_wasi_host::{PodLimits, limits as sandbox};
use k8s_openapi::{
    api::core::v1::{Pod, PodSpec, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity as Wire,
};

/// Limits as the sandbox knows them; None: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Thousandths of a CPU.
    pub cpu_millis: Option<u32>,
    /// Its part of busy CPUs, by its request.
    pub cpu_shares: u32,
}

/// Shares for a request, as kubelet gives them to a cgroup.
fn shares(request: Option<&Quantity>) -> u32 {
    let millis = request.map_or(0, |request| request.milli_value()).max(0);
    let shares = u32::try_from(millis.saturating_mul(1024) / 1000).unwrap_or(u32::MAX);
    shares.clamp(sandbox::CPU_SHARES_MIN, sandbox::CPU_SHARES_MAX)
}

/// The limits that `requirements` set.
pub fn limits(requirements: Option<&ResourceRequirements>) -> Limits {
    let limits = read_list(requirements.and_then(|requirements| requirements.limits.as_ref()));
    let requests = read_list(requirements.and_then(|requirements| requirements.requests.as_ref()));
    let millis = |limit: Quantity| u32::try_from(limit.milli_value()).ok();
    Limits {
        memory_bytes: limits.get("memory").map(|limit| limit.bytes()).filter(|bytes| *bytes > 0),
        cpu_millis: limits.get("cpu").copied().and_then(millis).filter(|millis| *millis > 0),
        // What only has a limit requests that: the defaults of the API say so, and kubelet too.
        cpu_shares: shares(requests.get("cpu").or_else(|| limits.get("cpu"))),
    }
}

/// The limit of a resource, if `requirements` set one.
pub fn limit_of<'a>(requirements: Option<&'a ResourceRequirements>, resource: &str) -> Option<&'a Wire> {
    requirements?.limits.as_ref()?.get(resource)
}

/// The limits of the pod as a whole, as kubelet gives them to its cgroup: what it says itself, or the sum if every container
/// has one. A container without a limit leaves the pod without.
pub fn pod_limits(pod: &Pod, spec: &PodSpec) -> PodLimits {
    let totals = coracle_api::pod::limits(pod);
    let limit = |resource| {
        let limited = |requirements: Option<&ResourceRequirements>| limit_of(requirements, resource).is_some();
        let mut containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        let every = containers.all(|container| limited(container.resources.as_ref()));
        totals.get(resource).copied().filter(|_| limited(spec.resources.as_ref()) || every)
    };
    let millis = |limit: Quantity| u32::try_from(limit.milli_value()).ok();
    PodLimits {
        memory_bytes: limit("memory").map(Quantity::bytes).filter(|bytes| *bytes > 0),
        cpu_millis: limit("cpu").and_then(millis).filter(|millis| *millis > 0),
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_limits_of_a_pod_are_its_own_or_the_sum_of_all() {
        let limits = |spec: serde_json::Value| {
            let pod: Pod = serde_json::from_value(json!({"spec": spec})).unwrap();
            let limits = pod_limits(&pod, pod.spec.as_ref().unwrap());
            (limits.memory_bytes, limits.cpu_millis)
        };
        let with = json!({"name": "a", "resources": {"limits": {"memory": "1Ki", "cpu": "100m"}}});
        let half = json!({"name": "b", "resources": {"limits": {"memory": "1Ki"}}});
        let of_all = json!({"limits": {"memory": "4Ki", "cpu": "1"}});
        assert_eq!(limits(json!({"containers": [with, {"name": "b"}]})), (None, None));
        assert_eq!(limits(json!({"containers": [with, half]})), (Some(2048), None));
        assert_eq!(limits(json!({"containers": [with, with]})), (Some(2048), Some(200)));
        assert_eq!(limits(json!({"containers": [with, {"name": "b"}], "resources": of_all})), (Some(4096), Some(1000)));
    }

    #[test]
    fn shares_are_those_of_a_cgroup() {
        let shares =
            |resources: serde_json::Value| limits(Some(&serde_json::from_value(resources).unwrap())).cpu_shares;
        assert_eq!(limits(None).cpu_shares, 2);
        assert_eq!(shares(json!({ "requests": { "cpu": "1m" } })), 2);
        assert_eq!(shares(json!({ "requests": { "cpu": "100m" }, "limits": { "cpu": "2" } })), 102);
        assert_eq!(shares(json!({ "limits": { "cpu": "250m" } })), 256);
        assert_eq!(shares(json!({ "requests": { "cpu": "100k" } })), 262_144);
    }
}
