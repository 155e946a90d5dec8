//! The volumes of one pod: made when the pod comes, there until it is over.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::core::v1::{Pod, Volume};
use tokio::time::{Instant, timeout_at};

use super::{
    atomic, claim, empty_dir,
    error::VolumeError,
    host_path,
    image::ImageVolume,
    keeper::{Registration, VolumeKeeper},
    kept,
    objects::Objects,
    ownership::Owner,
    payload::{Sources, is_payload},
    tokens::Tokens,
};
use crate::volumes::Downward;

/// How long an object that is missing is waited for before the pod is told of it: often both were made together, like
/// a namespace's `kube-root-ca.crt` and its first pod.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where and with what volumes are made.
pub struct Setting<'a> {
    /// The pod.
    pub pod: &'a Arc<Pod>,
    /// What its status may not show yet.
    pub about: Downward<'a>,
    /// Where objects come from.
    pub objects: &'a dyn Objects,
    /// Keeps them up to date.
    pub keeper: &'a Arc<VolumeKeeper>,
    /// The directory of all volumes of the pod.
    pub dir: &'a Path,
}

/// What a volume's directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// Files that are replaced from time to time, by renaming a link.
    Payload,
    /// The pod's own.
    Own,
    /// The host's, or a persistent volume.
    Host,
}

/// A volume that is there.
#[derive(Debug)]
pub(super) struct Mounted {
    name: Box<str>,
    pub(super) path: PathBuf,
    /// Its content is not the containers' to change.
    pub(super) read_only: bool,
    pub(super) nature: Nature,
}

/// The volumes of one pod.
#[derive(Debug, Default)]
pub struct Volumes {
    mounted: Box<[Mounted]>,
    pub(super) images: Box<[ImageVolume]>,
    /// While this is here, the volumes follow their objects.
    _registration: Option<Registration>,
}

impl Volumes {
    /// Makes all volumes of the pod but those of images, which [`Volumes::pull_images`] brings in; the error comes with the volume's name. What is in emptyDir volumes already stays.
    pub async fn set_up(setting: &Setting<'_>) -> Result<Volumes, (String, VolumeError)> {
        // Registered first: what changes while it is read is seen.
        let registration = setting.keeper.register(setting.pod, setting.dir, setting.about.pod_ip);
        let mut mounted = Vec::new();
        let patience = Instant::now() + PATIENCE;
        let volumes = setting.pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        for volume in volumes.filter(|volume| volume.image.is_none()) {
            let made = Box::pin(setting.mount_patiently(volume, registration.as_ref(), patience)).await;
            mounted.push(made.map_err(|error| (volume.name.clone(), error))?);
        }
        registration.iter().for_each(Registration::schedule);
        Ok(Volumes { mounted: mounted.into(), images: ImageVolume::all(setting.pod), _registration: registration })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Mounted> {
        self.mounted.iter().find(|volume| *volume.name == *name)
    }
}

impl Setting<'_> {
    async fn mount_patiently(
        &self,
        volume: &Volume,
        registration: Option<&Registration>,
        patience: Instant,
    ) -> Result<Mounted, VolumeError> {
        loop {
            let made = self.mount(volume, registration).await;
            let (Err(error), Some(registration)) = (&made, registration) else { return made };
            if !error.is_missing() || timeout_at(patience, registration.kept.changed.notified()).await.is_err() {
                return made;
            }
        }
    }

    async fn mount(&self, volume: &Volume, registration: Option<&Registration>) -> Result<Mounted, VolumeError> {
        let dir = self.dir.join(&volume.name);
        let made =
            |path: PathBuf, read_only, nature| Ok(Mounted { name: (&*volume.name).into(), path, read_only, nature });
        if let Some(source) = &volume.empty_dir {
            empty_dir::set_up(source, self.pod.metadata.uid.as_deref().unwrap_or_default(), &volume.name, &dir)?;
            self.own(&dir)?;
            return made(dir, false, Nature::Own);
        }
        if let Some(host) = &volume.host_path {
            host_path::set_up(&host.path, host.type_.as_deref().unwrap_or_default())?;
            return made(host.path.clone().into(), false, Nature::Host);
        }
        if let Some(claimed) = claim::set_up(volume, self.pod, self.objects).await? {
            if claimed.local && !claimed.read_only {
                self.own(&claimed.path)?;
            }
            return made(claimed.path, claimed.read_only, Nature::Host);
        }
        if !is_payload(volume) {
            return Err(VolumeError::Unsupported(type_name(volume)));
        }
        self.write(volume, registration).await?;
        made(dir, true, Nature::Payload)
    }

    async fn write(&self, volume: &Volume, registration: Option<&Registration>) -> Result<(), VolumeError> {
        let none = Tokens::default();
        let tokens = registration.map_or(&none, |registration| &registration.kept.tokens);
        let _turn = match registration {
            Some(registration) => Some(registration.kept.turn.lock().await),
            None => None,
        };
        let sources = Sources { about: self.about, objects: self.objects, tokens };
        atomic::make_root(&self.dir.join(&volume.name))?;
        kept::write(volume, &sources, self.dir).await
    }

    fn own(&self, dir: &Path) -> Result<(), VolumeError> {
        let Some(owner) = Owner::of(self.pod) else { return Ok(()) };
        // A volume in memory is a link to where it is.
        let path = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        owner.take(&path, false).map_err(|source| VolumeError::Io { path, source })
    }
}

fn type_name(volume: &Volume) -> String {
    let fields = serde_json::to_value(volume).unwrap_or_default();
    let names = fields.as_object().into_iter().flatten().map(|(name, _)| name.clone());
    names.into_iter().find(|name| name != "name").unwrap_or_else(|| "(none)".to_owned())
}

#[cfg(test)]
#[path = "volumes_tests.rs"]
mod tests;
