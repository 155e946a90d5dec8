//! Bringing files from one directory into another: as links to the same content where that is wanted and possible,
//! otherwise as copies.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

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

/// Brings one regular file to `to`, where nothing may be but an older one.
pub fn bring_file(from: &Path, to: &Path, how: How) -> io::Result<()> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Links can't cross file systems, and Linux refuses links to other people's files (fs.protected_hardlinks).
    if how == How::Link && fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).map(drop)
}

/// Brings all of `from` into the directory `to`. Links stay links; what is neither file, directory nor link stays away.
pub fn bring_tree(from: &Path, to: &Path, how: How) -> io::Result<()> {
    let mut seen = 0;
    let mut left = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = left.pop() {
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            seen += 1;
            if seen > ENTRIES_LIMIT {
                let text = format!("{} has more than {ENTRIES_LIMIT} entries", from.display());
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
            }
            let (source, target, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
            if kind.is_dir() {
                left.push((source, target));
            } else if kind.is_symlink() {
                symlink(fs::read_link(&source)?, &target)?;
            } else if kind.is_file() {
                bring_file(&source, &target, how)?;
            }
        }
        let mode = fs::metadata(&from)?.permissions().mode() & 0o7777;
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
}
