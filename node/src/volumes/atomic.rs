//! Writing a volume's files so that a reader sees all the old ones or all the new ones (kubelet's atomic writer).
//!
//! The files stand in a directory named after the time, `..data` is a link to it, and what users see are links through
//! `..data`. One rename of `..data` replaces them all; a file that is open stays what it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
};

use jiff::Timestamp;

use super::{error::VolumeError, ownership::Owner, payload::File};

/// The link that leads to the present files.
const DATA: &str = "..data";
/// The link while it is being made.
const NEW_DATA: &str = "..data_tmp";
/// What the names of directories of files begin with; everything that begins so is the writer's.
const OWN_PREFIX: &str = "..";
/// The longest path of a file (kubelet's `maxPathLength`) and of each of its parts.
const PATH_LIMIT_BYTES: usize = 4096;
const NAME_LIMIT_BYTES: usize = 255;

/// Makes the directory of a volume. Only whoever sets a pod up does: a volume that is gone must not come back because
/// one of its objects changes just then.
pub fn make_root(dir: &Path) -> Result<(), VolumeError> {
    let failed = |source| VolumeError::Io { path: dir.to_owned(), source };
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(failed)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).map_err(failed)
}

/// Makes `files` the content of the volume at `dir`. False: they were that already, and nothing was written.
pub fn write(dir: &Path, files: &[File], owner: Option<Owner>) -> Result<bool, VolumeError> {
    // Of two files at one path the later one counts, as in kubelet's map.
    let files: BTreeMap<&str, &File> = files.iter().map(|file| (&*file.path, file)).collect();
    files.keys().try_for_each(|path| check_path(path))?;
    let failed = |source| VolumeError::Io { path: dir.to_owned(), source };
    let current = fs::read_link(dir.join(DATA)).ok().map(|target| dir.join(target));
    if current.as_deref().is_some_and(|current| holds(current, &files, owner)) {
        return Ok(false);
    }
    replace(dir, &files, owner).map_err(failed)?;
    Ok(true)
}

/// Kubelet's rules for the paths of a payload.
fn check_path(path: &str) -> Result<(), VolumeError> {
    let invalid = |why| Err(VolumeError::Path { path: path.to_owned(), why });
    let parts = Path::new(path).components();
    if path.is_empty() {
        return invalid("must not be empty");
    }
    if path.starts_with('/') {
        return invalid("must be relative path");
    }
    if parts.clone().any(|part| matches!(part, Component::ParentDir)) {
        return invalid("must not contain '..'");
    }
    if path.starts_with(OWN_PREFIX) {
        return invalid("must not start with '..'");
    }
    if path.len() > PATH_LIMIT_BYTES || parts.into_iter().any(|part| part.as_os_str().len() > NAME_LIMIT_BYTES) {
        return invalid("must be shorter than 4096 bytes, and each of its parts than 256");
    }
    Ok(())
}

/// Whether exactly these files are in `dir`, with their modes.
fn holds(dir: &Path, files: &BTreeMap<&str, &File>, owner: Option<Owner>) -> bool {
    let added = if owner.is_some() { Owner::READABLE } else { 0 };
    let same = |(path, file): (&&str, &&File)| {
        let at = dir.join(path);
        let Ok(metadata) = fs::symlink_metadata(&at) else { return false };
        metadata.is_file()
            && metadata.len() == file.content.len() as u64
            && metadata.permissions().mode() & 0o777 == file.mode | added
            && fs::read(&at).is_ok_and(|content| content == file.content)
    };
    files.iter().all(same) && count(dir).is_ok_and(|count| count == files.len())
}

/// How many files there are below `dir`, which the writer itself has filled.
fn count(dir: &Path) -> io::Result<usize> {
    let mut total = 0;
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { left.push(entry.path()) } else { total += 1 }
        }
    }
    Ok(total)
}

fn replace(dir: &Path, files: &BTreeMap<&str, &File>, owner: Option<Owner>) -> io::Result<()> {
    let name = format!("..{}.{:08x}", Timestamp::now().strftime("%Y_%m_%d_%H_%M_%S"), rand::random::<u32>());
    let fresh = dir.join(&name);
    let written = fill(&fresh, files, owner).and_then(|()| {
        let link = dir.join(NEW_DATA);
        remove(&link)?;
        symlink(&name, &link)?;
        fs::rename(&link, dir.join(DATA))
    });
    if written.is_err() {
        let _ = crate::files::remove_dir(&fresh);
        return written;
    }
    let visible: BTreeSet<OsString> = files.keys().filter_map(|path| first_part(path)).collect();
    show(dir, &visible)?;
    sweep(dir, &visible, &name)
}

fn fill(dir: &Path, files: &BTreeMap<&str, &File>, owner: Option<Owner>) -> io::Result<()> {
    fs::create_dir(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    for (path, file) in files {
        let path = dir.join(path);
        if let Some(parent) = path.parent().filter(|parent| *parent != dir) {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, &file.content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))?;
    }
    owner.map_or(Ok(()), |owner| owner.take(dir, true))
}

fn first_part(path: &str) -> Option<OsString> {
    Path::new(path).components().find(|part| matches!(part, Component::Normal(_))).map(|part| part.as_os_str().into())
}

/// Makes the links that users see.
fn show(dir: &Path, visible: &BTreeSet<OsString>) -> io::Result<()> {
    for name in visible {
        let (link, target) = (dir.join(name), PathBuf::from(DATA).join(name));
        if fs::read_link(&link).is_ok_and(|present| present == target) {
            continue;
        }
        remove(&link)?;
        symlink(&target, &link)?;
    }
    Ok(())
}

/// Removes links to what is no longer there and directories of former files.
fn sweep(dir: &Path, visible: &BTreeSet<OsString>, current: &str) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        let wanted = match text.starts_with(OWN_PREFIX) {
            true => text == DATA || text == current,
            false => visible.contains(&name),
        };
        if !wanted {
            remove(&dir.join(&name))?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => crate::files::remove_dir(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str, mode: u32) -> File {
        File { path: path.into(), content: content.into(), mode }
    }

    fn names(dir: &Path) -> Vec<String> {
        let all = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut all: Vec<_> = all.map(|name| if name.starts_with("..2") { "..time".into() } else { name }).collect();
        all.sort();
        all
    }

    #[test]
    fn files_appear_through_links_and_change_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("v");
        assert!(write(&root, &[], None).is_err(), "a volume that is gone stays so");
        make_root(&root).unwrap();
        assert!(write(&root, &[file("a", "1", 0o644), file("deep/er/b", "2", 0o400)], None).unwrap());
        assert_eq!(names(&root), ["..data", "..time", "a", "deep"]);
        assert_eq!(fs::read_link(root.join("a")).unwrap(), Path::new("..data/a"));
        assert_eq!(fs::read_to_string(root.join("deep/er/b")).unwrap(), "2");
        let mode = fs::metadata(root.join("deep/er/b")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400);
        let before = fs::read_link(root.join(DATA)).unwrap();
        assert!(!write(&root, &[file("deep/er/b", "2", 0o400), file("a", "1", 0o644)], None).unwrap());
        assert_eq!(fs::read_link(root.join(DATA)).unwrap(), before, "nothing changed, nothing is written");
        assert!(write(&root, &[file("a", "3", 0o644)], None).unwrap());
        assert_eq!(names(&root), ["..data", "..time", "a"]);
        assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "3");
        assert!(write(&root, &[file("a", "3", 0o600)], None).unwrap(), "a mode is content too");
        assert!(write(&root, &[], None).unwrap());
        assert_eq!(names(&root), ["..data", "..time"]);
    }

    #[test]
    fn what_a_crash_left_is_swept_away() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("..2026_01_01_00_00_00.1")).unwrap();
        symlink("nowhere", dir.path().join(NEW_DATA)).unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        write(dir.path(), &[file("a", "1", 0o644)], None).unwrap();
        assert_eq!(names(dir.path()), ["..data", "..time", "a"]);
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for (path, why) in [
            ("", "must not be empty"),
            ("/etc", "must be relative path"),
            ("a/../../b", "must not contain '..'"),
            ("..data", "must not start with '..'"),
        ] {
            let error = write(dir.path(), &[file(path, "", 0o644)], None).unwrap_err().to_string();
            assert_eq!(error, format!("invalid path {path:?}: {why}"));
        }
    }
}
