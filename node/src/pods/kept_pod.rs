//! Pods as the node keeps them: there are ten thousand, and most of them do nothing.
//!
//! A pod that nobody works with is its JSON, and the few facts that are asked for all the time. [`slim`] says what of the
//! API's pod the node wants, [`KeptPod::of`] keeps it, and whoever does something about it opens it again.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use coracle_api::pod::is_terminal;
use k8s_openapi::api::core::v1::{Pod, Toleration};
use serde::{Serialize, Serializer};

use super::packed::Packed;
use crate::{
    eviction::has_storage_limits,
    static_pods::{FROM_API, SOURCE},
};

/// A pod that is kept.
#[derive(Debug)]
pub struct KeptPod {
    packed: Packed<Pod>,
    /// It has run to its end.
    pub has_ended: bool,
    /// It sets a limit of local storage.
    pub limits_storage: bool,
}

impl KeptPod {
    /// Keeps a pod.
    pub fn of(pod: &Pod) -> Arc<KeptPod> {
        Arc::new(KeptPod {
            packed: Packed::of(pod),
            has_ended: is_terminal(pod),
            limits_storage: has_storage_limits(pod),
        })
    }

    /// The pod itself, for a moment.
    pub fn open(&self) -> Pod {
        self.packed.open()
    }
}

impl Serialize for KeptPod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.packed.json().serialize(serializer)
    }
}

/// The pod without what no node asks for. Of a pod that is `known`, its worker knows what its containers have mounted.
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
    pod
}

/// A kept pod that is open from the first look at it on, until it is put away.
#[derive(Debug, Clone)]
pub struct PodAtHand {
    kept: Arc<KeptPod>,
    open: OnceLock<Arc<Pod>>,
}

impl PodAtHand {
    /// A pod that has just been read, or is somebody else's; it is kept as well.
    pub fn opened(pod: Arc<Pod>) -> PodAtHand {
        PodAtHand { kept: KeptPod::of(&pod), open: OnceLock::from(pod) }
    }

    /// As it is kept.
    pub fn kept(&self) -> &Arc<KeptPod> {
        &self.kept
    }

    /// Takes in what the pod has become. What it was is returned.
    pub fn replace(&mut self, kept: Arc<KeptPod>) -> PodAtHand {
        if Arc::ptr_eq(&self.kept, &kept) {
            return self.clone();
        }
        std::mem::replace(self, PodAtHand::from(kept))
    }

    /// Nobody works with it for now.
    pub fn put_away(&mut self) {
        self.open.take();
    }
}

impl From<Arc<KeptPod>> for PodAtHand {
    fn from(kept: Arc<KeptPod>) -> PodAtHand {
        PodAtHand { kept, open: OnceLock::new() }
    }
}

impl Deref for PodAtHand {
    type Target = Arc<Pod>;

    fn deref(&self) -> &Arc<Pod> {
        self.open.get_or_init(|| Arc::new(self.kept.open()))
    }
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

    #[test]
    fn a_pod_is_the_same_after_it_was_put_away() {
        let volume = json!({"name": "v", "emptyDir": {"sizeLimit": "1Mi"}});
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [], "volumes": [volume]}, "status": {"phase": "Failed"}});
        let pod: Arc<Pod> = Arc::new(serde_json::from_value(pod).unwrap());
        let mut at_hand = PodAtHand::opened(Arc::clone(&pod));
        assert!(at_hand.kept().has_ended && at_hand.kept().limits_storage);
        at_hand.put_away();
        assert!(at_hand.open.get().is_none());
        assert_eq!(**at_hand, *pod);
        assert_eq!(serde_json::to_value(&**at_hand.kept()).unwrap(), serde_json::to_value(&*pod).unwrap());
        let before = at_hand.replace(KeptPod::of(&Pod::default()));
        assert_eq!((**before).clone(), *pod);
        assert_eq!(**at_hand, Pod::default());
    }
}
