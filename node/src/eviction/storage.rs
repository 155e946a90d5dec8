//! Limits of local storage: of an emptyDir, of a container, of the pod. Who exceeds one is evicted, whatever the node
//! has left.

use coracle_api::{pod::limits, quantity::Quantity};
use k8s_openapi::api::core::v1::{Container, Pod, Volume};

use super::{
    candidate::Candidate,
    message::{container_limit, pod_limit, volume_limit},
};
use crate::pods::limit_of;

const RESOURCE: &str = "ephemeral-storage";

/// Whether the pod sets any limit that is looked at here; most set none.
pub fn has_limits(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let sized = |volume: &Volume| volume.empty_dir.as_ref().is_some_and(|dir| dir.size_limit.is_some());
    spec.volumes.iter().flatten().any(sized) || spec.containers.iter().any(|container| limit(container).is_some())
}

/// What a container may have on the disk.
fn limit(container: &Container) -> Option<Quantity> {
    limit_of(container.resources.as_ref(), RESOURCE).map(Quantity::from)
}

/// Which limit the pod exceeds, in kubelet's words; None if none.
pub fn exceeded(candidate: &Candidate) -> Option<String> {
    volume(candidate).or_else(|| pod(candidate)).or_else(|| container(candidate))
}

fn volume(candidate: &Candidate) -> Option<String> {
    let disk = candidate.disk.as_ref()?;
    candidate.pod.spec.as_ref()?.volumes.iter().flatten().find_map(|volume| {
        let limit = Quantity::from(volume.empty_dir.as_ref()?.size_limit.as_ref()?);
        let (_, used) = disk.volumes.iter().find(|(name, _)| *name == volume.name)?;
        let over = !limit.is_zero() && !limit.is_negative() && Quantity::from_bytes(used.bytes) > limit;
        over.then(|| volume_limit(&volume.name, limit))
    })
}

fn pod(candidate: &Candidate) -> Option<String> {
    let limit = *limits(&candidate.pod).get(RESOURCE)?;
    // A pod with a container that has no limit has none itself.
    let all = &candidate.pod.spec.as_ref()?.containers;
    let bounded = all.iter().all(|container| self::limit(container).is_some());
    (bounded && Quantity::from_bytes(candidate.local_storage().0) > limit).then(|| pod_limit(limit))
}

fn container(candidate: &Candidate) -> Option<String> {
    let disk = candidate.disk.as_ref()?;
    candidate.pod.spec.as_ref()?.containers.iter().find_map(|container| {
        let limit = limit(container)?;
        let used = disk.containers.iter().find(|it| it.name == container.name)?;
        let used = Quantity::from_bytes(used.rootfs.bytes + used.logs.bytes);
        (!limit.is_zero() && used > limit).then(|| container_limit(&container.name, limit))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{
        pods::PodAtHand,
        stats::{ContainerDisk, DiskUse, PodDisk},
    };

    /// Of a pod with two containers, an emptyDir of 1Mi, and these bytes of logs and in the volume.
    fn verdict(limits: [Option<&str>; 2], logs: [u64; 2], scratch: u64) -> Option<String> {
        let container = |name: &str, limit: Option<&str>| {
            let limits = limit.map(|limit| json!({RESOURCE: limit}));
            json!({"name": name, "resources": {"limits": limits}})
        };
        let pod = json!({"metadata": {"name": "p"}, "spec": {
            "containers": [container("a", limits[0]), container("b", limits[1])],
            "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}}],
        }});
        let used = |bytes| DiskUse { bytes, inodes: 1 };
        let disk = |name: &str, bytes| ContainerDisk { name: name.into(), rootfs: used(0), logs: used(bytes) };
        let disk = PodDisk {
            containers: vec![disk("a", logs[0]), disk("b", logs[1])],
            volumes: vec![("scratch".into(), used(scratch))],
        };
        let pod: Pod = serde_json::from_value(pod).unwrap();
        assert!(has_limits(&pod));
        exceeded(&Candidate { pod: PodAtHand::opened(Arc::new(pod)), memory: Vec::new(), disk: Some(Arc::new(disk)) })
    }

    #[test]
    fn limits_are_told_in_kubelets_words() {
        let mi = 1 << 20;
        assert_eq!(verdict([None, None], [9 * mi, 9 * mi], mi), None);
        assert_eq!(
            verdict([None, None], [0, 0], mi + 1).unwrap(),
            "Usage of EmptyDir volume \"scratch\" exceeds the limit \"1Mi\". "
        );
        assert_eq!(
            verdict([Some("2Mi"), None], [3 * mi, 0], 0).unwrap(),
            "Container a exceeded its local ephemeral storage limit \"2Mi\". "
        );
        assert_eq!(
            verdict([Some("1Mi"), Some("2Mi")], [mi, 2 * mi], mi).unwrap(),
            "Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. "
        );
        assert_eq!(verdict([Some("2Mi"), Some("2Mi")], [mi, mi], mi), None);
    }
}
