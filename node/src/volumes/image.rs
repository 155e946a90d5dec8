//! Volumes that are the files of an image (KEP-4639).
//!
//! Unlike other volumes they hold up containers, not the pod: each image is pulled before the pod's first container
//! starts, and one that can't be had is the waiting reason of the containers that mount it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use coracle_oci::Files;
use k8s_openapi::api::core::v1::{Container, Pod, Volume};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{sub_path::inside, volume_set::Volumes};
use crate::{
    events::Subject,
    images::{ImageFailure, ImageManager, ImageRequest, Keyring},
};

/// How long a failure stands for all containers of the pod: they are started one after the other, and an image is
/// pulled once for them all, not once for each.
const FAILURE_SHARED: Duration = Duration::from_secs(2);

/// Why a place in an image can't be mounted: what container runtimes say of it.
#[derive(Debug, thiserror::Error)]
pub enum ImageMountError {
    /// there is no such place
    #[error("ImageVolumeMountFailed: sub path {sub_path:?} does not exist in image volume {image:?}")]
    NoSubPath {
        /// The place.
        sub_path: String,
        /// The image.
        image: String,
    },
    /// it is no directory, and image volumes have nothing else to mount
    #[error("ImageVolumeMountFailed: only directory subpath is supported, subpath: {0:?}")]
    NoDirectory(String),
    /// it can't be looked at, or leads out of the image
    #[error("ImageVolumeMountFailed: safe mount sub path: {0}")]
    SubPath(#[source] io::Error),
}

/// One such volume.
#[derive(Debug)]
pub struct ImageVolume {
    name: Box<str>,
    reference: String,
    policy: Option<String>,
    /// What the name stood for when it was first asked; the same until the pod is over.
    files: OnceLock<Files>,
    failed: Mutex<Option<(Instant, ImageFailure)>>,
}

/// A volume's image can't be had.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{failure}")]
pub struct VolumeImageFailure {
    /// The image, as the volume names it.
    pub image: String,
    /// Why.
    #[source]
    pub failure: ImageFailure,
}

/// The images that a pod's volumes name.
pub fn volume_images(pod: &Pod) -> Box<[String]> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(|volume| volume.image.as_ref()?.reference.clone()).collect()
}

impl ImageVolume {
    fn of(volume: &Volume) -> Option<ImageVolume> {
        let source = volume.image.as_ref()?;
        Some(ImageVolume {
            name: (&*volume.name).into(),
            reference: source.reference.clone().unwrap_or_default(),
            policy: source.pull_policy.clone(),
            files: OnceLock::new(),
            failed: Mutex::default(),
        })
    }

    /// The image volumes of a pod.
    pub(super) fn all(pod: &Pod) -> Box<[ImageVolume]> {
        pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()).filter_map(ImageVolume::of).collect()
    }

    async fn pull(&self, images: &ImageManager, keyring: &Keyring, subject: &Subject) {
        let shared = self.failed.lock().as_ref().is_some_and(|(at, _)| at.elapsed() < FAILURE_SHARED);
        if shared || self.files.get().is_some() {
            return;
        }
        let request = ImageRequest {
            image: &self.reference,
            policy: self.policy.as_deref(),
            keyring,
            ran: None,
            patience: None,
            subject,
        };
        match images.ensure_files(&request).await {
            Ok(files) => {
                let _ = self.files.set(files);
                *self.failed.lock() = None;
            }
            Err(failure) => *self.failed.lock() = Some((Instant::now(), failure)),
        }
    }

    /// The directory at `sub_path`; None: the image is not here.
    pub(super) fn place(&self, sub_path: &str) -> Option<Result<PathBuf, ImageMountError>> {
        let root = self.files.get()?.path();
        Some(self.below(root, sub_path))
    }

    fn below(&self, root: &Path, sub_path: &str) -> Result<PathBuf, ImageMountError> {
        if sub_path.is_empty() {
            return Ok(root.to_owned());
        }
        let found = inside(root, Path::new(sub_path), false).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                ImageMountError::NoSubPath { sub_path: sub_path.to_owned(), image: self.reference.clone() }
            }
            _ => ImageMountError::SubPath(error),
        })?;
        if found.is_dir() { Ok(found) } else { Err(ImageMountError::NoDirectory(sub_path.to_owned())) }
    }
}

impl Volumes {
    pub(super) fn image(&self, name: &str) -> Option<&ImageVolume> {
        self.images.iter().find(|image| *image.name == *name)
    }

    /// Whether no image has to be looked for before a container can start.
    pub fn images_are_here(&self) -> bool {
        self.images.iter().all(|image| image.files.get().is_some())
    }

    /// Looks for all images that are not here yet; events tell of it.
    pub async fn pull_images(&self, images: &ImageManager, keyring: &Keyring, subject: &Subject) {
        for image in &self.images {
            image.pull(images, keyring, subject).await;
        }
    }

    /// Why the container has to wait: the first image it mounts that could not be had.
    pub fn image_failure(&self, container: &Container) -> Option<VolumeImageFailure> {
        let mounted = container.volume_mounts.iter().flatten().filter_map(|mount| self.image(&mount.name));
        mounted.filter(|image| image.files.get().is_none()).find_map(|image| {
            let failure = image.failed.lock().as_ref().map(|(_, failure)| failure.clone())?;
            Some(VolumeImageFailure { image: image.reference.clone(), failure })
        })
    }
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
