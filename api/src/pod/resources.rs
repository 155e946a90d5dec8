//! What a pod asks for: the sums that the scheduler and the node reserve.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as WireQuantity;

use super::state::{condition, is_sidecar};
use crate::quantity::Quantity;

/// Amounts by resource name: `cpu`, `memory`, `ephemeral-storage`, `example.com/device`.
pub type ResourceList = BTreeMap<String, Quantity>;

/// A resource list off the wire. What is no quantity counts as zero.
pub fn read_list(wire: Option<&BTreeMap<String, WireQuantity>>) -> ResourceList {
    wire.into_iter().flatten().map(|(name, quantity)| (name.clone(), quantity.into())).collect()
}

/// What one container requests.
pub fn container_requests(container: &Container) -> ResourceList {
    read_list(container.resources.as_ref().and_then(|r| r.requests.as_ref()))
}

fn container_limits(container: &Container) -> ResourceList {
    read_list(container.resources.as_ref().and_then(|r| r.limits.as_ref()))
}

/// What the node must keep free for the pod: containers and sidecars together, or the hungriest moment of
/// initialization if that is more; requests of the pod as a whole (KEP-2837) take precedence; overhead on top.
pub fn requests(pod: &Pod) -> ResourceList {
    requests_by(pod, container_requests)
}

/// What its node must keep free for a pod whose resources may be about to change (KEP-1287, "Scheduler and API server
/// interaction"): of what a container wants, was granted and has, the most. What can never be granted does not count.
pub fn reserved(pod: &Pod) -> ResourceList {
    let infeasible = is_infeasible(pod);
    requests_by(pod, |container| {
        let Some(status) = container_status(pod, container) else { return container_requests(container) };
        let has = status.resources.as_ref().and_then(|resources| resources.requests.as_ref());
        let granted = status.allocated_resources.as_ref();
        let mut most =
            if infeasible && (has.or(granted)).is_some() { ResourceList::new() } else { container_requests(container) };
        raise(&mut most, &read_list(has));
        raise(&mut most, &read_list(granted));
        most
    })
}

/// Whether what the pod wants can never be granted.
fn is_infeasible(pod: &Pod) -> bool {
    condition(pod, "PodResizePending").is_some_and(|it| it.reason.as_deref() == Some("Infeasible"))
}

fn requests_by(pod: &Pod, of: impl Fn(&Container) -> ResourceList) -> ResourceList {
    let Some(spec) = &pod.spec else { return ResourceList::new() };
    let mut total = aggregate(spec, of);
    override_by_pod(&mut total, spec.resources.as_ref().and_then(|r: &ResourceRequirements| r.requests.as_ref()));
    add(&mut total, &read_list(spec.overhead.as_ref()));
    total
}

fn container_status<'p>(pod: &'p Pod, container: &Container) -> Option<&'p ContainerStatus> {
    let status = pod.status.as_ref()?;
    let all = status.container_statuses.iter().flatten().chain(status.init_container_statuses.iter().flatten());
    all.into_iter().find(|status| status.name == container.name)
}

/// What the pod may use at most, for those resources that are limited. Overhead is added to what is limited.
pub fn limits(pod: &Pod) -> ResourceList {
    limits_by(pod, container_limits)
}

/// What a pod whose resources may be about to change may use at most: of the limits that a container wants and has, the
/// higher ones. What can never be granted does not count.
pub fn limits_in_force(pod: &Pod) -> ResourceList {
    let infeasible = is_infeasible(pod);
    limits_by(pod, |container| {
        let has = container_status(pod, container).and_then(|status| status.resources.as_ref());
        let Some(has) = has else { return container_limits(container) };
        let mut most = if infeasible { ResourceList::new() } else { container_limits(container) };
        raise(&mut most, &read_list(has.limits.as_ref()));
        most
    })
}

fn limits_by(pod: &Pod, of: impl Fn(&Container) -> ResourceList) -> ResourceList {
    let Some(spec) = &pod.spec else { return ResourceList::new() };
    let mut total = aggregate(spec, of);
    override_by_pod(&mut total, spec.resources.as_ref().and_then(|r| r.limits.as_ref()));
    for (name, amount) in read_list(spec.overhead.as_ref()) {
        if let Some(limit) = total.get_mut(&name).filter(|l| !l.is_zero()) {
            *limit += amount;
        }
    }
    total
}

/// What the containers request together, without what the pod asks for as a whole.
pub(crate) fn aggregate_requests(spec: &PodSpec) -> ResourceList {
    aggregate(spec, container_requests)
}

/// What the containers may use together.
pub(crate) fn aggregate_limits(spec: &PodSpec) -> ResourceList {
    aggregate(spec, container_limits)
}

/// Sums over the containers. Sidecars (init containers that restart always) run beside everything after them.
fn aggregate(spec: &PodSpec, of: impl Fn(&Container) -> ResourceList) -> ResourceList {
    let mut total = ResourceList::new();
    for container in &spec.containers {
        add(&mut total, &of(container));
    }
    let mut sidecars = ResourceList::new();
    let mut initialization = ResourceList::new();
    for container in spec.init_containers.iter().flatten() {
        let mut moment = of(container);
        if is_sidecar(container) {
            add(&mut total, &moment);
            add(&mut sidecars, &moment);
            moment = sidecars.clone();
        } else {
            add(&mut moment, &sidecars);
        }
        raise(&mut initialization, &moment);
    }
    raise(&mut total, &initialization);
    total
}

fn override_by_pod(total: &mut ResourceList, pod_level: Option<&BTreeMap<String, WireQuantity>>) {
    for (name, amount) in read_list(pod_level) {
        if is_pod_level(&name) {
            total.insert(name, amount);
        }
    }
}

/// What a pod can ask for as a whole (`IsSupportedPodLevelResource`).
pub(crate) fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

fn add(total: &mut ResourceList, more: &ResourceList) {
    for (name, amount) in more {
        *total.entry(name.clone()).or_default() += *amount;
    }
}

fn raise(total: &mut ResourceList, to: &ResourceList) {
    for (name, amount) in to {
        let entry = total.entry(name.clone()).or_insert(*amount);
        *entry = (*entry).max(*amount);
    }
}
