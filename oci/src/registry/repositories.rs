//! What each repository holds: links to blobs, manifests, tags. One file per repository, replaced whole.
//!
//! Invariant: a repository is on disk before anybody reads it from memory; its file is named by the digest
//! of its name, so no name reaches the file system.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use crate::blobs::{sync_parent, write_atomically};
use crate::digest::Digest;
use crate::limits::Limits;

/// One repository.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) blobs: BTreeSet<Digest>,
    pub(crate) manifests: BTreeMap<Digest, Entry>,
    pub(crate) tags: BTreeMap<String, Digest>,
}

/// What is known of a manifest without reading it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) media_type: String,
    pub(crate) size: u64,
    pub(crate) artifact_type: Option<String>,
    pub(crate) subject: Option<Digest>,
    pub(crate) annotations: Option<BTreeMap<String, String>>,
    /// Blobs and manifests it names.
    pub(crate) references: Vec<Digest>,
}

impl Repository {
    pub(crate) fn holds(&self, digest: &Digest) -> bool {
        self.blobs.contains(digest) || self.manifests.contains_key(digest)
    }

    fn is_empty(&self) -> bool {
        self.blobs.is_empty() && self.manifests.is_empty() && self.tags.is_empty()
    }
}

#[derive(Debug)]
pub(crate) struct Repositories {
    dir: PathBuf,
    tmp: PathBuf,
    limits: Limits,
    map: RwLock<BTreeMap<String, Repository>>,
    /// Held from reading a repository to replacing it, so that no change is lost; readers don't wait for it.
    writing: Mutex<()>,
}

impl Repositories {
    pub(crate) fn open(dir: &Path, tmp: &Path, limits: &Limits) -> io::Result<Repositories> {
        fs::create_dir_all(dir)?;
        let mut map = BTreeMap::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let repository: Repository = serde_json::from_slice(&fs::read(&path)?).map_err(|error| {
                let message = format!("{}: {error}", path.display());
                io::Error::new(io::ErrorKind::InvalidData, message)
            })?;
            map.insert(repository.name.clone(), repository);
        }
        Ok(Repositories {
            dir: dir.to_owned(),
            tmp: tmp.to_owned(),
            limits: limits.clone(),
            map: RwLock::new(map),
            writing: Mutex::new(()),
        })
    }

    /// Looks at a repository.
    pub(crate) fn read<T>(&self, name: &str, look: impl FnOnce(&Repository) -> T) -> Result<T, ApiError> {
        let map = self.map.read();
        map.get(name).map(look).ok_or_else(|| ApiError::NameUnknown(name.to_owned()))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.map.read().keys().cloned().collect()
    }

    /// Whether any repository has this blob or manifest.
    pub(crate) fn any_holds(&self, digest: &Digest) -> bool {
        self.map.read().values().any(|repository| repository.holds(digest))
    }

    /// Changes a repository, creating it if it is new, and makes that durable. Blocks on the disk.
    pub(crate) fn change<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Repository) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let _writing = self.writing.lock();
        let (known, count) = {
            let map = self.map.read();
            (map.get(name).cloned(), map.len())
        };
        if known.is_none() && count >= self.limits.repositories {
            let limit = self.limits.repositories;
            return Err(ApiError::TooMany(format!("the registry has its {limit} repositories")));
        }
        let mut repository = known.unwrap_or_else(|| Repository { name: name.to_owned(), ..Repository::default() });
        let result = change(&mut repository)?;
        self.check_limits(&repository)?;
        self.store(repository)?;
        Ok(result)
    }

    fn check_limits(&self, repository: &Repository) -> Result<(), ApiError> {
        let limit = self.limits.repository_entries;
        let counts = [repository.blobs.len(), repository.manifests.len(), repository.tags.len()];
        match counts.iter().any(|count| *count > limit) {
            true => {
                Err(ApiError::TooMany(format!("the repository has its {limit} blobs, manifests or tags: delete some")))
            }
            false => Ok(()),
        }
    }

    fn store(&self, repository: Repository) -> io::Result<()> {
        let file = format!("{}.json", Digest::of(repository.name.as_bytes()).hex());
        let path = self.dir.join(file);
        if repository.is_empty() {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => sync_parent(&path)?,
            }
            self.map.write().remove(&repository.name);
            return Ok(());
        }
        write_atomically(&self.tmp, &path, &serde_json::to_vec(&repository)?)?;
        self.map.write().insert(repository.name.clone(), repository);
        Ok(())
    }
}
