//! Pods that could be evicted, with what they use, and the order in which they are: pure functions.

use std::{cmp::Reverse, sync::Arc};

use coracle_api::{
    pod::{ResourceList, requests},
    quantity::Quantity,
};
use k8s_openapi::api::core::v1::{Pod, Volume};

use super::signal::Signal;
use crate::{
    pods::PodAtHand,
    static_pods::{is_mirror, is_static},
    stats::PodDisk,
};

/// From this priority on a pod is critical (`scheduling.SystemCriticalPriority`).
pub const CRITICAL_PRIORITY: i32 = 2_000_000_000;

/// Whether the node can't do without the pod (kubelet's `IsCriticalPod`).
pub fn is_critical(pod: &Pod) -> bool {
    is_mirror(pod) || is_static(pod) || priority(pod) >= CRITICAL_PRIORITY
}

/// The pod's priority.
pub fn priority(pod: &Pod) -> i32 {
    pod.spec.as_ref().and_then(|spec| spec.priority).unwrap_or(0)
}

/// A pod with what it uses.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The pod.
    pub pod: PodAtHand,
    /// By container: its name and the memory it holds, in bytes.
    pub memory: Vec<(String, u64)>,
    /// What it has on the disk, once that was measured.
    pub disk: Option<Arc<PodDisk>>,
}

impl Candidate {
    fn request(&self, resource: &str) -> i64 {
        let all: ResourceList = requests(&self.pod);
        all.get(resource).copied().map_or(0, Quantity::value)
    }

    fn memory_bytes(&self) -> i64 {
        signed(self.memory.iter().map(|(_, bytes)| *bytes).sum())
    }

    /// What it has on the node's own disk: writable layers, logs, local volumes.
    pub fn local_storage(&self) -> (u64, u64) {
        let Some(disk) = &self.disk else { return (0, 0) };
        let containers = disk.containers.iter().flat_map(|it| [it.rootfs, it.logs]);
        let volumes = disk.volumes.iter().filter(|(name, _)| self.is_local(name)).map(|(_, used)| *used);
        containers.chain(volumes).fold((0, 0), |(bytes, inodes), it| (bytes + it.bytes, inodes + it.inodes))
    }

    fn is_local(&self, volume: &str) -> bool {
        let volumes = self.pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        volumes.into_iter().any(|it| it.name == volume && is_local(it))
    }

    /// By how much the use of what a signal is about exceeds the request; negative below it.
    fn excess(&self, signal: Signal) -> i64 {
        match signal {
            Signal::Memory => self.memory_bytes() - self.request("memory"),
            Signal::Nodefs | Signal::Imagefs => signed(self.local_storage().0) - self.request("ephemeral-storage"),
            Signal::NodefsInodes | Signal::ImagefsInodes => signed(self.local_storage().1),
            // A sandbox is no process.
            Signal::Processes => 0,
        }
    }
}

/// Volumes whose bytes are the node's own (`LocalVolumeNames`).
fn is_local(volume: &Volume) -> bool {
    let on_disk = volume.empty_dir.as_ref().is_some_and(|dir| dir.medium.as_deref() != Some("Memory"));
    on_disk || volume.config_map.is_some()
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// The order of eviction, as documented: whose use exceeds its request first, among those the least priority, among
/// those whose use exceeds it most.
pub fn rank(candidates: Vec<Candidate>, signal: Signal) -> Vec<Candidate> {
    let place = |mut candidate: Candidate| {
        let excess = candidate.excess(signal);
        let within = excess <= 0 && signal != Signal::Processes;
        let place = (within, priority(&candidate.pod), Reverse(excess));
        // A node that is short of memory doesn't open all its pods at once.
        candidate.pod.put_away();
        (place, candidate)
    };
    let mut placed: Vec<_> = candidates.into_iter().map(place).collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use coracle_api::pod::MIRROR_ANNOTATION;
    use serde_json::{Value, json};

    use super::*;
    use crate::static_pods::SOURCE;
    use crate::stats::{ContainerDisk, DiskUse};

    fn pod(name: &str, priority: i32, requests: Value) -> PodAtHand {
        let container = json!({"name": "c", "resources": {"requests": requests}});
        let volumes = json!([{"name": "scratch", "emptyDir": {}}, {"name": "ram", "emptyDir": {"medium": "Memory"}}]);
        let pod = json!({"metadata": {"name": name}, "spec": {"priority": priority, "containers": [container], "volumes": volumes}});
        PodAtHand::opened(Arc::new(serde_json::from_value(pod).unwrap()))
    }

    fn using(name: &str, priority: i32, request: Value, used: u64) -> Candidate {
        Candidate { pod: pod(name, priority, request), memory: vec![("c".into(), used)], disk: None }
    }

    fn order(candidates: Vec<Candidate>, signal: Signal) -> Vec<String> {
        rank(candidates, signal).iter().map(|it| it.pod.metadata.name.clone().unwrap()).collect()
    }

    #[test]
    fn memory_goes_by_request_then_priority_then_excess() {
        let mi = |n: u64| n << 20;
        let request = |amount: &str| json!({"memory": amount});
        let order = order(
            vec![
                using("guaranteed-within", 0, request("100Mi"), mi(90)),
                using("burstable-over-by-10", 0, request("100Mi"), mi(110)),
                using("burstable-over-by-50", 0, request("100Mi"), mi(150)),
                using("best-effort-small", 0, json!({}), mi(20)),
                using("important-over-by-900", 1000, request("100Mi"), mi(1000)),
                using("cheap-within", -5, request("100Mi"), mi(50)),
            ],
            Signal::Memory,
        );
        assert_eq!(
            order,
            [
                "burstable-over-by-50",
                "best-effort-small",
                "burstable-over-by-10",
                "important-over-by-900",
                "cheap-within",
                "guaranteed-within",
            ]
        );
    }

    #[test]
    fn disks_go_by_local_storage_and_process_numbers_by_priority() {
        let with = |name: &str, priority, request: Value, logs: u64, scratch: u64, ram: u64| {
            let used = |bytes| DiskUse { bytes, inodes: bytes / 10 };
            let containers = vec![ContainerDisk { name: "c".into(), rootfs: used(0), logs: used(logs) }];
            let volumes = vec![("scratch".into(), used(scratch)), ("ram".into(), used(ram))];
            let disk = Some(Arc::new(PodDisk { containers, volumes }));
            Candidate { pod: pod(name, priority, request), memory: Vec::new(), disk }
        };
        let all = vec![
            with("asked", 0, json!({"ephemeral-storage": "1000"}), 100, 500, 0),
            with("logs", 0, json!({}), 300, 0, 0),
            with("scratch", 0, json!({}), 0, 400, 0),
            with("ram", 0, json!({}), 10, 0, 5000),
            with("important", 9, json!({}), 9000, 0, 0),
        ];
        assert_eq!(order(all.clone(), Signal::Nodefs), ["scratch", "logs", "ram", "important", "asked"]);
        assert_eq!(order(all.clone(), Signal::NodefsInodes), ["asked", "scratch", "logs", "ram", "important"]);
        assert_eq!(order(all, Signal::Processes)[4], "important");
    }

    #[test]
    fn static_pods_their_mirrors_and_the_highest_priorities_are_critical() {
        let annotated = |name: &str, value: &str| {
            let pod = json!({"metadata": {"annotations": {name: value}}, "spec": {"containers": []}});
            is_critical(&serde_json::from_value(pod).unwrap())
        };
        assert!(annotated(MIRROR_ANNOTATION, "x") && annotated(SOURCE, "file") && !annotated(SOURCE, "api"));
        let of = |priority| is_critical(&pod("p", priority, json!({})));
        assert!(of(CRITICAL_PRIORITY) && !of(CRITICAL_PRIORITY - 1));
    }
}
