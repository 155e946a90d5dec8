//! A place below a directory, found without ever leaving it.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

use super::no_links::open_directory;

/// `path` below `base` with every link followed, provided that it stays below: a container may have left a link in
/// the volume that leads out of it (CVE-2017-1002101). It has no links then, and whoever opens it must follow none, because
/// a container may put one there afterwards (CVE-2021-25741). Missing directories are made with the mode of `base` if
/// `create` (kubelet's `SafeMakeDir`).
pub fn inside(base: &Path, path: &Path, create: bool) -> io::Result<PathBuf> {
    let base = base.canonicalize()?;
    let mode = fs::metadata(&base)?.permissions().mode() & 0o7777;
    let mut at = base.clone();
    for part in path.components() {
        match part {
            Component::Normal(part) => at.push(part),
            Component::CurDir => continue,
            _ => return Err(outside()),
        }
        if create && matches!(at.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound) {
            make_directory(&at, mode)?;
        }
        at = at.canonicalize()?;
        if !at.starts_with(&base) {
            return Err(outside());
        }
    }
    Ok(at)
}

/// Makes a directory where nothing is, in a place that a container may be changing meanwhile: neither the directory nor its
/// mode may land elsewhere.
fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(outside()) };
    let parent = open_directory(parent)?;
    match rustix::fs::mkdirat(&parent, name, Mode::RWXU) {
        // Somebody was quicker; what it is will be seen.
        Err(Errno::EXIST) => return Ok(()),
        made => made?,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = fs::File::from(rustix::fs::openat(&parent, name, flags, Mode::empty())?);
    made.set_permissions(fs::Permissions::from_mode(mode))
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "a link in the volume leads out of it")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn places_stay_below_their_base() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("base");
        fs::create_dir(&base).unwrap();
        fs::set_permissions(&base, fs::Permissions::from_mode(0o770)).unwrap();
        let made = inside(&base, Path::new("a/./b"), true).unwrap();
        assert!(made.ends_with("base/a/b"));
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o770);
        assert!(inside(&base, Path::new("c"), false).is_err());
        symlink("../..", base.join("up")).unwrap();
        symlink("a", base.join("within")).unwrap();
        assert!(inside(&base, Path::new("within/b"), false).is_ok());
        for bad in ["up", "up/x", "../x", "/etc"] {
            assert!(inside(&base, Path::new(bad), true).is_err(), "{bad}");
        }
    }
}
