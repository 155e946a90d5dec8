//! A container's `volumeMounts`: which place of which volume it sees where.

use std::{
    cell::RefCell,
    path::{Component, Path, PathBuf},
};

use coracle_api::pod::expand;
use k8s_openapi::api::core::v1::{Container, VolumeMount};

use super::{
    image::{ImageMountError, ImageVolume},
    sub_path::inside,
    tree::{How, bring_tree},
    volume_set::{Mounted, Nature, Volumes},
};

/// Where the node puts the token of a pod's service account without being asked for a volume.
pub const TOKEN_MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Why a container can't see a volume (`CreateContainerConfigError`), in kubelet's words.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// there is no such volume
    #[error("cannot find volume {volume:?} to mount into container {container:?}")]
    NoVolume {
        /// Its name.
        volume: String,
        /// The container.
        container: String,
    },
    /// `subPathExpr` names a variable without a value
    #[error("missing value for {0:?}")]
    NoValue(String),
    /// the path is absolute
    #[error("error SubPath `{0}` must not be an absolute path")]
    Absolute(String),
    /// the path leads out of the volume
    #[error("unable to provision SubPath `{0}`: must not contain '..'")]
    Backsteps(String),
    /// the place can't be made; why is not told to the pod's owner: it would tell of the host
    #[error("failed to {what} for volumeMount {mount:?} of container {container:?}")]
    SubPath {
        /// `create subPath directory`, `prepare subPath`
        what: &'static str,
        /// The mount.
        mount: String,
        /// The container.
        container: String,
    },
    /// a socket or a device, which no guest can open
    #[error("mount {0:?} is a socket or a device, and WebAssembly programs are given directories and files only")]
    Special(String),
    /// the volume's image hasn't it
    #[error(transparent)]
    Image(#[from] ImageMountError),
    /// a copy of a file in a place that outlives the pod
    #[error("mount {0:?} is a file below a writable volume that outlives the pod; mount the file elsewhere")]
    InHost(String),
}

impl MountError {
    /// The reason that containers wait with: what kubelet finds out itself is a matter of the configuration, and an
    /// image is mounted by the container runtime.
    pub fn reason(&self) -> &'static str {
        if matches!(self, MountError::Image(_)) { "CreateContainerError" } else { "CreateContainerConfigError" }
    }
}

/// What a guest finds at one of its paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The path, absolute and plain.
    pub guest: PathBuf,
    /// The file or directory of the host.
    pub host: PathBuf,
    /// The guest may only read it.
    pub read_only: bool,
    /// A file.
    pub is_file: bool,
    /// It is there after the pod: nothing that belongs to the pod may be put there.
    pub outlives: bool,
}

/// The guest's path as kubelet and WASI understand it: absolute, without dots and double slashes.
pub fn guest_path(text: &str) -> PathBuf {
    let parts = Path::new(text).components().filter(|part| matches!(part, Component::Normal(_)));
    Path::new("/").join(parts.collect::<PathBuf>())
}

impl Volumes {
    /// What the container sees of the volumes. Variables in `subPathExpr` are taken from `env`; `scratch` is the
    /// container's own directory, for places that would not stay what they are.
    pub(super) fn bindings(
        &self,
        container: &Container,
        env: &[(String, String)],
        scratch: &Path,
    ) -> Result<Vec<Binding>, MountError> {
        let mounts = container.volume_mounts.iter().flatten().enumerate();
        let look = Look { container, env };
        mounts.map(|(index, mount)| look.bind(self, mount, &scratch.join(format!("sub-{index}")))).collect()
    }
}

struct Look<'a> {
    container: &'a Container,
    env: &'a [(String, String)],
}

impl Look<'_> {
    fn bind(&self, volumes: &Volumes, mount: &VolumeMount, scratch: &Path) -> Result<Binding, MountError> {
        let missing = || MountError::NoVolume { volume: mount.name.clone(), container: self.container.name.clone() };
        let sub_path = self.sub_path(mount)?;
        if let Some(image) = volumes.image(&mount.name) {
            return bind_image(image, mount, &sub_path).unwrap_or_else(|| Err(missing()));
        }
        let volume = volumes.get(&mount.name).ok_or_else(missing)?;
        let host = match &*sub_path {
            "" => volume.path.canonicalize().map_err(|error| self.refused("prepare subPath", mount, &error))?,
            path => self.place(volume, mount, Path::new(path), scratch)?,
        };
        // A link that came into its place since is neither: whoever opens it follows none either.
        let found = host.symlink_metadata().map_err(|error| self.refused("prepare subPath", mount, &error))?;
        if !found.is_dir() && !found.is_file() {
            return Err(MountError::Special(mount.mount_path.clone()));
        }
        Ok(Binding {
            guest: guest_path(&mount.mount_path),
            host,
            read_only: volume.read_only || mount.read_only.unwrap_or(false),
            is_file: found.is_file(),
            outlives: volume.nature == Nature::Host,
        })
    }

    fn sub_path(&self, mount: &VolumeMount) -> Result<String, MountError> {
        let path = match mount.sub_path_expr.as_deref().filter(|expression| !expression.is_empty()) {
            Some(expression) => self.expand(expression)?,
            None => mount.sub_path.clone().unwrap_or_default(),
        };
        check(&path).map(|()| path)
    }

    /// Unlike in a command, a variable without a value is an error here.
    fn expand(&self, expression: &str) -> Result<String, MountError> {
        let missing = RefCell::new(None);
        let value = |name: &str| {
            let found = self.env.iter().find(|(known, value)| known == name && !value.is_empty());
            if found.is_none() {
                missing.borrow_mut().get_or_insert_with(|| name.to_owned());
            }
            found.map(|(_, value)| value.clone())
        };
        let path = expand(expression, value);
        missing.into_inner().map_or(Ok(path), |name| Err(MountError::NoValue(name)))
    }

    /// The place of the volume that is mounted. A directory among replaceable files would be gone with their next
    /// version, while a mount keeps what it was: such a directory is brought into the container's own.
    fn place(&self, volume: &Mounted, mount: &VolumeMount, path: &Path, scratch: &Path) -> Result<PathBuf, MountError> {
        let exists = volume.path.join(path).exists();
        let what = if exists { "prepare subPath" } else { "create subPath directory" };
        let refused = |error| self.refused(what, mount, &error);
        let create = !exists && volume.nature != Nature::Payload;
        let place = inside(&volume.path, path, create).map_err(refused)?;
        if volume.nature == Nature::Payload && place.is_dir() {
            bring_tree(&place, scratch, How::Link).map_err(refused)?;
            return Ok(scratch.to_owned());
        }
        Ok(place)
    }

    fn refused(&self, what: &'static str, mount: &VolumeMount, error: &std::io::Error) -> MountError {
        let container = self.container.name.clone();
        tracing::warn!(%error, container, volume = mount.name, mount = mount.mount_path, "{what} failed");
        MountError::SubPath { what, mount: mount.name.clone(), container }
    }
}

/// A directory of an image, which nobody may write; None: the image is not here.
fn bind_image(image: &ImageVolume, mount: &VolumeMount, sub_path: &str) -> Option<Result<Binding, MountError>> {
    let guest = guest_path(&mount.mount_path);
    let bind = |host| Binding { guest, host, read_only: true, is_file: false, outlives: false };
    Some(image.place(sub_path)?.map(bind).map_err(MountError::from))
}

fn check(path: &str) -> Result<(), MountError> {
    if path.starts_with('/') {
        return Err(MountError::Absolute(path.to_owned()));
    }
    if Path::new(path).components().any(|part| part == Component::ParentDir) {
        return Err(MountError::Backsteps(path.to_owned()));
    }
    Ok(())
}
