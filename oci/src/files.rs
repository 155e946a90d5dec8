//! An image's files, for whoever mounts it instead of running it: a container image's layers unpacked, an artifact's
//! as files of the names their titles give.
//!
//! Invariant: a directory is complete before it has its name, and [`Files`] keep it whatever becomes of the image's
//! names.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::blobs::{blocking, sync_parent};
use crate::config;
use crate::digest::Digest;
use crate::error::PullError;
use crate::format::is_container_image;
use crate::image::Image;
use crate::manifest::{Descriptor, ImageManifest, Manifest};
use crate::media_type::{self, Compression, tar_compression};
use crate::pull::PullOptions;
use crate::reference::Reference;
use crate::store::{ImageStore, InUse, Inner, Want};
use crate::unpack::{Budget, LayerFile, UnpackError, place, unpack};

/// Names the file that a layer of an artifact is (image-spec, annotations.md).
const TITLE: &str = "org.opencontainers.image.title";
/// What an artifact's Wasm is called if it has no title. The directory is shared by all names of the image, so none of
/// them can be used.
const MODULE_FILE: &str = "module.wasm";

/// What a layer adds to an image's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// An archive, unpacked over what came before; with the digest it must have decompressed.
    Archive(Compression, Option<Digest>),
    /// A file of this name.
    File(PathBuf),
}

/// What the layers add, in order; those that have no name to be seen by are left out.
pub(crate) fn parts(
    name: &str,
    manifest: &ImageManifest,
    diff_ids: &[Digest],
) -> Result<Vec<(Descriptor, Part)>, PullError> {
    let is_image = is_container_image(manifest);
    let mut parts = Vec::new();
    for (index, layer) in manifest.layers.iter().enumerate() {
        let title =
            layer.annotations.as_ref().and_then(|all| all.get(TITLE)).filter(|title| !is_image && !title.is_empty());
        let part = match (title, tar_compression(&layer.media_type)) {
            (Some(title), _) => Part::File(title.into()),
            (None, Some(compression)) => Part::Archive(compression, diff_ids.get(index).cloned()),
            (None, None) if media_type::is_wasm(&layer.media_type) => Part::File(MODULE_FILE.into()),
            (None, None) if is_image => {
                return Err(PullError::UnsupportedMediaType {
                    reference: name.to_owned(),
                    what: format!("layer {}", layer.digest),
                    media_type: layer.media_type.clone(),
                });
            }
            (None, None) => {
                tracing::warn!(image = name, layer = %layer.digest, "a layer without a title can't be mounted");
                continue;
            }
        };
        parts.push((layer.clone(), part));
    }
    Ok(parts)
}

/// Makes the directory of an image's files, unless it is there. Blocks.
pub(crate) fn make(
    inner: &Inner,
    name: &str,
    manifest_digest: &str,
    parts: &[(Descriptor, Part)],
) -> Result<PathBuf, PullError> {
    let io = |error: io::Error| PullError::io(name, error);
    let target = inner.rootfs(manifest_digest);
    if target.is_dir() {
        return Ok(target);
    }
    let temp = tempfile::tempdir_in(inner.blobs.tmp()).map_err(io)?;
    let limits = &inner.limits;
    let mut budget = Budget { bytes: limits.unpacked_bytes, entries: limits.unpacked_entries };
    for (layer, part) in parts {
        if let Err(error) = add(inner, layer, part, temp.path(), &mut budget) {
            // Damaged on our disk, it would fail for ever: the check removes it, and the next pull fetches it again.
            let whole = inner.blobs.check(&layer.digest);
            tracing::debug!(digest = %layer.digest, ?whole, %error, "layer can't be unpacked");
            return Err(unpack_error(inner, name, &layer.digest, error));
        }
    }
    publish(temp, &target).map_err(io)?;
    Ok(target)
}

fn add(inner: &Inner, layer: &Descriptor, part: &Part, root: &Path, budget: &mut Budget) -> Result<(), UnpackError> {
    let path = inner.blobs.path(&layer.digest);
    match part {
        Part::Archive(compression, diff_id) => {
            unpack(&LayerFile { path, compression: *compression, diff_id: diff_id.clone() }, root, budget)
        }
        Part::File(name) => {
            if !inner.blobs.check(&layer.digest)? {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "damaged on disk").into());
            }
            place(&path, root, name)
        }
    }
}

/// Gives the unpacked directory its name, unless another pull of the same manifest was first.
fn publish(temp: tempfile::TempDir, target: &Path) -> io::Result<()> {
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755))?;
    match fs::rename(temp.path(), target) {
        Ok(()) => {
            // Renamed away: there is nothing left to delete.
            let _ = temp.keep();
            sync_parent(target)
        }
        Err(_) if target.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

fn unpack_error(inner: &Inner, name: &str, layer: &Digest, error: UnpackError) -> PullError {
    let reference = name.to_owned();
    let (bytes, entries) = (inner.limits.unpacked_bytes, inner.limits.unpacked_entries);
    match error {
        UnpackError::TooLarge => PullError::TooLarge {
            reference,
            what: format!("{error} (bytes)"),
            size: bytes.saturating_add(1),
            limit: bytes,
        },
        UnpackError::TooMany => {
            PullError::TooLarge { reference, what: error.to_string(), size: entries.saturating_add(1), limit: entries }
        }
        UnpackError::Io(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            PullError::StorageFull { reference }
        }
        other => PullError::Unpack { reference, layer: layer.to_string(), detail: other.to_string() },
    }
}

/// The directory of an image's files. It stays while this lives, even if the image is removed.
#[derive(Clone)]
pub struct Files {
    path: PathBuf,
    _held: Arc<InUse>,
}

impl Files {
    /// The directory; read-only by convention: it is shared.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Files").field(&self.path).finish()
    }
}

impl ImageStore {
    /// Like [`ImageStore::pull`], for the image's files: whatever they are, they are unpacked, and need no Wasm.
    pub async fn pull_files(&self, reference: &Reference, options: &PullOptions) -> Result<Image, PullError> {
        self.pull_for(Want::Files, reference, options).await
    }

    /// The image of this name, if all its files are here; those that only lack unpacking are unpacked. Asks no registry.
    pub async fn find_files(&self, reference: &Reference) -> Option<Image> {
        let image = self.inner.named(reference)?;
        let inner = Arc::clone(&self.inner);
        let name = image.reference.clone();
        match blocking(move || Ok(inner.make_here(image))).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(image = name, %error, "the image's files can't be looked at");
                None
            }
        }
    }

    /// The files of an image that was pulled or found for them. None: it has been removed since.
    pub fn files(&self, image: &Image) -> Option<Files> {
        let held = self.inner.hold(&Digest::parse(&image.manifest_digest).ok()?);
        let path = self.inner.rootfs(&image.manifest_digest);
        // Held before it is looked at, so that it can't go in between.
        path.is_dir().then(|| Files { path, _held: Arc::new(held) })
    }

    /// Whether somebody has this image's [`Files`], or pulls it just now.
    pub fn is_in_use(&self, image: &Image) -> bool {
        Digest::parse(&image.manifest_digest).is_ok_and(|digest| self.inner.is_held(&digest))
    }
}

impl Inner {
    /// The image, with its directory made from blobs that are here if need be; None if one is missing or bad.
    fn make_here(&self, image: Image) -> Option<Image> {
        let digest = Digest::parse(&image.manifest_digest).ok()?;
        let _held = self.hold(&digest);
        if !self.rootfs(digest.as_str()).is_dir() {
            let Ok(Manifest::Image(manifest)) = Manifest::parse(&self.blobs.read(&digest).ok()?, None) else {
                return None;
            };
            let parsed = self.blobs.read(&manifest.config.digest).ok().and_then(|bytes| config::parse(&bytes).ok());
            let parts = parts(&image.reference, &manifest, &parsed.unwrap_or_default().diff_ids).ok()?;
            let _layers: Vec<InUse> = parts.iter().map(|(layer, _)| self.hold(&layer.digest)).collect();
            if !parts.iter().all(|(layer, _)| self.blobs.contains(&layer.digest)) {
                return None;
            }
            let made = make(self, &image.reference, digest.as_str(), &parts);
            made.inspect_err(|error| tracing::warn!(%error, "an image that is here is fetched again")).ok()?;
        }
        Some(self.with_rootfs(image))
    }
}

#[cfg(test)]
mod tests;
