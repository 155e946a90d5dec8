//! The data directory: who may use it, and which version of the format it has.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::open::OpenError;

/// The newest format this code reads and writes: some values may be encrypted.
pub(crate) const FORMAT: u32 = 2;

/// The format in which no value is encrypted. New directories begin with it; the first store that encrypts anything goes
/// over to [`FORMAT`], and then older versions, which would take what they can't read for objects, do not open it.
const PLAIN_FORMAT: u32 = 1;

const LOCK_FILE: &str = "lock";
const FORMAT_FILE: &str = "format";
const DATABASE_FILE: &str = "store.redb";

/// A data directory that nobody else can use while this value exists.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    format: u32,
    /// Held for its lock, which the kernel releases with the last descriptor, however the process ends.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if need be, locks it, and checks its format.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let io_error = |error| OpenError::Io { path: path.to_owned(), error };
        fs::create_dir_all(path).map_err(io_error)?;
        let mut dir = Self { path: path.to_owned(), format: PLAIN_FORMAT, _lock: lock(path)? };
        dir.format = dir.check_format()?;
        Ok(dir)
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE_FILE)
    }

    /// Whether the directory is of a time when nothing was encrypted.
    pub(crate) fn is_plain(&self) -> bool {
        self.format == PLAIN_FORMAT
    }

    /// Values may be encrypted from now on.
    pub(crate) fn may_be_encrypted(&mut self) -> Result<(), OpenError> {
        let path = self.path.join(FORMAT_FILE);
        self.write_format(&path, FORMAT).map_err(|error| OpenError::Io { path, error })?;
        self.format = FORMAT;
        Ok(())
    }

    fn check_format(&self) -> Result<u32, OpenError> {
        let path = self.path.join(FORMAT_FILE);
        let corrupt = |reason: String| OpenError::Corrupt { path: path.clone(), reason };
        match fs::read_to_string(&path) {
            Ok(text) => {
                let found =
                    text.trim().parse().map_err(|_| corrupt(format!("{:?} is not a format number", text.trim())))?;
                if found > FORMAT { Err(OpenError::NewerVersion { found, supported: FORMAT }) } else { Ok(found) }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.database().exists() => {
                Err(corrupt("the file is missing although there is a database".into()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let written = self.write_format(&path, PLAIN_FORMAT);
                written.map(|()| PLAIN_FORMAT).map_err(|error| OpenError::Io { path: path.clone(), error })
            }
            Err(error) => Err(OpenError::Io { path: path.clone(), error }),
        }
    }

    /// Written under another name first, so that the file is never seen without its content.
    fn write_format(&self, path: &Path, format: u32) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        writeln!(file, "{format}")?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(&self.path)?.sync_all()
    }
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join(LOCK_FILE);
    let io_error = |error| OpenError::Io { path: path.clone(), error };
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io_error)?;
    match flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            // The holder is for the message; without it the directory is in use all the same.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() { "another process".to_owned() } else { format!("process {holder}") };
            return Err(OpenError::InUse { path: dir.to_owned(), holder });
        }
        Err(error) => return Err(io_error(error.into())),
    }
    let note = || {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    let mut note = note;
    note().map_err(io_error)?;
    Ok(file)
}
