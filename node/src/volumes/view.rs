//! What one container sees: which directory of the host at which of its paths.
//!
//! WASI gives a guest directories, each readable or writable as a whole; of two that fit a path the longer one counts.
//! Kubernetes mounts single files too: a `subPath` that is a file, `hostPath` files, `/etc/hosts`, the termination
//! message. Such a file is shown in a directory that belongs to this one run of the container ([`PrivateDir`]), as a
//! hard link to the same content, beside what the image has at that place. If the image's root is the container's own
//! to write, or a writable volume covers the place, the file is put there.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use coracle_wasi_host::{Bucket, Preopen};
use k8s_openapi::api::core::v1::Container;

use super::{
    etc_files::EtcFiles,
    mount::{Binding, MountError, TOKEN_MOUNT, guest_path},
    private_dir::{Content, PrivateDir, how},
    sub_path::inside,
    tree::{How, bring_file, bring_tree},
    volume_set::Volumes,
};

/// Where a program may leave its last words by default.
const TERMINATION_PATH: &str = "/dev/termination-log";

/// What a view is made of.
pub struct ViewRequest<'a> {
    /// The container.
    pub container: &'a Container,
    /// Its pod's volumes.
    pub volumes: &'a Volumes,
    /// Its own variables, for `subPathExpr`.
    pub env: &'a [(String, String)],
    /// The files of its image.
    pub rootfs: Option<&'a Path>,
    /// It is a command. Servers, of which there are thousands, are given files of the node's only if they have any.
    pub is_command: bool,
    /// It has what its pod names, and nothing of the node's.
    pub only_declared: bool,
    /// The container's directory on the node.
    pub dir: &'a Path,
    /// Where the pod's own `/etc` is on the node.
    pub etc_dir: &'a Path,
    /// What is in it.
    pub etc: EtcFiles<'a>,
}

/// What a container sees.
#[derive(Debug)]
pub struct View {
    /// The directories it is given.
    pub preopens: Vec<Preopen>,
    /// The buckets it may open.
    pub buckets: Vec<Bucket>,
    /// Where its last words can be read. No guest can reach this name, only the content.
    pub termination_file: Option<PathBuf>,
}

/// Why a container has no view.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// its volumes can't be shown to it
    #[error(transparent)]
    Mount(#[from] MountError),
    /// its files can't be made
    #[error("failed to make the container's files: {0}")]
    Files(#[from] io::Error),
}

/// What is at `/`.
enum Root {
    /// The image's files, shared with everybody who runs it.
    Image(PathBuf),
    /// A copy of them that is the container's own.
    Own(PathBuf),
    /// Nothing but the places where something is mounted.
    MountPoints,
    /// Nothing.
    None,
}

impl ViewRequest<'_> {
    /// Makes the view for a new run of the container; what the last one had is removed.
    pub async fn make(self) -> Result<View, ViewError> {
        // Directories are opened by paths without links.
        fs::create_dir_all(self.dir)?;
        let scratch = self.dir.canonicalize()?.join("view");
        crate::files::remove_dir(&scratch)?;
        let mut bindings = self.volumes.bindings(self.container, self.env, &scratch)?;
        let buckets = self.volumes.buckets(self.container, &bindings);
        let root = self.root(&scratch).await?;
        let has_files = bindings.iter().any(|binding| binding.guest != Path::new(TOKEN_MOUNT));
        if !self.only_declared && (self.is_command || has_files || self.rootfs.is_some()) {
            self.add_etc(&mut bindings)?;
        }
        let termination_file = self.add_termination_file(&mut bindings, &scratch)?;
        let (files, dirs) = bindings.into_iter().partition(|binding| binding.is_file);
        let mut layout = Layout { root, dirs, private: Vec::new(), scratch };
        layout.place(files)?;
        layout.make_mount_points()?;
        Ok(View { preopens: layout.preopens(), buckets, termination_file })
    }

    async fn root(&self, scratch: &Path) -> io::Result<Root> {
        let context = self.container.security_context.as_ref();
        let writable = context.and_then(|context| context.read_only_root_filesystem) == Some(false);
        match self.rootfs {
            Some(image) if writable => {
                let (from, to) = (image.canonicalize()?, scratch.join("rootfs"));
                let target = to.clone();
                let copied = tokio::task::spawn_blocking(move || bring_tree(&from, &target, How::Copy)).await;
                copied.map_err(io::Error::other)??;
                Ok(Root::Own(to))
            }
            Some(image) => Ok(Root::Image(image.canonicalize()?)),
            // An image without files has an empty root, for whoever asks for one to write to.
            None if writable => {
                let root = scratch.join("rootfs");
                fs::create_dir_all(&root)?;
                Ok(Root::Own(root))
            }
            None if self.is_command && !self.only_declared => Ok(Root::MountPoints),
            None => Ok(Root::None),
        }
    }

    /// The node's files, unless the container brings its own or has a volume over them.
    fn add_etc(&self, bindings: &mut Vec<Binding>) -> io::Result<()> {
        let covered = bindings.iter().any(|it| !it.is_file && Path::new("/etc").starts_with(&it.guest));
        if covered {
            return Ok(());
        }
        let mut files = self.etc.bindings(self.etc_dir)?;
        files.retain(|file| !bindings.iter().any(|binding| binding.guest == file.guest));
        bindings.append(&mut files);
        Ok(())
    }

    /// A file for the program's last words. It has a second name that only the node knows: the guest can remove or
    /// replace the one it sees, and what it would put there might lead anywhere.
    fn add_termination_file(&self, bindings: &mut Vec<Binding>, scratch: &Path) -> io::Result<Option<PathBuf>> {
        let path = self.container.termination_message_path.as_deref().filter(|path| !path.is_empty());
        let guest = guest_path(path.unwrap_or(TERMINATION_PATH));
        let asked = guest != Path::new(TERMINATION_PATH);
        let taken = bindings.iter().any(|binding| binding.guest == guest);
        // Who brings a root of their own has what is in it, and finds nothing that they did not ask for.
        let own_root = bindings.iter().any(|binding| binding.guest == Path::new("/"));
        let given = self.is_command && !self.only_declared && !own_root;
        if guest.file_name().is_none() || taken || !(given || asked) {
            return Ok(None);
        }
        let host = scratch.join("last-words");
        fs::create_dir_all(scratch)?;
        fs::write(&host, b"")?;
        bindings.push(Binding { guest, host: host.clone(), read_only: false, is_file: true, outlives: false });
        Ok(Some(host))
    }
}

/// Where everything goes.
struct Layout {
    root: Root,
    dirs: Vec<Binding>,
    private: Vec<PrivateDir>,
    scratch: PathBuf,
}

impl Layout {
    /// Shows the files in their directories.
    fn place(&mut self, files: Vec<Binding>) -> Result<(), ViewError> {
        let mut by_parent: BTreeMap<PathBuf, Vec<Binding>> = BTreeMap::new();
        for file in files {
            let Some(parent) = file.guest.parent() else { continue };
            by_parent.entry(parent.to_owned()).or_default().push(file);
        }
        if matches!(self.root, Root::MountPoints) {
            by_parent.entry(PathBuf::from("/")).or_default();
        }
        for (parent, files) in by_parent {
            self.place_in(&parent, &files)?;
        }
        Ok(())
    }

    fn place_in(&mut self, parent: &Path, files: &[Binding]) -> Result<(), ViewError> {
        let cover = self.dirs.iter().filter(|dir| parent.starts_with(&dir.guest));
        let cover = cover.max_by_key(|dir| dir.guest.as_os_str().len());
        let (base, guest, writable) = match (cover, &self.root) {
            (Some(dir), _) => (Some(&dir.host), &*dir.guest, !dir.read_only),
            (None, Root::Own(root)) => (Some(root), Path::new("/"), true),
            (None, Root::Image(root)) => (Some(root), Path::new("/"), false),
            (None, _) => (None, Path::new("/"), false),
        };
        let below = parent.strip_prefix(guest).unwrap_or(Path::new(""));
        if let (Some(base), true) = (base, writable) {
            let foreign = cover.is_some_and(|dir| dir.outlives);
            if let Some(file) = files.iter().find(|file| foreign && file.read_only) {
                return Err(MountError::InHost(file.guest.display().to_string()).into());
            }
            return Ok(put(files, &inside(base, below, true)?)?);
        }
        let content = base.and_then(|base| inside(base, below, false).ok().filter(|dir| dir.is_dir()));
        let content = content.as_deref().zip(base).map(|(dir, root)| Content { dir, root });
        let host = self.scratch.join(self.private.len().to_string());
        self.private.push(PrivateDir::make(parent, host, content, files)?);
        Ok(())
    }

    /// Whoever lists a directory of the container's own sees what is mounted below.
    fn make_mount_points(&self) -> io::Result<()> {
        let dirs = self.dirs.iter().map(|dir| &*dir.guest);
        let points: Vec<&Path> = dirs.chain(self.private.iter().map(|dir| &*dir.guest)).collect();
        for point in points {
            for dir in &self.private {
                let below = point.strip_prefix(&dir.guest).ok().filter(|below| !below.as_os_str().is_empty());
                if let Some(below) = below {
                    fs::create_dir_all(dir.host.join(below))?;
                }
            }
            if let (Root::Own(root), Ok(below)) = (&self.root, point.strip_prefix("/")) {
                inside(root, below, true)?;
            }
        }
        Ok(())
    }

    /// A directory of the container's own wins over what it stands in for, and a volume over what is in the image.
    fn preopens(self) -> Vec<Preopen> {
        let mut all: BTreeMap<PathBuf, (PathBuf, bool)> = BTreeMap::new();
        for dir in self.dirs {
            all.insert(dir.guest, (dir.host, dir.read_only));
        }
        let mut windows = Vec::new();
        for dir in self.private {
            all.insert(dir.guest, (dir.host, !dir.writable));
            windows.extend(dir.windows);
        }
        match self.root {
            Root::Image(root) => drop(all.entry("/".into()).or_insert((root, true))),
            Root::Own(root) => drop(all.entry("/".into()).or_insert((root, false))),
            Root::MountPoints | Root::None => {}
        }
        for (guest, host) in windows {
            all.entry(guest).or_insert((host, true));
        }
        let preopen = |(guest, (host_path, read_only)): (PathBuf, (PathBuf, bool))| Preopen {
            host_path,
            guest_path: guest.to_string_lossy().into_owned(),
            read_only,
        };
        all.into_iter().map(preopen).collect()
    }
}

/// Puts the files into a directory that guests may write.
fn put(files: &[Binding], dir: &Path) -> io::Result<()> {
    for file in files {
        let Some(name) = file.guest.file_name() else { continue };
        bring_file(&file.host, &dir.join(name), how(true, file.read_only))?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
