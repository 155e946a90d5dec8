//! What is said of an eviction: kubelet's texts.

use coracle_api::quantity::Quantity;
use k8s_openapi::api::core::v1::Container;

use super::{amount::observed, candidate::Candidate, observe::Observation, signal::Signal, thresholds::Threshold};

/// The reason of an evicted pod, and of the event.
pub const REASON: &str = "Evicted";

/// Why a pod is evicted that a shortage has chosen.
pub fn of_shortage(threshold: &Threshold, observation: Option<Observation>, candidate: &Candidate) -> String {
    let resource = threshold.signal.resource();
    let mut text = format!("The node was low on resource: {resource}. ");
    if let Some(seen) = observation {
        let (quantity, left) =
            (threshold.amount.quantity(seen.capacity), observed(seen.available, threshold.signal.is_bytes()));
        text += &format!("Threshold quantity: {quantity}, available: {left}. ");
    }
    for container in containers(candidate) {
        let Some(used) = used_by(candidate, &container.name, threshold.signal) else { continue };
        let requests = container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
        let request = requests.and_then(|all| all.get(resource)).map_or(Quantity::ZERO, Quantity::from);
        let used = Quantity::from_bytes(used);
        if used > request {
            text += &format!(
                "Container {} was using {used}, request is {request}, has larger consumption of {resource}. ",
                container.name
            );
        }
    }
    text
}

fn containers(candidate: &Candidate) -> impl Iterator<Item = &Container> {
    let specs = candidate.pod.spec.iter();
    specs.flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()))
}

/// What a container uses of what is short, as far as messages tell it.
fn used_by(candidate: &Candidate, container: &str, signal: Signal) -> Option<u64> {
    match signal.resource() {
        "memory" => candidate.memory.iter().find(|(name, _)| name == container).map(|(_, bytes)| *bytes),
        "ephemeral-storage" => {
            let disk = candidate.disk.as_ref()?.containers.iter().find(|it| it.name == container)?;
            Some(disk.rootfs.bytes + disk.logs.bytes)
        }
        _ => None,
    }
}

/// A container has more than its limit.
pub fn container_limit(container: &str, limit: Quantity) -> String {
    format!("Container {container} exceeded its local ephemeral storage limit \"{limit}\". ")
}

/// The pod has more than the sum of its limits.
pub fn pod_limit(limit: Quantity) -> String {
    format!("Pod ephemeral local storage usage exceeds the total limit of containers {limit}. ")
}

/// An emptyDir has more than its limit.
pub fn volume_limit(volume: &str, limit: Quantity) -> String {
    format!("Usage of EmptyDir volume \"{volume}\" exceeds the limit \"{limit}\". ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::super::thresholds::EvictionSettings;
    use super::*;
    use crate::{
        pods::PodAtHand,
        stats::{ContainerDisk, DiskUse, PodDisk},
    };

    fn candidate() -> Candidate {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [
            {"name": "a", "resources": {"requests": {"memory": "10Mi"}}}, {"name": "b"}, {"name": "idle"},
        ]}});
        let disk = |name: &str, bytes| {
            let logs = DiskUse { bytes, inodes: 1 };
            ContainerDisk { name: name.into(), rootfs: DiskUse::default(), logs }
        };
        Candidate {
            pod: PodAtHand::opened(Arc::new(serde_json::from_value(pod).unwrap())),
            memory: vec![("a".into(), 12 << 20), ("b".into(), 3 << 10), ("idle".into(), 0)],
            disk: Some(Arc::new(PodDisk { containers: vec![disk("a", 5 << 20), disk("b", 0)], volumes: Vec::new() })),
        }
    }

    #[test]
    fn a_shortage_names_what_is_short_and_who_uses_it() {
        let settings = EvictionSettings {
            hard: "memory.available<100Mi,nodefs.available<5%,nodefs.inodesFree<5%".parse().unwrap(),
            ..EvictionSettings::default()
        };
        let all = settings.thresholds().unwrap();
        let seen = |available, capacity| Some(Observation { available, capacity });
        assert_eq!(
            of_shortage(&all[0], seen(50 << 20, 1 << 30), &candidate()),
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container a was using \
             12Mi, request is 10Mi, has larger consumption of memory. Container b was using 3Ki, request is 0, has \
             larger consumption of memory. "
        );
        assert_eq!(
            of_shortage(&all[1], seen(1 << 20, 100 << 20), &candidate()),
            "The node was low on resource: ephemeral-storage. Threshold quantity: 5Mi, available: 1Mi. Container a was \
             using 5Mi, request is 0, has larger consumption of ephemeral-storage. "
        );
        assert_eq!(
            of_shortage(&all[2], seen(7, 1000), &candidate()),
            "The node was low on resource: inodes. Threshold quantity: 50, available: 7. "
        );
    }
}
