//! Which names the store knows, and what they stand for: one small file each, and all of them in memory.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::blobs::{sync_parent, write_atomically};
use crate::digest::Digest;
use crate::image::Image;

/// Raised when the form of the files changes; files of another form are left alone and their images pulled
/// again.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    image: Image,
}

#[derive(Debug)]
pub(crate) struct Names {
    dir: PathBuf,
    tmp: PathBuf,
    images: RwLock<BTreeMap<String, Image>>,
}

impl Names {
    pub(crate) fn open(dir: &Path, tmp: &Path) -> io::Result<Names> {
        fs::create_dir_all(dir)?;
        let mut images = BTreeMap::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            match read(&path) {
                Ok(image) => {
                    images.insert(image.reference.clone(), image);
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "ignoring an unreadable image record");
                }
            }
        }
        Ok(Names { dir: dir.to_owned(), tmp: tmp.to_owned(), images: RwLock::new(images) })
    }

    pub(crate) fn get(&self, name: &str) -> Option<Image> {
        self.images.read().get(name).cloned()
    }

    pub(crate) fn find(&self, wanted: impl Fn(&Image) -> bool) -> Option<Image> {
        self.images.read().values().find(|image| wanted(image)).cloned()
    }

    pub(crate) fn list(&self) -> Vec<Image> {
        self.images.read().values().cloned().collect()
    }

    pub(crate) fn put(&self, image: &Image) -> io::Result<()> {
        let record = Record { version: VERSION, image: image.clone() };
        let bytes = serde_json::to_vec_pretty(&record)?;
        write_atomically(&self.tmp, &self.path(&image.reference), &bytes)?;
        self.images.write().insert(image.reference.clone(), image.clone());
        Ok(())
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<Option<Image>> {
        let Some(image) = self.images.write().remove(name) else { return Ok(None) };
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => sync_parent(&path)?,
        }
        Ok(Some(image))
    }

    /// References have slashes and are longer than file names may be, so files are named by their digest.
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{}.json", Digest::of(name.as_bytes()).hex()))
    }
}

fn read(path: &Path) -> io::Result<Image> {
    let record: Record = serde_json::from_slice(&fs::read(path)?)?;
    match record.version {
        VERSION => Ok(record.image),
        other => Err(io::Error::other(format!("record version {other}, this program reads {VERSION}"))),
    }
}
