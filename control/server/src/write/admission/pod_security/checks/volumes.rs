//! Kinds of volumes.

use serde_json::Value;

use super::{Pod, Texts, Violation, name, plural, quoted};
use crate::value::items;

/// What a restricted pod may mount; `image` in every version of the standards since Kubernetes 1.33.
const ALLOWED: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// What it may not, by the names that are told.
const FORBIDDEN: [&str; 21] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
];

/// `check_hostPathVolumes.go`
pub(super) fn host_path(pod: Pod<'_>) -> Option<Violation> {
    let names: Vec<&str> = items(&pod.spec["volumes"]).filter(|volume| has(volume, "hostPath")).map(name).collect();
    (!names.is_empty()).then(|| {
        let noun = plural(names.len(), "volume", "volumes");
        Violation::new("hostPath volumes", format!("{noun} {}", quoted(&names)))
    })
}

/// `check_restrictedVolumes.go`
pub(super) fn restricted(pod: Pod<'_>) -> Option<Violation> {
    let (mut names, mut types) = (Vec::new(), Texts::new());
    for volume in items(&pod.spec["volumes"]).filter(|volume| !ALLOWED.iter().any(|kind| has(volume, kind))) {
        names.push(name(volume));
        types.insert(FORBIDDEN.into_iter().find(|kind| has(volume, kind)).unwrap_or("unknown"));
    }
    (!names.is_empty()).then(|| {
        let detail = format!(
            "{} {} {} {} {}",
            plural(names.len(), "volume", "volumes"),
            quoted(&names),
            plural(names.len(), "uses", "use"),
            plural(types.len(), "restricted volume type", "restricted volume types"),
            quoted(types)
        );
        Violation::new("restricted volume types", detail)
    })
}

fn has(volume: &Value, kind: &str) -> bool {
    volume[kind].is_object()
}
