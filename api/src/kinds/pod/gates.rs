//! Fields of features that Kubernetes 1.36 has but does not switch on by itself: they are dropped, as there.

use serde_json::Value;

use crate::kinds::json::items;

/// Projections for trust and certificates, whose APIs are not served.
const PROJECTIONS: [&str; 2] = ["clusterTrustBundle", "podCertificate"];

fn remove(parent: &mut Value, key: &str) {
    if let Some(map) = parent.as_object_mut() {
        map.remove(key);
    }
}

/// Drops them from the spec of a pod or a template: `GenericWorkload`, `ContainerStopSignals`,
/// `ClusterTrustBundleProjection` and `PodCertificateRequest`.
pub(super) fn drop_disabled(spec: &mut Value) {
    remove(spec, "schedulingGroup");
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in items(spec, list) {
            let Some(lifecycle) = container.get_mut("lifecycle").filter(|l| l.get("stopSignal").is_some()) else {
                continue;
            };
            remove(lifecycle, "stopSignal");
            if lifecycle.as_object().is_some_and(|hooks| hooks.values().all(Value::is_null)) {
                remove(container, "lifecycle");
            }
        }
    }
    for volume in items(spec, "volumes") {
        let sources = volume.get_mut("projected").into_iter().flat_map(|projected| items(projected, "sources"));
        sources.for_each(|source| PROJECTIONS.iter().for_each(|projection| remove(source, projection)));
    }
}

/// Drops them from the status of a pod: `DRANodeAllocatableResources`, `ContainerStopSignals` and
/// `ImageVolumeWithDigest`.
pub(super) fn drop_disabled_status(status: &mut Value) {
    remove(status, "nodeAllocatableResourceClaimStatuses");
    for list in ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"] {
        for container in items(status, list) {
            remove(container, "stopSignal");
            items(container, "volumeMounts").for_each(|mount| remove(mount, "volumeStatus"));
        }
    }
}
