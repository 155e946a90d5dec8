//! `emptyDir`: a directory that lives as long as the pod, on disk or in memory.
//!
//! Memory is a directory on the node's `/dev/shm`, which only this process's user can enter; in the pod's directory
//! stands a link to it. Nothing is mounted, so nothing can stay mounted. Without a usable `/dev/shm` it is disk.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::EmptyDirVolumeSource;

use super::error::VolumeError;

/// Where Linux keeps files in memory for everybody.
const SHARED_MEMORY: &str = "/dev/shm";
/// What the names of our directories there begin with; the pod's UID follows.
const PREFIX: &str = "coracle-";

/// Makes the directory of the volume `name` at `dir`. What is in it already stays: containers come and go.
pub fn set_up(source: &EmptyDirVolumeSource, uid: &str, name: &str, dir: &Path) -> Result<(), VolumeError> {
    let failed = |source| VolumeError::Io { path: dir.to_owned(), source };
    match source.medium.as_deref().unwrap_or_default() {
        "" => make(dir).map_err(failed),
        "Memory" => match in_memory(Path::new(SHARED_MEMORY), uid, name) {
            Ok(target) => link(&target, dir).map_err(failed),
            Err(error) => {
                tracing::warn!(%error, volume = name, "a volume in memory is on disk: {SHARED_MEMORY} can't be used");
                make(dir).map_err(failed)
            }
        },
        other => Err(VolumeError::Medium(other.to_owned())),
    }
}

fn make(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o777))
}

fn in_memory(memory: &Path, uid: &str, name: &str) -> io::Result<PathBuf> {
    if uid.is_empty() || [uid, name].iter().any(|part| part.contains('/')) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the pod has no usable UID"));
    }
    let pod = memory.join(format!("{PREFIX}{uid}"));
    match fs::DirBuilder::new().mode(0o700).create(&pod) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // The place is everybody's: a directory that somebody else put there is not to be used.
    let found = fs::symlink_metadata(&pod)?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the pod's directory there is somebody else's"));
    }
    let volume = pod.join(name);
    make(&volume)?;
    Ok(volume)
}

fn link(target: &Path, at: &Path) -> io::Result<()> {
    if let Some(parent) = at.parent() {
        fs::create_dir_all(parent)?;
    }
    match symlink(target, at) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Removes the directory of a pod's volumes and what they have elsewhere.
pub fn remove_volumes(volumes: &Path) -> io::Result<()> {
    for entry in fs::read_dir(volumes).into_iter().flatten().flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        if let Some(ours) = target.parent().filter(|parent| is_ours(parent)) {
            crate::files::remove_dir(ours)?;
        }
    }
    crate::files::remove_dir(volumes)
}

fn is_ours(dir: &Path) -> bool {
    let named = dir.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX));
    named && dir.parent() == Some(Path::new(SHARED_MEMORY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(medium: &str) -> EmptyDirVolumeSource {
        EmptyDirVolumeSource { medium: Some(medium.to_owned()), ..EmptyDirVolumeSource::default() }
    }

    #[test]
    fn content_lives_as_long_as_the_pod_on_every_medium() {
        let pod = tempfile::tempdir().unwrap();
        let (pod_dir, uid) = (pod.path().join("ns_p_u"), uuid::Uuid::new_v4().to_string());
        let volumes = pod_dir.join("volumes");
        for medium in ["", "Memory"] {
            let dir = volumes.join(format!("v{}", medium.to_lowercase()));
            set_up(&source(medium), &uid, "v", &dir).unwrap();
            fs::write(dir.join("kept"), b"1").unwrap();
            set_up(&source(medium), &uid, "v", &dir).unwrap();
            assert!(dir.join("kept").exists());
            assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o777);
        }
        remove_volumes(&volumes).unwrap();
        assert!(
            pod_dir.exists() && !volumes.exists() && !Path::new(SHARED_MEMORY).join(format!("{PREFIX}{uid}")).exists()
        );
    }

    #[test]
    fn other_media_and_other_peoples_directories_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = set_up(&source("HugePages-2Mi"), "u", "v", &dir.path().join("v")).unwrap_err();
        assert_eq!(error.to_string(), "storage medium \"HugePages-2Mi\" is not supported by this node");
        symlink("/etc", dir.path().join("coracle-u")).unwrap();
        assert!(in_memory(dir.path(), "u", "v").is_err());
        assert!(in_memory(dir.path(), "../u", "v").is_err());
    }
}
