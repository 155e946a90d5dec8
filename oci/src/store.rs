//! The image store: names, the blobs they need, and pulls that bring both in.
//!
//! On disk: `blobs/sha256/<hex>`, `names/<hex>.json`, `rootfs/<hex>/` for the files of compat images and of images that
//! are mounted, `tmp/`.
//!
//! Invariant: a name is recorded after everything it needs is durable, and what a pull in progress needs is
//! held (`InUse`), so removing images never breaks another one.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard, Semaphore};

use crate::auth::Auth;
use crate::blobs::Blobs;
use crate::compat::{self, Named};
use crate::digest::Digest;
use crate::error::{PullError, StoreError};
use crate::format::Format;
use crate::image::{Image, Module};
use crate::limits::Limits;
use crate::names::Names;
use crate::pull::{self, PullOptions};
use crate::reference::Reference;

type Pulling = BoxFuture<'static, Result<Image, PullError>>;

/// Images on this machine. Cloning it is cheap and shares the store. One process at a time may open a
/// directory: keeping others out is the caller's lock.
#[derive(Clone)]
pub struct ImageStore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) blobs: Blobs,
    pub(crate) names: Names,
    pub(crate) limits: Limits,
    rootfs: PathBuf,
    /// Pulls under way. Credentials are part of the key: nobody gets an image by another one's secret.
    pulls: Mutex<HashMap<(Reference, Auth, Want), WeakShared<Pulling>>>,
    pull_slots: Semaphore,
    /// Blobs that somebody fetches or is about to record.
    in_use: Mutex<HashMap<Digest, Weak<AsyncMutex<()>>>>,
}

/// What of an image is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Want {
    /// The Wasm to run.
    Program,
    /// Its files.
    Files,
}

/// Keeps a blob from being removed, and gives turns in fetching it.
pub(crate) struct InUse(Arc<AsyncMutex<()>>);

impl InUse {
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.0.lock().await
    }
}

impl ImageStore {
    /// Opens the store in `dir`, creating it if it isn't there.
    pub fn open(dir: &Path, limits: Limits) -> Result<ImageStore, StoreError> {
        let io = |what: &str, error| StoreError::io(format!("{} {what}", dir.display()), error);
        let blobs = Blobs::open(dir).map_err(|error| io("can't be opened", error))?;
        let names = Names::open(&dir.join("names"), blobs.tmp())
            .map_err(|error| io("has an unreadable list of names", error))?;
        let rootfs = dir.join("rootfs");
        fs::create_dir_all(&rootfs).map_err(|error| io("can't be opened", error))?;
        let inner = Inner {
            blobs,
            names,
            rootfs,
            pulls: Mutex::default(),
            pull_slots: Semaphore::new(limits.parallel_pulls.max(1)),
            in_use: Mutex::default(),
            limits,
        };
        Ok(ImageStore { inner: Arc::new(inner) })
    }

    /// The image of this name, if it is here and whole. Asks no registry. A reference by digest is also
    /// found if the image was pulled by a tag of the same repository.
    pub fn resolve(&self, reference: &Reference) -> Option<Image> {
        self.inner.resolve(reference)
    }

    /// Asks the registry what the name stands for now and fetches what is missing. Callers that ask for the
    /// same image with the same credentials at the same time share one pull and its end.
    pub async fn pull(&self, reference: &Reference, options: &PullOptions) -> Result<Image, PullError> {
        self.pull_for(Want::Program, reference, options).await
    }

    pub(crate) async fn pull_for(
        &self,
        want: Want,
        reference: &Reference,
        options: &PullOptions,
    ) -> Result<Image, PullError> {
        let pulling = {
            let mut pulls = self.inner.pulls.lock();
            let key = (reference.clone(), options.auth.clone(), want);
            match pulls.get(&key).and_then(WeakShared::upgrade) {
                Some(pulling) => pulling,
                None => {
                    pulls.retain(|_, pulling| pulling.upgrade().is_some());
                    let pulling = self.start(want, reference.clone(), options.clone());
                    if let Some(weak) = pulling.downgrade() {
                        pulls.insert(key, weak);
                    }
                    pulling
                }
            }
        };
        pulling.await
    }

    fn start(&self, want: Want, reference: Reference, options: PullOptions) -> Shared<Pulling> {
        let inner = self.inner.clone();
        let pulling = async move {
            // Closed never: the semaphore lives as long as the store.
            let _slot = inner.pull_slots.acquire().await;
            pull::pull(inner.clone(), want, reference, options).await
        };
        pulling.boxed().shared()
    }

    /// What the registry has under this name, without fetching layers; also of images that aren't Wasm.
    pub async fn inspect(&self, reference: &Reference, options: &PullOptions) -> Result<Image, PullError> {
        pull::inspect(&self.inner, reference, options).await
    }

    /// The image's Wasm, its digest checked. Reads from disk: call it where blocking is allowed.
    pub fn module(&self, image: &Image) -> Result<Bytes, StoreError> {
        let module = image.module.as_ref().ok_or_else(|| no_module(image))?;
        let digest = Digest::parse(&module.digest).map_err(|_| no_module(image))?;
        let read = match (self.inner.blobs.read(&digest), &image.rootfs) {
            (Err(error), Some(rootfs)) if error.kind() == io::ErrorKind::NotFound => {
                compat::read_again(rootfs, module, &self.inner.limits)
            }
            (read, _) => read,
        };
        read.map(Bytes::from).map_err(|error| StoreError::io(format!("can't read {}", image.reference), error))
    }

    /// The image with the module that a container of it runs: the file that `command` names, seen from the directory
    /// `dir`, if the image has such a one; else the image's own, which `argv[0]` may tell what to do. Blocks on the disk.
    pub fn for_command(&self, image: Image, command: Option<&str>, dir: &str) -> Result<Image, StoreError> {
        if let (Some(command), Some(rootfs)) = (command, &image.rootfs) {
            let limits = &self.inner.limits;
            let named = compat::named(rootfs, &image.config, command, dir, limits);
            match named.map_err(|error| StoreError::io(format!("can't read {}", image.reference), error))? {
                Named::Module(module) => return Ok(Image { module: Some(module), ..image }),
                Named::TooLarge => {
                    let (file, limit) = (command.to_owned(), limits.module_bytes);
                    return Err(StoreError::TooLarge { reference: image.reference, file, limit });
                }
                Named::Nothing if image.module.is_none() => {
                    let detail = format!("exec: {command:?}: executable file not found in $PATH");
                    return Err(StoreError::NoModule { reference: image.reference, detail });
                }
                Named::Nothing => {}
            }
        }
        if image.module.is_some() { Ok(image) } else { Err(no_module(&image)) }
    }

    /// All images, by name.
    pub fn list(&self) -> Vec<Image> {
        self.inner.names.list().into_iter().map(|image| self.inner.with_rootfs(image)).collect()
    }

    /// Forgets a name and removes what no other name needs. Blocks on the disk.
    pub fn remove(&self, reference: &Reference) -> Result<(), StoreError> {
        let name = reference.to_string();
        let io = |error| StoreError::io(format!("can't remove {name}"), error);
        if self.inner.names.remove(&name).map_err(io)?.is_none() {
            return Err(StoreError::NotFound { reference: name });
        }
        self.inner.sweep().map_err(io)?;
        Ok(())
    }

    /// Removes what no name needs, such as the remains of pulls that failed halfway. Returns the bytes
    /// freed. Blocks on the disk.
    pub fn prune(&self) -> Result<u64, StoreError> {
        self.inner.sweep().map_err(|error| StoreError::io("can't be pruned", error))
    }

    /// What the store takes on disk, in bytes. Walks it: blocks on the disk.
    pub fn usage_bytes(&self) -> u64 {
        let blobs = self.inner.blobs.list().unwrap_or_default();
        blobs.iter().map(|(_, size)| size).sum::<u64>() + tree_bytes(&self.inner.rootfs)
    }
}

/// Why an image without a module has none.
fn no_module(image: &Image) -> StoreError {
    let own = image.rootfs.as_ref().and_then(|rootfs| compat::find(rootfs, &image.config).err());
    let detail = own.unwrap_or_else(|| format!("it is {}", image.format));
    StoreError::NoModule { reference: image.reference.clone(), detail }
}

impl std::fmt::Debug for ImageStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageStore").field("blobs", &self.inner.blobs).finish_non_exhaustive()
    }
}

impl Inner {
    /// The image of this name, whatever of it is here.
    pub(crate) fn named(&self, reference: &Reference) -> Option<Image> {
        self.names.get(&reference.to_string()).or_else(|| {
            let repo_digest = format!("{}@{}", reference.name(), reference.pinned()?);
            self.names.find(|image| image.repo_digest() == repo_digest)
        })
    }

    /// The image of this name, if what is wanted of it is here.
    pub(crate) fn local(&self, want: Want, reference: &Reference) -> Option<Image> {
        match want {
            Want::Program => self.resolve(reference),
            Want::Files => {
                let image = self.named(reference).filter(|image| self.rootfs(&image.manifest_digest).is_dir())?;
                Some(self.with_rootfs(image))
            }
        }
    }

    pub(crate) fn resolve(&self, reference: &Reference) -> Option<Image> {
        let image = self.with_rootfs(self.named(reference)?);
        let has = |module: &Module| Digest::parse(&module.digest).is_ok_and(|digest| self.blobs.contains(&digest));
        let whole = match image.format {
            // One whose configuration names no module runs what a container names.
            Format::Compat => image.rootfs.is_some() && image.module.as_ref().is_none_or(has),
            _ => image.module.as_ref().is_some_and(has),
        };
        whole.then_some(image)
    }

    pub(crate) fn hold(&self, digest: &Digest) -> InUse {
        let mut in_use = self.in_use.lock();
        if let Some(held) = in_use.get(digest).and_then(Weak::upgrade) {
            return InUse(held);
        }
        in_use.retain(|_, held| held.strong_count() > 0);
        let held = Arc::new(AsyncMutex::new(()));
        in_use.insert(digest.clone(), Arc::downgrade(&held));
        InUse(held)
    }

    pub(crate) fn is_held(&self, digest: &Digest) -> bool {
        self.in_use.lock().get(digest).is_some_and(|held| held.strong_count() > 0)
    }

    /// Where the files of this manifest are, or will be. Manifests' digests come from `Digest`.
    pub(crate) fn rootfs(&self, manifest_digest: &str) -> PathBuf {
        self.rootfs.join(manifest_digest.trim_start_matches("sha256:"))
    }

    pub(crate) fn with_rootfs(&self, mut image: Image) -> Image {
        if image.format == Format::Compat {
            let rootfs = self.rootfs(&image.manifest_digest);
            image.rootfs = rootfs.is_dir().then_some(rootfs);
        }
        image
    }

    /// Removes blobs and directories that neither a name nor a pull needs.
    fn sweep(&self) -> io::Result<u64> {
        // Locked throughout: a pull holds its blobs before it looks whether they are here.
        let in_use = self.in_use.lock();
        let held = in_use.iter().filter(|(_, held)| held.strong_count() > 0);
        let mut needed: HashSet<Digest> = held.map(|(digest, _)| digest.clone()).collect();
        for image in self.names.list() {
            let own = [image.digest, image.manifest_digest, image.config_digest];
            let layers = image.layers.into_iter().map(|layer| layer.digest);
            let module = image.module.into_iter().map(|module| module.digest);
            let all = own.into_iter().chain(layers).chain(module);
            needed.extend(all.filter_map(|digest| Digest::parse(&digest).ok()));
        }
        let mut freed_bytes = 0;
        for (digest, size) in self.blobs.list()? {
            if !needed.contains(&digest) {
                self.blobs.remove(&digest)?;
                freed_bytes += size;
            }
        }
        for entry in fs::read_dir(&self.rootfs)? {
            let entry = entry?;
            let name = format!("sha256:{}", entry.file_name().to_string_lossy());
            if !Digest::parse(&name).is_ok_and(|digest| needed.contains(&digest)) {
                freed_bytes += tree_bytes(&entry.path());
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(freed_bytes)
    }
}

/// Bytes of all files under `dir`, links not followed; what can't be read counts nothing.
fn tree_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => tree_bytes(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests;
