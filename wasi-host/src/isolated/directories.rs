//! Directories for a child: open, and without a way up.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::mount::{OpenTreeFlags, open_tree};

use crate::preopen::open_without_links;

/// Opens a directory for another process, which gets what is in it and below, and nothing above.
///
/// An open directory of the host's has a parent, and so on up to the root of the host. A mount of its own has none: it
/// is attached nowhere, has no name, and is gone with its last descriptor. It stays the directory that it is, whatever
/// takes the place of its name, so it need not be looked for again at each instance.
pub(super) fn for_child(path: &Path) -> io::Result<OwnedFd> {
    without_a_way_up(&open_without_links(path)?)
}

fn without_a_way_up(dir: &File) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(dir.as_fd(), "", flags).map_err(|error| {
        if error == rustix::io::Errno::PERM {
            let message = "a directory can be given to an isolated pod only by a node that may mount (CAP_SYS_ADMIN)";
            return io::Error::new(io::ErrorKind::PermissionDenied, message);
        }
        error.into()
    })
}

#[cfg(test)]
mod tests {
    use rustix::fs::{Mode, OFlags, openat};

    use super::*;

    #[test]
    fn there_is_no_way_up() {
        let outer = tempfile::tempdir().unwrap();
        std::fs::create_dir(outer.path().join("d")).unwrap();
        std::fs::write(outer.path().join("secret"), "s").unwrap();
        std::fs::write(outer.path().join("d/own"), "o").unwrap();
        let host_path = outer.path().canonicalize().unwrap().join("d");
        let given = match for_child(&host_path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !rustix::process::geteuid().is_root() => {
                return;
            }
            given => given.unwrap(),
        };
        let open = |path: &str| openat(&given, path, OFlags::RDONLY, Mode::empty());
        open("own").unwrap();
        assert_eq!(open("../secret").unwrap_err(), rustix::io::Errno::NOENT);
        open("../../../own").unwrap();
    }
}
