//! Volumes by claim: persistent volumes that are directories of this node.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod, Volume};
use kube::ResourceExt;

use super::{error::VolumeError, host_path, objects::Objects};
use crate::admission::any_term_is_met;

/// Why a claim has no volume for the pod, in the words of kubelet's volume manager.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// the claim itself
    #[error("error processing PVC {claim}: {problem}")]
    Claim {
        /// `namespace/name`
        claim: String,
        /// What is wrong with it.
        problem: String,
    },
    /// an ephemeral volume's claim that somebody else made
    #[error("PVC {claim} was not created for pod {pod} (pod is not owner)")]
    NotOwner {
        /// `namespace/name`
        claim: String,
        /// `namespace/name`
        pod: String,
    },
    /// the volume it is bound to
    #[error("{0}")]
    Volume(String),
    /// a disk where directories are wanted
    #[error("volume {volume} has volumeMode {mode}, but is specified in {field}")]
    Mode {
        /// The pod's volume.
        volume: String,
        /// Its mode.
        mode: String,
        /// `volumeMounts`
        field: &'static str,
    },
}

/// The directory behind a claim.
#[derive(Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The directory.
    pub path: PathBuf,
    /// The pod may only read it.
    pub read_only: bool,
    /// It is the volume's own directory, not any place of the host's: `fsGroup` applies.
    pub local: bool,
}

/// Finds the directory behind `volume`; None if it is no claim.
pub async fn set_up(volume: &Volume, pod: &Pod, objects: &dyn Objects) -> Result<Option<Claimed>, VolumeError> {
    let namespace = pod.namespace().unwrap_or_default();
    let (name, read_only, ephemeral) = match (&volume.persistent_volume_claim, &volume.ephemeral) {
        (Some(source), _) => (source.claim_name.clone(), source.read_only.unwrap_or(false), false),
        (None, Some(_)) => (format!("{}-{}", pod.name_any(), volume.name), false, true),
        (None, None) => return Ok(None),
    };
    let text = format!("{namespace}/{name}");
    let wrong = |problem: String| ClaimError::Claim { claim: text.clone(), problem };
    let found = objects.claim(&namespace, &name).await;
    let found = found.map_err(|error| wrong(format!("failed to fetch PVC from API server: {error}")))?;
    let missing = || wrong(format!("failed to fetch PVC from API server: persistentvolumeclaims {name:?} not found"));
    let claim = found.ok_or_else(missing)?;
    if ephemeral && !is_for(&claim, pod) {
        let pod = format!("{namespace}/{}", pod.name_any());
        return Err(ClaimError::NotOwner { claim: text, pod }.into());
    }
    let bound = bound_volume(&claim).map_err(|problem| wrong(problem.to_owned()))?;
    let unread = |error: String| ClaimError::Volume(format!("failed to fetch PV {bound:?} from API server: {error}"));
    let found = objects.persistent_volume(bound).await.map_err(|error| unread(error.to_string()))?;
    let found = found.ok_or_else(|| unread(format!("persistentvolumes {bound:?} not found")))?;
    check_binding(&found, &claim)?;
    check_mode(&volume.name, &found, pod)?;
    check_affinity(&found, pod, objects).await?;
    directory(&found, read_only).map(Some)
}

fn is_for(claim: &PersistentVolumeClaim, pod: &Pod) -> bool {
    let owners = claim.metadata.owner_references.iter().flatten();
    owners.into_iter().any(|owner| owner.controller == Some(true) && Some(&owner.uid) == pod.metadata.uid.as_ref())
}

fn bound_volume(claim: &PersistentVolumeClaim) -> Result<&str, &'static str> {
    if claim.metadata.deletion_timestamp.is_some() {
        return Err("PVC is being deleted");
    }
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    if phase != Some("Bound") {
        return Err("PVC is not bound");
    }
    let name = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()).filter(|name| !name.is_empty());
    name.ok_or("PVC has empty pvc.Spec.VolumeName")
}

fn check_binding(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Result<(), ClaimError> {
    let name = volume.name_any();
    let Some(reference) = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref()) else {
        let text = "which is unexpected because the claim is bound to it";
        return Err(ClaimError::Volume(format!("found PV object {name:?} but it has a nil pv.Spec.ClaimRef, {text}")));
    };
    let (has, wants) = (reference.uid.as_deref().unwrap_or_default(), claim.uid().unwrap_or_default());
    if has == wants {
        return Ok(());
    }
    Err(ClaimError::Volume(format!(
        "found PV object {name:?} but its pv.Spec.ClaimRef.UID {has:?} does not point to claim.UID {wants:?}"
    )))
}

fn check_mode(name: &str, volume: &PersistentVolume, pod: &Pod) -> Result<(), ClaimError> {
    let mode = volume.spec.as_ref().and_then(|spec| spec.volume_mode.as_deref()).unwrap_or("Filesystem");
    let spec = pod.spec.iter();
    let mut containers = spec.flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    let as_device = |device: &k8s_openapi::api::core::v1::VolumeDevice| device.name == name;
    let field = match mode {
        "Filesystem" if containers.any(|it| it.volume_devices.iter().flatten().any(as_device)) => "volumeDevices",
        "Filesystem" => return Ok(()),
        _ => "volumeMounts",
    };
    Err(ClaimError::Mode { volume: name.to_owned(), mode: mode.to_owned(), field })
}

/// Whether the volume can be had on the pod's node, as far as its labels are known.
async fn check_affinity(volume: &PersistentVolume, pod: &Pod, objects: &dyn Objects) -> Result<(), VolumeError> {
    let affinity = volume.spec.as_ref().and_then(|spec| spec.node_affinity.as_ref());
    let Some(required) = affinity.and_then(|affinity| affinity.required.as_ref()) else { return Ok(()) };
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default();
    let labels = objects.node_labels(node).await;
    if labels.is_none_or(|labels| any_term_is_met(&required.node_selector_terms, node, &labels)) {
        return Ok(());
    }
    Err(failed(volume, "NodeAffinity check", "no matching NodeSelectorTerms"))
}

fn failed(volume: &PersistentVolume, step: &'static str, problem: impl ToString) -> VolumeError {
    VolumeError::Persistent { step, volume: volume.name_any(), problem: problem.to_string() }
}

fn check_local(path: &Path) -> Result<(), String> {
    match path.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err("only directory and block device are supported".to_owned()),
        Err(_) => Err(format!("path {:?} does not exist", path.display().to_string())),
    }
}

fn directory(volume: &PersistentVolume, read_only: bool) -> Result<Claimed, VolumeError> {
    let spec = volume.spec.clone().unwrap_or_default();
    if let Some(local) = &spec.local {
        let path = PathBuf::from(&local.path);
        check_local(&path).map_err(|problem| failed(volume, "NewMounter initialization", problem))?;
        return Ok(Claimed { path, read_only, local: true });
    }
    if let Some(host) = &spec.host_path {
        let made = host_path::set_up(&host.path, host.type_.as_deref().unwrap_or_default());
        made.map_err(|error| failed(volume, "SetUp", error))?;
        return Ok(Claimed { path: host.path.clone().into(), read_only, local: false });
    }
    let fields = serde_json::to_value(&spec).unwrap_or_default();
    let known =
        ["accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy"];
    let other = ["storageClassName", "volumeAttributesClassName", "volumeMode"];
    let names = fields.as_object().into_iter().flatten().map(|(name, _)| name.clone());
    let kind = names.into_iter().find(|name| !known.contains(&&**name) && !other.contains(&&**name));
    Err(VolumeError::Unsupported(kind.unwrap_or_else(|| "(none)".to_owned())))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::objects::fake::Fake, *};

    fn pod(mounts: &str) -> Pod {
        let container = json!({"name": "c", mounts: [{"name": "v", "mountPath": "/v", "devicePath": "/v"}]});
        let pod =
            json!({"metadata": {"name": "p", "namespace": "ns", "uid": "pu"}, "spec": {"containers": [container]}});
        serde_json::from_value(pod).unwrap()
    }

    fn claim(phase: &str) -> Value {
        json!({"metadata": {"name": "c", "uid": "cu"}, "spec": {"volumeName": "pv"}, "status": {"phase": phase}})
    }

    fn volume(source: Value) -> Value {
        let mut spec = json!({"claimRef": {"uid": "cu"}});
        spec.as_object_mut().unwrap().extend(source.as_object().cloned().unwrap());
        json!({"metadata": {"name": "pv"}, "spec": spec})
    }

    async fn find(pod: &Pod, of: Value, claim: Value, pv: Value) -> Result<Option<Claimed>, String> {
        let mut fake = Fake::default();
        let mut of = of;
        of["name"] = "v".into();
        fake.claims.insert(claim["metadata"]["name"].as_str().unwrap().into(), serde_json::from_value(claim).unwrap());
        fake.volumes.insert("pv".into(), serde_json::from_value(pv).unwrap());
        set_up(&serde_json::from_value(of).unwrap(), pod, &fake).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn bound_claims_lead_to_directories_of_the_node() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        let of = json!({"persistentVolumeClaim": {"claimName": "c", "readOnly": true}});
        for (source, local) in [(json!({"local": {"path": path}}), true), (json!({"hostPath": {"path": path}}), false)]
        {
            let found = find(&pod("volumeMounts"), of.clone(), claim("Bound"), volume(source)).await.unwrap().unwrap();
            assert_eq!(found, Claimed { path: path.into(), read_only: true, local });
        }
        let none = find(&pod("volumeMounts"), json!({"emptyDir": {}}), claim("Bound"), volume(json!({}))).await;
        assert_eq!(none.unwrap(), None);
        let mut owned = claim("Bound");
        owned["metadata"]["name"] = "p-v".into();
        let of = json!({"ephemeral": {}});
        let source = volume(json!({"local": {"path": path}}));
        let error = find(&pod("volumeMounts"), of.clone(), owned.clone(), source.clone()).await.unwrap_err();
        assert_eq!(error, "PVC ns/p-v was not created for pod ns/p (pod is not owner)");
        let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "pu", "controller": true});
        owned["metadata"]["ownerReferences"] = json!([owner]);
        assert!(find(&pod("volumeMounts"), of, owned, source).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_volume_that_is_not_here_is_called_by_its_own_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(at("file"), b"").unwrap();
        let of = json!({"persistentVolumeClaim": {"claimName": "c"}});
        for (source, text) in [
            (
                json!({"local": {"path": at("none")}}),
                format!("MountVolume.NewMounter initialization failed for volume \"pv\" : path {:?} does not exist", at("none")),
            ),
            (
                json!({"local": {"path": at("file")}}),
                "MountVolume.NewMounter initialization failed for volume \"pv\" : only directory and block device are supported".to_owned(),
            ),
            (
                json!({"hostPath": {"path": at("file"), "type": "Directory"}}),
                format!("MountVolume.SetUp failed for volume \"pv\" : hostPath type check failed: {} is not a directory", at("file")),
            ),
        ] {
            let found = find(&pod("volumeMounts"), of.clone(), claim("Bound"), volume(source)).await;
            assert_eq!(found.unwrap_err(), text);
        }
    }

    #[tokio::test]
    async fn a_volume_of_another_node_is_refused() {
        let terms = json!([{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]);
        let affinity = json!({"required": {"nodeSelectorTerms": terms}});
        let pv = volume(json!({"local": {"path": "/"}, "nodeAffinity": affinity}));
        let pv: PersistentVolume = serde_json::from_value(pv).unwrap();
        let zone = |zone: &str| Some([("zone".to_owned(), zone.to_owned())].into());
        for (node_labels, fits) in [(zone("a"), true), (zone("b"), false), (None, true)] {
            let fake = Fake { node_labels, ..Fake::default() };
            let found = check_affinity(&pv, &pod("volumeMounts"), &fake).await.map_err(|error| error.to_string());
            let text = "MountVolume.NodeAffinity check failed for volume \"pv\" : no matching NodeSelectorTerms";
            assert_eq!(found, if fits { Ok(()) } else { Err(text.to_owned()) });
        }
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_in_kubelets_words() {
        let of = |name: &str| json!({"persistentVolumeClaim": {"claimName": name}});
        let here = json!({"local": {"path": "/"}});
        let block = json!({"local": {"path": "/"}, "volumeMode": "Block"});
        let foreign = json!({"metadata": {"name": "pv"}, "spec": {"claimRef": {"uid": "x"}}});
        for (name, phase, pv, mounts, text) in [
            (
                "none",
                "Bound",
                volume(here.clone()),
                "volumeMounts",
                "error processing PVC ns/none: failed to fetch PVC from API server: persistentvolumeclaims \"none\" not found",
            ),
            ("c", "Pending", volume(here.clone()), "volumeMounts", "error processing PVC ns/c: PVC is not bound"),
            (
                "c",
                "Bound",
                foreign,
                "volumeMounts",
                "found PV object \"pv\" but its pv.Spec.ClaimRef.UID \"x\" does not point to claim.UID \"cu\"",
            ),
            (
                "c",
                "Bound",
                volume(block),
                "volumeMounts",
                "volume v has volumeMode Block, but is specified in volumeMounts",
            ),
            (
                "c",
                "Bound",
                volume(here),
                "volumeDevices",
                "volume v has volumeMode Filesystem, but is specified in volumeDevices",
            ),
            (
                "c",
                "Bound",
                volume(json!({"nfs": {"server": "s", "path": "/"}})),
                "volumeMounts",
                "no volume plugin matched: volume type nfs is not supported by this node",
            ),
        ] {
            assert_eq!(find(&pod(mounts), of(name), claim(phase), pv).await.unwrap_err(), text);
        }
    }
}
