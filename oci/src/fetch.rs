//! Pulls an image's Wasm into a file, without keeping an image store.

use std::path::{Path, PathBuf};

use crate::blobs::{blocking, sync_parent};
use crate::error::{PullError, StoreError};
use crate::image::Image;
use crate::limits::Limits;
use crate::pull::PullOptions;
use crate::reference::Reference;
use crate::store::ImageStore;

/// Why a file could not be had from an image.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// The pull failed
    #[error(transparent)]
    Pull(#[from] PullError),
    /// The file can't be written
    #[error("can't write {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: StoreError,
    },
}

/// Pulls `reference` and writes its Wasm to `file`, in one step: the file is whole or as it was.
pub async fn pull_to_file(
    reference: &Reference,
    file: &Path,
    options: &PullOptions,
    limits: Limits,
) -> Result<Image, FetchError> {
    let failed = |source: StoreError| FetchError::File { path: file.to_owned(), source };
    let parent = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // Beside the file, so that the last step is a rename within one file system.
    let dir = tempfile::Builder::new()
        .prefix(".coracle-pull-")
        .tempdir_in(parent)
        .map_err(|error| failed(StoreError::io("has no place to work", error)))?;
    let store = ImageStore::open(dir.path(), limits).map_err(failed)?;
    let mut image = store.pull(reference, options).await?;
    let bytes = store.module(&image).map_err(failed)?;
    let (target, temp) = (file.to_owned(), dir.path().join("module"));
    let write = move || {
        std::fs::write(&temp, &bytes)?;
        std::fs::File::open(&temp)?.sync_all()?;
        std::fs::rename(&temp, &target)?;
        sync_parent(&std::path::absolute(&target)?)
    };
    blocking(write).await.map_err(|error| failed(StoreError::io("can't be written", error)))?;
    // It lay in the working directory, which is gone.
    image.rootfs = None;
    Ok(image)
}
