//! Pods as the node keeps them: there are ten thousand.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, Toleration};

/// The pod without what no node asks for. Of a pod that is `known`, its worker knows what its containers were given.
///
/// What is left is cloned, because a clone's lists are as long as what is in them; those that the decoder filled have
/// room for four elements at least, and a container's status takes 700 bytes.
pub fn slim(mut pod: Pod, known: bool) -> Pod {
    pod.metadata.managed_fields = None;
    pod.metadata.owner_references = None;
    if let Some(spec) = &mut pod.spec {
        // Of these, one matters: whether the pod comes even when memory is short.
        let memory = |it: &Toleration| it.key.as_deref().is_none_or(|key| key == "node.kubernetes.io/memory-pressure");
        let tolerations: Vec<_> = spec.tolerations.take().into_iter().flatten().filter(memory).collect();
        spec.tolerations = (!tolerations.is_empty()).then_some(tolerations);
    }
    if let Some(status) = pod.status.as_mut().filter(|_| known) {
        for list in [&mut status.container_statuses, &mut status.init_container_statuses] {
            list.iter_mut().flatten().for_each(slim_status);
        }
    }
    pod.clone()
}

fn slim_status(status: &mut ContainerStatus) {
    status.resources = None;
    status.allocated_resources = None;
    status.volume_mounts = None;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_a_node_asks_for_is_kept() {
        let status = json!({
            "name": "a", "image": "x", "imageID": "y", "ready": true, "restartCount": 3,
            "resources": {}, "allocatedResources": {}, "volumeMounts": [],
        });
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "managedFields": [{}], "ownerReferences": []},
            "spec": {"containers": [], "tolerations": [{"key": "a"}, {"key": "node.kubernetes.io/memory-pressure"}, {}]},
            "status": {"phase": "Running", "containerStatuses": [status]},
        }))
        .unwrap();
        let kept = slim(pod.clone(), true);
        assert_eq!(kept.spec.as_ref().unwrap().tolerations.as_ref().unwrap().len(), 2);
        assert!(kept.metadata.managed_fields.is_none() && kept.metadata.owner_references.is_none());
        let of = |pod: Pod| pod.status.unwrap().container_statuses.unwrap().remove(0);
        let status = of(kept);
        assert!(status.resources.is_none() && status.allocated_resources.is_none() && status.volume_mounts.is_none());
        assert_eq!(status.restart_count, 3);
        // Its worker begins with what the node before this one had given.
        assert!(of(slim(pod, false)).resources.is_some());
    }
}
