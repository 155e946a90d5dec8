//! Bringing files from one directory into another: as links to the same content where that is wanted and possible,
//! otherwise as copies.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags},
    io::Errno,
};

use super::no_links::{hold_file, open_directory, path_of};

/// Entries of one tree. What an image or a volume has beyond that is an error: a container can't wait for more.
const ENTRIES_LIMIT: usize = 200_000;

/// How a file gets to its second place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As the same file: what is written at one place is read at the other.
    Link,
    /// As another file.
    Copy,
}

/// Brings one regular file to `to`, where nothing may be but an older one. Neither path has links, and none is followed
/// that a container has put there meanwhile.
pub fn bring_file(from: &Path, to: &Path, how: How) -> io::Result<()> {
    let source = hold_file(from)?;
    let (Some(parent), Some(name)) = (to.parent(), to.file_name()) else { return Err(Errno::ISDIR.into()) };
    let parent = open_directory(parent)?;
    match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    // Links can't cross file systems, and Linux refuses links to other people's files (fs.protected_hardlinks).
    let link = || rustix::fs::linkat(CWD, path_of(&source), &parent, name, AtFlags::SYMLINK_FOLLOW);
    if how == How::Link && link().is_ok() {
        return Ok(());
    }
    let mut reader = fs::File::open(path_of(&source))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut copy = fs::File::from(rustix::fs::openat(&parent, name, flags, Mode::RUSR | Mode::WUSR)?);
    io::copy(&mut reader, &mut copy)?;
    copy.set_permissions(reader.metadata()?.permissions())
}

/// Brings all of `from`, whose path has no links, into the directory `to`. Links stay links; what is neither file, directory nor link stays away.
pub fn bring_tree(from: &Path, to: &Path, how: How) -> io::Result<()> {
    let mut seen = 0;
    let mut left = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = left.pop() {
        fs::create_dir_all(&to)?;
        let dir = open_directory(&from)?;
        for entry in fs::read_dir(path_of(&dir))? {
            let entry = entry?;
            seen += 1;
            if seen > ENTRIES_LIMIT {
                let text = format!("{} has more than {ENTRIES_LIMIT} entries", from.display());
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
            }
            let (source, target, kind) = (from.join(entry.file_name()), to.join(entry.file_name()), entry.file_type()?);
            if kind.is_dir() {
                left.push((source, target));
            } else if kind.is_symlink() {
                symlink(fs::read_link(entry.path())?, &target)?;
            } else if kind.is_file() {
                bring_file(&source, &target, how)?;
            }
        }
        let mode = dir.metadata()?.permissions().mode() & 0o7777;
        // The node has to be able to work in it, whatever the image says.
        fs::set_permissions(&to, fs::Permissions::from_mode(mode | 0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_the_same_file_and_copies_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("from/deep")).unwrap();
        fs::write(at("from/deep/file"), b"1").unwrap();
        symlink("deep/file", at("from/link")).unwrap();
        bring_tree(&at("from"), &at("linked"), How::Link).unwrap();
        bring_tree(&at("from"), &at("copied"), How::Copy).unwrap();
        fs::write(at("from/deep/file"), b"2").unwrap();
        assert_eq!(fs::read(at("linked/link")).unwrap(), b"2");
        assert_eq!(fs::read(at("copied/link")).unwrap(), b"1");
    }

    #[test]
    fn a_link_that_comes_in_between_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for place in ["volume/moved", "outside"] {
            fs::create_dir_all(at(place)).unwrap();
        }
        fs::write(at("outside/file"), b"secret").unwrap();
        fs::write(at("mine"), b"mine").unwrap();
        // What was a directory when it was looked at is a link now.
        symlink("../outside", at("volume/dir")).unwrap();
        for how in [How::Link, How::Copy] {
            assert!(bring_file(&at("volume/dir/file"), &at("stolen"), how).is_err());
            assert!(bring_file(&at("mine"), &at("volume/dir/new"), how).is_err());
            assert!(bring_tree(&at("volume/dir"), &at("all"), how).is_err());
        }
        assert!(!at("stolen").exists() && !at("outside/new").exists() && !at("all/file").exists());
    }
}
