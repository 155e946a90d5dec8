//! Opening what guests can replace. A path that was looked at may lead elsewhere a moment later, if a container can write
//! what is on its way: so it is opened without following a link anywhere, and then worked on as it is open.

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags},
    io::Errno,
};

/// Opens a directory whose path has no links, to work in it.
pub fn open_directory(path: &Path) -> io::Result<File> {
    open(path, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Takes hold of a regular file whose path has no links. It is read, linked and copied by [`path_of`].
pub fn hold_file(path: &Path) -> io::Result<File> {
    // What takes its place might be a pipe, which would hold up who opens it to read.
    let file = hold(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::from(io::ErrorKind::InvalidInput)) }
}

/// Takes hold of whatever is at a path without links: also of a link, if that is what the path ends in.
pub fn hold(path: &Path) -> io::Result<File> {
    open(path, OFlags::PATH)
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        // Kernels before 5.6, and some sandboxes, know the last component's flag only; where it leads is looked at after.
        Err(Errno::NOSYS) => {
            let file = File::from(rustix::fs::openat(CWD, path, flags, Mode::empty())?);
            let found = std::fs::read_link(path_of(&file))?;
            if found == path { Ok(file) } else { Err(Errno::LOOP.into()) }
        }
        opened => Ok(File::from(opened?)),
    }
}

/// A path that leads to an open file, whatever becomes of its names (Linux, proc(5)).
pub fn path_of(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, process::Command};

    use super::*;

    #[test]
    fn links_and_pipes_are_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("dir")).unwrap();
        fs::write(at("dir/file"), "content").unwrap();
        symlink("dir", at("link")).unwrap();
        symlink("file", at("dir/link")).unwrap();
        assert!(Command::new("mkfifo").arg(at("dir/pipe")).status().unwrap().success());
        let held = hold_file(&at("dir/file")).unwrap();
        assert_eq!(fs::read_to_string(path_of(&held)).unwrap(), "content");
        open_directory(&at("dir")).unwrap();
        for bad in ["link/file", "dir/link", "dir/pipe", "dir", "none"] {
            assert!(hold_file(&at(bad)).is_err(), "{bad}");
        }
        for bad in ["link", "dir/file", "dir/pipe", "none"] {
            assert!(open_directory(&at(bad)).is_err(), "{bad}");
        }
    }
}
