//! The directory that a bucket is: a file for each key, below the volume.
//!
//! Guests may see the same volume as files, and put what they like there. So nothing is opened through a link, only
//! regular files are read, and whatever no bucket has written is an error.
//!
//! A value is written beside the old one, flushed, and renamed: whoever reads sees the one or the other, also after a
//! crash. Writers take turns by a lock on the directory, which holds between containers, pods and processes and ends
//! with whoever has it.

use std::{
    fs::File,
    io::{Read, Write},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags},
    io::Errno,
};

use super::{
    Error, Place,
    name::{KeyFile, LENGTH_BYTES},
};
use crate::limits;

/// The directory's name in its volume.
const DIRECTORY: &str = ".keyvalue";
/// A value that is being written, or was when somebody died. No key's file begins with a dot.
pub(super) const UNFINISHED: &str = ".unfinished";
/// Never through a link.
const ALWAYS: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);
/// For the node's user alone: guests have none, and read by its leave.
const FILE_MODE: Mode = Mode::from_raw_mode(0o600);
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o700);

/// Descriptors that one operation has open at once: the volume and the directory, or that and a file.
pub(super) const DESCRIPTORS: usize = 2;

/// A bucket's directory, open.
pub(super) struct Directory {
    pub(super) dir: File,
}

impl Directory {
    /// The directory at `place`. None: nothing was ever written to it.
    pub(super) fn find(place: &Place) -> Result<Option<Directory>, Error> {
        Directory::open(&place.volume()?)
    }

    fn open(volume: &File) -> Result<Option<Directory>, Error> {
        match rustix::fs::openat(volume, DIRECTORY, OFlags::RDONLY | OFlags::DIRECTORY | ALWAYS, Mode::empty()) {
            Ok(dir) => Ok(Some(Directory { dir: dir.into() })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => Err(Error::foreign(DIRECTORY)),
            Err(error) => Err(error.into()),
        }
    }

    /// The directory at `place`, made if there is none.
    fn make(place: &Place) -> Result<Directory, Error> {
        let volume = place.volume()?;
        if let Some(there) = Directory::open(&volume)? {
            return Ok(there);
        }
        match rustix::fs::mkdirat(&volume, DIRECTORY, DIRECTORY_MODE) {
            Err(error) if error != Errno::EXIST => return Err(error.into()),
            _ => volume.sync_all()?,
        }
        Directory::open(&volume)?.ok_or_else(|| Error::foreign(DIRECTORY))
    }

    /// Changes the bucket while nobody else does. What was changed is on the disk afterwards.
    pub(super) fn change<T>(place: &Place, work: impl FnOnce(&Directory) -> Result<T, Error>) -> Result<T, Error> {
        if place.bucket.read_only {
            return Err(Error::AccessDenied);
        }
        let directory = Directory::make(place)?;
        directory.dir.lock()?;
        let done = work(&directory)?;
        directory.dir.unlock()?;
        directory.dir.sync_all()?;
        Ok(done)
    }

    /// The value that is in `file`.
    pub(super) fn read(&self, file: &KeyFile) -> Result<Option<Vec<u8>>, Error> {
        let Some(open) = self.open_file(&file.name)? else { return Ok(None) };
        let limit = file.head.len() + limits::VALUE_LIMIT_BYTES;
        let mut bytes = Vec::new();
        open.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > limit || !bytes.starts_with(&file.head) {
            return Err(foreign_file());
        }
        Ok(Some(bytes.split_off(file.head.len())))
    }

    /// Whether there is such a file.
    pub(super) fn has(&self, file: &KeyFile) -> Result<bool, Error> {
        Ok(self.open_file(&file.name)?.is_some())
    }

    /// The key with which the file `name` begins. None: the file is gone.
    pub(super) fn key_inside(&self, name: &str) -> Result<Option<String>, Error> {
        let Some(mut open) = self.open_file(name)? else { return Ok(None) };
        let mut length = [0; LENGTH_BYTES];
        open.read_exact(&mut length).map_err(|_| foreign_file())?;
        let mut key = Vec::new();
        open.take(u16::from_be_bytes(length).into()).read_to_end(&mut key)?;
        let key = String::from_utf8(key).map_err(|_| foreign_file())?;
        if KeyFile::of(&key).is_ok_and(|file| file.name == name) { Ok(Some(key)) } else { Err(foreign_file()) }
    }

    fn open_file(&self, name: &str) -> Result<Option<File>, Error> {
        // A pipe would hold up who opens it to read.
        let open = rustix::fs::openat(&self.dir, name, OFlags::RDONLY | OFlags::NONBLOCK | ALWAYS, Mode::empty());
        match open {
            Ok(file) => {
                let file = File::from(file);
                if file.metadata()?.is_file() { Ok(Some(file)) } else { Err(foreign_file()) }
            }
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => Err(foreign_file()),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts `value` into `file`; in [`Directory::change`] only.
    pub(super) fn write(&self, file: &KeyFile, value: &[u8]) -> Result<(), Error> {
        self.remove(UNFINISHED)?;
        let written = self.write_beside(file, value);
        if written.is_err() {
            // What is there takes up room that the disk may not have. The next one to write removes it otherwise.
            let _ = self.remove(UNFINISHED);
        }
        written
    }

    fn write_beside(&self, file: &KeyFile, value: &[u8]) -> Result<(), Error> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | ALWAYS;
        let mut new = File::from(rustix::fs::openat(&self.dir, UNFINISHED, flags, FILE_MODE)?);
        new.write_all(&file.head)?;
        new.write_all(value)?;
        new.sync_data()?;
        match rustix::fs::renameat(&self.dir, UNFINISHED, &self.dir, &*file.name) {
            Err(Errno::ISDIR) => Err(foreign_file()),
            renamed => Ok(renamed?),
        }
    }

    /// Removes a file, if it is there; in [`Directory::change`] only.
    pub(super) fn remove(&self, name: &str) -> Result<(), Error> {
        match rustix::fs::unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(Errno::ISDIR) => Err(foreign_file()),
            Err(error) => Err(error.into()),
        }
    }
}

fn foreign_file() -> Error {
    Error::foreign("the file of this key")
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
