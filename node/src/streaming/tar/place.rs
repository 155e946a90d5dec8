//! Paths of a container on the host: which of its directories a path is in, opened by the kernel beneath it.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use coracle_wasi_host::Preopen;
use rustix::fs::{Mode, OFlags, ResolveFlags};

/// Nothing above the directory, and no links that the kernel makes up.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);
/// Directories that unpacking makes.
const DIRECTORY_MODE: u32 = 0o755;

/// The directories of a container.
pub struct Places {
    /// The longest paths first.
    preopens: Vec<Preopen>,
}

/// A path in one of them.
pub struct Place {
    root: OwnedFd,
    /// Relative to `root`, without `..`.
    inside: PathBuf,
    read_only: bool,
}

/// The parts of a path, `..` taken back, from the container's root on.
pub fn normal(directory: &str, path: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let absolute = path.starts_with('/');
    for part in if absolute { "" } else { directory }.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part.to_owned()),
        }
    }
    parts
}

impl Places {
    /// Those of a container.
    pub fn new(preopens: &[Preopen]) -> Places {
        let mut preopens = preopens.to_vec();
        preopens.sort_by_key(|preopen| std::cmp::Reverse(normal("", &preopen.guest_path).len()));
        Places { preopens }
    }

    /// Where a path, given by its parts, is.
    pub fn find(&self, parts: &[String]) -> io::Result<Place> {
        for preopen in &self.preopens {
            let guest = normal("", &preopen.guest_path);
            if let Some(rest) = parts.strip_prefix(guest.as_slice()) {
                return Ok(Place {
                    root: preopen.open()?.into(),
                    inside: rest.iter().collect(),
                    read_only: preopen.read_only,
                });
            }
        }
        Err(rustix::io::Errno::NOENT.into())
    }

    /// Whether a path is a directory.
    pub fn is_directory(&self, path: &str) -> bool {
        let place = self.find(&normal("/", path));
        place.is_ok_and(|place| open_in(&place.root, place.here(), OFlags::PATH | OFlags::DIRECTORY).is_ok())
    }
}

impl Place {
    fn here(&self) -> &Path {
        if self.inside.as_os_str().is_empty() { Path::new(".") } else { &self.inside }
    }

    /// The directory that the path is in, and its name there; `.` for a whole directory of the container.
    pub fn parent(&self) -> io::Result<(OwnedFd, PathBuf)> {
        let Some(name) = self.inside.file_name() else {
            return Ok((self.root.try_clone()?, PathBuf::from(".")));
        };
        let parent = self.inside.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = open_in(&self.root, parent.unwrap_or(Path::new(".")), OFlags::PATH | OFlags::DIRECTORY)?;
        Ok((parent, PathBuf::from(name)))
    }

    /// The same, made if it is not there. Fails where the container may not write.
    pub fn made_parent(&self) -> io::Result<(OwnedFd, PathBuf)> {
        let Some(name) = self.inside.file_name() else { return self.parent() };
        let parent = self.inside.parent().unwrap_or(Path::new(""));
        Ok((self.made(parent)?, PathBuf::from(name)))
    }

    /// Makes the path a directory, if it is none.
    pub fn make_directory(&self) -> io::Result<()> {
        self.made(&self.inside).map(drop)
    }

    fn made(&self, path: &Path) -> io::Result<OwnedFd> {
        if self.read_only {
            return Err(rustix::io::Errno::ROFS.into());
        }
        let mut directory = self.root.try_clone()?;
        let mut walked = PathBuf::new();
        for part in path.iter() {
            walked.push(part);
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            directory = match open_in(&self.root, &walked, flags) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match rustix::fs::mkdirat(&directory, part, Mode::from_raw_mode(DIRECTORY_MODE)) {
                        // Somebody was quicker.
                        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    open_in(&self.root, &walked, flags)?
                }
                opened => opened?,
            };
        }
        Ok(directory)
    }

    /// How deep below its directory the path is.
    pub fn depth(&self) -> usize {
        self.inside.iter().count()
    }
}

/// Opens what is beneath a directory.
pub fn open_in(directory: impl AsFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat2(directory, path, flags | OFlags::CLOEXEC, Mode::empty(), BENEATH)?)
}

/// Makes a file in a directory in place of what has the name now.
pub fn create_in(directory: impl AsFd, name: &Path, mode: u32) -> io::Result<File> {
    match rustix::fs::unlinkat(&directory, name, rustix::fs::AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat2(directory, name, flags, Mode::from_raw_mode(mode), BENEATH)?;
    Ok(File::from(file))
}
