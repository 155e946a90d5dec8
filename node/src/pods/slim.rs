//! Pods as the node keeps them: there are ten thousand.

use k8s_openapi::api::core::v1::{Pod, Toleration};

use crate::static_pods::{FROM_API, SOURCE};

/// The pod without what no node asks for. Of a pod that is `known`, its worker knows what its containers have mounted.
///
/// What is left is cloned, because a clone's lists are as long as what is in them; those that the decoder filled have
/// room for four elements at least, and a container's status takes 700 bytes.
pub fn slim(mut pod: Pod, known: bool) -> Pod {
    pod.metadata.managed_fields = None;
    pod.metadata.owner_references = None;
    // Whoever writes this says nothing about where it comes from.
    if let Some(source) = pod.metadata.annotations.as_mut().and_then(|all| all.get_mut(SOURCE)) {
        FROM_API.clone_into(source);
    }
    if let Some(spec) = &mut pod.spec {
        // Of these, one matters: whether the pod comes even when memory is short.
        let memory = |it: &Toleration| it.key.as_deref().is_none_or(|key| key == "node.kubernetes.io/memory-pressure");
        let tolerations: Vec<_> = spec.tolerations.take().into_iter().flatten().filter(memory).collect();
        spec.tolerations = (!tolerations.is_empty()).then_some(tolerations);
    }
    if let Some(status) = pod.status.as_mut().filter(|_| known) {
        let lists = [&mut status.container_statuses, &mut status.init_container_statuses];
        lists.into_iter().flatten().flatten().for_each(|container| container.volume_mounts = None);
    }
    pod.clone()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::static_pods::is_static;

    #[test]
    fn who_writes_a_pod_does_not_say_where_it_comes_from() {
        let metadata = json!({"name": "p", "annotations": {SOURCE: "file", "other": "file"}});
        let pod: Pod = serde_json::from_value(json!({"metadata": metadata})).unwrap();
        assert!(is_static(&pod));
        let kept = slim(pod, false);
        assert!(!is_static(&kept));
        let kept = kept.metadata.annotations.unwrap();
        assert_eq!((&*kept[SOURCE], &*kept["other"]), (FROM_API, "file"));
    }

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
        assert!(status.volume_mounts.is_none());
        // A worker that takes over from a failed one begins with these.
        assert!(status.restart_count == 3 && status.resources.is_some() && status.allocated_resources.is_some());
        assert!(of(slim(pod, false)).volume_mounts.is_some());
    }
}
