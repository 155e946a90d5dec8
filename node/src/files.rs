//! Writing files so that a crash leaves the old one or the new one, never half of one.

use std::{
    ffi::{CStr, CString},
    fs, io,
    io::Write,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, Mode, OFlags},
    io::Errno,
};

/// Names read of a directory before they are removed.
const NAMES_AT_ONCE: usize = 10_000;

/// Replaces `path` by `bytes`: written beside it, flushed to the disk, renamed.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_atomic_with_mode(path, bytes, 0o644)
}

/// [`write_atomic`] with a file mode.
pub fn write_atomic_with_mode(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let parent = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(parent)?;
    let temporary = path.with_extension(format!("tmp{:x}", rand::random::<u64>()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Removes a directory and what is in it; one that isn't there is removed already.
///
/// Guests make directories in one another as deep as they like, and the standard library descends with a descriptor and
/// a frame of the stack for each. Here whatever lies deeper than one level is moved up before it is emptied.
pub fn remove_dir(path: &Path) -> io::Result<()> {
    match remove_tree(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove_tree(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return fs::remove_file(path);
    }
    let root = open_dir(CWD, path)?;
    let mut moved = Moved { root: root.as_fd(), prefix: rand::random(), count: 0 };
    loop {
        let mut found = false;
        for name in names(&root)? {
            found = true;
            if !remove_file_at(&root, &name)? {
                moved.empty(&name)?;
                rustix::fs::unlinkat(&root, &*name, AtFlags::REMOVEDIR)?;
            }
        }
        if !found {
            return fs::remove_dir(path);
        }
    }
}

/// Where directories go that were found in a directory of the root.
struct Moved<'a> {
    root: BorrowedFd<'a>,
    prefix: u64,
    count: u64,
}

impl Moved<'_> {
    /// Empties a directory of the root: its directories become directories of the root.
    fn empty(&mut self, name: &CStr) -> io::Result<()> {
        let dir = open_dir(self.root, name)?;
        loop {
            let names = names(&dir)?;
            for name in &names {
                if !remove_file_at(&dir, name)? {
                    self.move_up(&dir, name)?;
                }
            }
            if names.is_empty() {
                return Ok(());
            }
        }
    }

    fn move_up(&mut self, dir: &OwnedFd, name: &CStr) -> io::Result<()> {
        self.count += 1;
        let above = format!("{:x}-{}", self.prefix, self.count);
        match rustix::fs::renameat(dir, name, self.root, above) {
            // Only its owner may move a directory that can't be written; an empty one needs no moving.
            Err(Errno::ACCESS | Errno::PERM) => Ok(rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?),
            moved => Ok(moved?),
        }
    }
}

fn open_dir(at: impl AsFd, path: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, path, flags, Mode::empty())?)
}

/// Names in a directory, in portions: it changes while it is worked on, and may have millions.
fn names(dir: &OwnedFd) -> io::Result<Vec<CString>> {
    let entries = Dir::read_from(dir)?.filter_map(|entry| match entry {
        Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => None,
        entry => Some(entry.map(|entry| entry.file_name().to_owned())),
    });
    Ok(entries.take(NAMES_AT_ONCE).collect::<Result<_, _>>()?)
}

/// Removes what is no directory. False: it is one.
fn remove_file_at(dir: &OwnedFd, name: &CStr) -> io::Result<bool> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        // Linux says the one, POSIX the other.
        Err(Errno::ISDIR | Errno::PERM) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/file.json");
        write_atomic(&path, b"one").unwrap();
        write_atomic_with_mode(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        remove_dir(path.parent().unwrap()).unwrap();
        remove_dir(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_tree_is_removed_with_all_it_has_and_nothing_it_leads_to() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, kept) = (dir.path().join("tree"), dir.path().join("kept"));
        fs::create_dir_all(tree.join("a/b/c")).unwrap();
        fs::create_dir_all(tree.join("a/empty")).unwrap();
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "kept").unwrap();
        for place in ["file", "a/file", "a/b/c/file"] {
            fs::write(tree.join(place), "").unwrap();
        }
        for link in ["link", "a/b/link"] {
            std::os::unix::fs::symlink(&kept, tree.join(link)).unwrap();
        }
        remove_dir(&tree).unwrap();
        assert!(!tree.exists());
        assert_eq!(fs::read(kept.join("file")).unwrap(), b"kept");
        // A link in its own place is removed, not what it leads to.
        std::os::unix::fs::symlink(&kept, &tree).unwrap();
        remove_dir(&tree).unwrap();
        assert!(fs::symlink_metadata(&tree).is_err() && kept.join("file").exists());
    }

    #[test]
    fn a_tree_deeper_than_any_path_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let mut at = open_dir(CWD, &tree).unwrap();
        for _ in 0..20_000 {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            rustix::fs::mkdirat(&at, "e", Mode::RWXU).unwrap();
            at = open_dir(&at, "d").unwrap();
        }
        drop(at);
        remove_dir(&tree).unwrap();
        assert!(!tree.exists());
    }
}
