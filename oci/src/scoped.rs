//! Paths inside a root directory, as the archive's own system would see them: absolute links start at the
//! root, `..` stops at it, and nothing that lies outside is ever named.
//!
//! Invariant: every path returned here is under `root` and has no symbolic link in it. That holds while
//! nobody else changes the tree, which is why archives are unpacked in a private directory.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Symbolic links followed for one path; Linux gives up at 40 too.
const MAX_LINKS: usize = 40;

/// Where `path` leads. `create` makes missing directories; otherwise what is missing is `NotFound`.
pub(crate) fn resolve(root: &Path, path: &Path, create: bool) -> io::Result<PathBuf> {
    let mut resolved = root.to_owned();
    let mut pending: Vec<OsString> = parts(path);
    let mut links = 0;
    while let Some(part) = pending.pop() {
        if part == ".." {
            if resolved != root {
                resolved.pop();
            }
            continue;
        }
        let next = resolved.join(&part);
        match fs::symlink_metadata(&next) {
            Ok(meta) if meta.is_symlink() => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(io::Error::other(format!("{}: too many links", path.display())));
                }
                let target = fs::read_link(&next)?;
                if target.is_absolute() {
                    resolved = root.to_owned();
                }
                pending.extend(parts(&target));
            }
            Ok(_) => resolved = next,
            Err(error) if create && error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir(&next)?;
                resolved = next;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(resolved)
}

/// The components of a path that say where to go, last first.
fn parts(path: &Path) -> Vec<OsString> {
    let steps = path.components().rev().filter_map(|component| match component {
        Component::Normal(part) => Some(part.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    steps.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_and_dots_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/file"), "x").unwrap();
        symlink("/a", root.join("absolute")).unwrap();
        symlink("../../../../a", root.join("a/b/escaping")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        for path in ["a/file", "/absolute/file", "../../a/file", "a/b/escaping/file"] {
            assert_eq!(resolve(root, Path::new(path), false).unwrap(), root.join("a/file"), "{path}");
        }
        assert!(resolve(root, Path::new("loop"), false).is_err());
        assert!(resolve(root, Path::new("none/x"), false).is_err());
        assert_eq!(resolve(root, Path::new("absolute/new"), true).unwrap(), root.join("a/new"));
    }
}
