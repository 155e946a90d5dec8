//! Opening the directories that guests are given, again for each instance and for whoever looks into them.

use std::{
    fs::{self, File},
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;

use crate::Preopen;

impl Preopen {
    /// Opens the directory, provided that its path still leads where it is.
    ///
    /// A container may be given a directory inside of another one that its neighbour can write. The neighbour could put
    /// a link in its place, leading anywhere on the host, while instances come and go: so the path must be free of links.
    ///
    /// # Errors
    /// When the path leads through a link, to no directory, or nowhere.
    pub fn open(&self) -> io::Result<File> {
        open_without_links(&self.host_path)
    }
}

/// Opens a directory of the host, provided that no link is on its path.
pub(crate) fn open_without_links(path: &Path) -> io::Result<File> {
    // With the dot, what is no directory is an error: a pipe would hold up who opens it.
    let dir = File::open(path.join("."))?;
    if fs::read_link(path_of(&dir))? == path {
        return Ok(dir);
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "a link is on the way to the directory"))
}

/// Runs `open` where `.` is an open directory, for a process without paths. It is the whole process's working directory
/// meanwhile, which nothing else here looks at.
pub(crate) fn standing_in<T>(dir: &File, open: impl FnOnce() -> T) -> io::Result<T> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    rustix::process::fchdir(dir)?;
    let opened = open();
    rustix::process::chdir("/")?;
    Ok(opened)
}

/// A path that leads to an open file, whatever becomes of its names (Linux, proc(5)).
pub(crate) fn path_of(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_directory_is_opened_where_it_is_and_not_through_links() {
        let outer = tempfile::tempdir().unwrap();
        let at = |path: &str| outer.path().canonicalize().unwrap().join(path);
        let preopen = |path: &str| Preopen { host_path: at(path), guest_path: "/d".into(), read_only: false };
        fs::create_dir_all(at("volume/d/deep")).unwrap();
        fs::create_dir_all(at("secret/deep")).unwrap();
        fs::write(at("volume/file"), "").unwrap();
        preopen("volume/d").open().unwrap();
        preopen("volume/d/deep").open().unwrap();
        assert!(preopen("volume/file").open().is_err());
        assert!(preopen("volume/none").open().is_err());
        fs::rename(at("volume/d"), at("volume/moved")).unwrap();
        symlink("../secret", at("volume/d")).unwrap();
        for path in ["volume/d", "volume/d/deep"] {
            assert_eq!(preopen(path).open().unwrap_err().kind(), io::ErrorKind::PermissionDenied, "{path}");
        }
    }
}
