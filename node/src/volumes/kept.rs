//! One pod whose volumes are kept up to date.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use coracle_client::{EventRecorder, about};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Volume};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use super::{
    atomic,
    downward::Downward,
    error::VolumeError,
    keeper::VolumeKeeper,
    objects::Objects,
    ownership::Owner,
    payload::{Sources, is_payload, payload},
    tokens::Tokens,
    watches::{Reference, references},
};
use crate::pods::{KeptPod, PodAtHand};

/// The volumes have to be tried again, without a change.
pub struct Again;

/// See the module.
pub struct Kept {
    pub(super) uid: Arc<str>,
    dir: PathBuf,
    pod_ip: IpAddr,
    pod: Mutex<Arc<KeptPod>>,
    /// Files tell about the pod itself.
    shows_pod: bool,
    references: Box<[Reference]>,
    pub(super) tokens: Tokens,
    /// Held by whoever writes the volumes.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Tells whoever sets the volumes up that an object has changed.
    pub(super) changed: Notify,
    /// When the keeper looks at it whatever happens; the keeper's own note.
    pub(super) due: Mutex<Option<Instant>>,
}

impl Kept {
    /// None: the pod has no volumes that change.
    pub fn of(pod: &Arc<Pod>, dir: &Path, pod_ip: IpAddr) -> Option<Kept> {
        let volumes = || pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        if !volumes().any(is_payload) {
            return None;
        }
        Some(Kept {
            uid: pod.metadata.uid.as_deref().unwrap_or_default().into(),
            dir: dir.to_owned(),
            pod_ip,
            pod: Mutex::new(KeptPod::of(pod)),
            shows_pod: volumes().any(shows_pod),
            references: references(pod),
            tokens: Tokens::default(),
            turn: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            due: Mutex::default(),
        })
    }

    pub(super) fn references(&self) -> &[Reference] {
        &self.references
    }

    /// Takes the pod's new object. True: something that its volumes may show is different.
    pub(super) fn take_pod(&self, pod: &PodAtHand) -> bool {
        let before = std::mem::replace(&mut *self.pod.lock(), Arc::clone(pod.kept()));
        if !self.shows_pod {
            return false;
        }
        let before = before.open();
        let (old, new) = (&before.metadata, &pod.metadata);
        old.labels != new.labels || old.annotations != new.annotations || !same_resources(&before, pod)
    }

    /// When tokens have to be replaced.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let due = self.tokens.next()?;
        let left = Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or(Duration::ZERO);
        now.checked_add(left)
    }

    /// Writes the volumes again, as far as they have changed. What can't be had leaves them as they are.
    pub(super) async fn refresh(
        &self,
        keeper: &VolumeKeeper,
        objects: &dyn Objects,
        events: &EventRecorder,
    ) -> Result<(), Again> {
        let _turn = self.turn.lock().await;
        let pod = Arc::clone(&self.pod.lock()).open();
        let (pod_ip, host_ip, allocatable) = (self.pod_ip, keeper.host_ip(), keeper.allocatable());
        let about_pod = Downward { pod: &pod, pod_ip, host_ip, allocatable };
        let sources = Sources { about: about_pod, objects, tokens: &self.tokens };
        let mut again = Ok(());
        for volume in pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()).filter(|it| is_payload(it)) {
            if !self.dir.join(&volume.name).is_dir() {
                // The pod is just going, or it is not there yet.
                continue;
            }
            if let Err(error) = write(volume, &sources, &self.dir).await {
                let message = format!("MountVolume.SetUp failed for volume {:?} : {error}", volume.name);
                events.warning(&about(&pod), "FailedMount", message);
                if !error.is_missing() {
                    again = Err(Again);
                }
            }
        }
        again
    }
}

/// Whether a volume's files tell about the pod beyond what stays as it is for all its life.
fn shows_pod(volume: &Volume) -> bool {
    let projected = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
    let items = projected.filter_map(|source| source.downward_api.as_ref()?.items.as_ref());
    let items = items.chain(volume.downward_api.iter().filter_map(|source| source.items.as_ref())).flatten();
    let fixed = |path: &str| matches!(path, "metadata.name" | "metadata.namespace" | "metadata.uid");
    items.into_iter().any(|item| !item.field_ref.as_ref().is_some_and(|field| fixed(&field.field_path)))
}

/// Whether the containers have the resources they had: a pod may be resized.
fn same_resources(one: &Pod, other: &Pod) -> bool {
    let (Some(one), Some(other)) = (&one.spec, &other.spec) else { return true };
    let (one, other) = (&one.containers, &other.containers);
    one.iter().map(|it| &it.resources).eq(other.iter().map(|it| &it.resources))
}

/// Writes the files of one volume below `dir`, if it is one of files and they are not there yet.
pub async fn write(volume: &Volume, sources: &Sources<'_>, dir: &Path) -> Result<(), VolumeError> {
    let dir = dir.join(&volume.name);
    let Some(files) = payload(volume, sources, &dir).await? else { return Ok(()) };
    let written = atomic::write(&dir, &files, Owner::of(sources.about.pod));
    written.inspect_err(|_| sources.tokens.forget()).map(drop)
}
