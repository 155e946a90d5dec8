//! A pod's volumes: directories on the node, made when the pod comes and removed with it.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};

use coracle_api::pod::expand;
use coracle_wasi_host::Preopen;
use k8s_openapi::api::core::v1::{Container, Pod, Volume, VolumeMount};

use super::payload::{File, FileSource, PayloadError, payload};

/// Why a volume isn't there: the end of kubelet's `MountVolume.SetUp failed for volume "x" : …`.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// this node can't make volumes of this type
    #[error("volume type {0} is not supported by this node yet")]
    Unsupported(String),
    /// what is to be in it can't be had
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// the host's path isn't what it should be
    #[error("hostPath type check failed: {path} is not a {expected}")]
    HostPath {
        /// The path.
        path: String,
        /// What it should be.
        expected: &'static str,
    },
    /// a path leads out of the volume
    #[error("invalid path {0:?}: must be a relative path that does not contain '..'")]
    Path(String),
    /// the disk refused
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// A volume that is there.
#[derive(Debug, Clone)]
struct Mounted {
    path: PathBuf,
    /// Its content is not the containers' to change.
    read_only: bool,
}

/// The volumes of one pod.
#[derive(Debug, Default)]
pub struct Volumes {
    mounted: HashMap<String, Mounted>,
}

impl Volumes {
    /// Makes all volumes of the pod below `dir`; the error comes with the volume's name. What is there already
    /// stays as it is, but files from ConfigMaps and the like are written anew.
    pub async fn set_up(pod: &Pod, dir: &Path, sources: &FileSource<'_>) -> Result<Volumes, (String, VolumeError)> {
        let mut volumes = Volumes::default();
        let used = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        for volume in used {
            let mounted = mount(volume, &dir.join(&volume.name), sources).await;
            let mounted = mounted.map_err(|error| (volume.name.clone(), error))?;
            volumes.mounted.insert(volume.name.clone(), mounted);
        }
        Ok(volumes)
    }

    /// The directories a container sees. Variables in `subPathExpr` are taken from `env`.
    pub fn preopens(&self, container: &Container, env: &[(String, String)]) -> Result<Vec<Preopen>, MountError> {
        container.volume_mounts.iter().flatten().map(|mount| self.preopen(mount, env)).collect()
    }

    fn preopen(&self, mount: &VolumeMount, env: &[(String, String)]) -> Result<Preopen, MountError> {
        let no_volume = || MountError::NoVolume { mount: mount.mount_path.clone(), volume: mount.name.clone() };
        let volume = self.mounted.get(&mount.name).ok_or_else(no_volume)?;
        let lookup = |name: &str| env.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let sub_path = match (&mount.sub_path_expr, &mount.sub_path) {
            (Some(expression), _) if !expression.is_empty() => expand(expression, lookup),
            (_, sub_path) => sub_path.clone().unwrap_or_default(),
        };
        let invalid = |_| MountError::SubPath { mount: mount.mount_path.clone(), path: sub_path.clone() };
        let host_path = if sub_path.is_empty() {
            volume.path.clone()
        } else {
            join(&volume.path, &sub_path).map_err(invalid)?;
            inside(&volume.path, &sub_path, !volume.read_only)
                .map_err(|source| MountError::Io { path: volume.path.join(&sub_path), source })?
        };
        if host_path.is_file() {
            return Err(MountError::File { mount: mount.mount_path.clone() });
        }
        let read_only = volume.read_only || mount.read_only.unwrap_or(false);
        Ok(Preopen { host_path, guest_path: mount.mount_path.clone(), read_only })
    }
}

/// Why a container can't see a volume (`CreateContainerConfigError`).
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// there is no such volume
    #[error("cannot find volume {volume:?} to mount at {mount:?}")]
    NoVolume {
        /// Where it should be.
        mount: String,
        /// Its name.
        volume: String,
    },
    /// the path leads out of the volume
    #[error("subPath {path:?} of mount {mount:?} must be a relative path that does not contain '..'")]
    SubPath {
        /// The mount.
        mount: String,
        /// The path.
        path: String,
    },
    /// a file where only a directory will do
    #[error(
        "mount {mount:?} is a single file (subPath), and WebAssembly programs are given directories only; mount the directory"
    )]
    File {
        /// The mount.
        mount: String,
    },
    /// the disk refused
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

async fn mount(volume: &Volume, dir: &Path, sources: &FileSource<'_>) -> Result<Mounted, VolumeError> {
    if volume.empty_dir.is_some() {
        make_dir(dir, 0o777)?;
        return Ok(Mounted { path: dir.to_owned(), read_only: false });
    }
    if let Some(host) = &volume.host_path {
        check_host_path(&host.path, host.type_.as_deref().unwrap_or_default())?;
        return Ok(Mounted { path: host.path.clone().into(), read_only: false });
    }
    match payload(volume, sources).await? {
        Some(files) => {
            write_files(dir, &files)?;
            Ok(Mounted { path: dir.to_owned(), read_only: true })
        }
        None => Err(VolumeError::Unsupported(type_name(volume))),
    }
}

fn type_name(volume: &Volume) -> String {
    let fields = serde_json::to_value(volume).unwrap_or_default();
    let names = fields.as_object().into_iter().flatten().map(|(name, _)| name.clone());
    names.into_iter().find(|name| name != "name").unwrap_or_else(|| "(none)".to_owned())
}

fn make_dir(dir: &Path, mode: u32) -> Result<(), VolumeError> {
    let failed = |source| VolumeError::Io { path: dir.to_owned(), source };
    fs::create_dir_all(dir).map_err(failed)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).map_err(failed)
}

/// The checks of `hostPath.type` (API reference, HostPathVolumeSource).
fn check_host_path(path: &str, kind: &str) -> Result<(), VolumeError> {
    let wrong = |expected| Err(VolumeError::HostPath { path: path.to_owned(), expected });
    match kind {
        "DirectoryOrCreate" if !Path::new(path).exists() => make_dir(Path::new(path), 0o755),
        "Directory" | "DirectoryOrCreate" | "" if Path::new(path).is_dir() => Ok(()),
        "" | "Directory" | "DirectoryOrCreate" => wrong("directory"),
        // A guest is given directories; what it would be given here it could not open.
        _ => wrong("directory, the only type a WebAssembly program can be given"),
    }
}

/// Replaces the volume's files by these. Written beside and renamed: no container runs yet, but a crash in between
/// must not leave half of them.
fn write_files(dir: &Path, files: &[File]) -> Result<(), VolumeError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| VolumeError::Io { path, source }
    };
    let fresh = dir.with_extension("new");
    crate::files::remove_dir(&fresh).map_err(failed(&fresh))?;
    make_dir(&fresh, 0o755)?;
    for file in files {
        let path = join(&fresh, &file.path)?;
        let parent = path.parent().unwrap_or(&fresh);
        fs::create_dir_all(parent).map_err(failed(parent))?;
        fs::write(&path, &file.content).map_err(failed(&path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).map_err(failed(&path))?;
    }
    crate::files::remove_dir(dir).map_err(failed(dir))?;
    fs::rename(&fresh, dir).map_err(failed(dir))
}

/// `path` below `dir`, if it stays there.
fn join(dir: &Path, path: &str) -> Result<PathBuf, VolumeError> {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if path.is_empty() || !plain {
        return Err(VolumeError::Path(path.to_owned()));
    }
    Ok(dir.join(path))
}

/// `path` below `base` with every link followed, provided that it stays below: a container may have left a link in
/// the volume that leads out of it (CVE-2017-1002101). Missing directories are made if `create`.
fn inside(base: &Path, path: &str, create: bool) -> io::Result<PathBuf> {
    let base = base.canonicalize()?;
    let mut at = base.clone();
    for part in Path::new(path).components() {
        at.push(part);
        if create && matches!(at.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound) {
            fs::create_dir(&at)?;
        }
        at = at.canonicalize()?;
        if !at.starts_with(&base) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "a link in the volume leads out of it"));
        }
    }
    Ok(at)
}

#[cfg(test)]
#[path = "volumes_tests.rs"]
mod tests;
