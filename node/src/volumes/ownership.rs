//! `fsGroup`: who owns a volume's files, as kubelet sets it. Only root can; a guest has no identity, so nothing depends
//! on it but whoever else looks at the files.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use k8s_openapi::api::core::v1::Pod;
use rustix::{
    fs::{AtFlags, Gid},
    io::Errno,
};

use super::no_links::{hold, path_of};

/// Entries of a volume that are looked at; what is beyond keeps its owner.
const ENTRIES_LIMIT: usize = 1_000_000;
/// What the group may do with files, and with directories besides (kubelet's masks).
const WRITABLE: u32 = 0o660;
const DIRECTORY: u32 = 0o2110;

/// The group that owns a pod's volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    group: u32,
    on_root_mismatch: bool,
}

impl Owner {
    /// What the group may do with files it may only read.
    pub const READABLE: u32 = 0o440;

    /// The pod's `fsGroup`, if this process may set it.
    pub fn of(pod: &Pod) -> Option<Owner> {
        let context = pod.spec.as_ref()?.security_context.as_ref()?;
        let group = u32::try_from(context.fs_group?).ok()?;
        let on_root_mismatch = context.fs_group_change_policy.as_deref() == Some("OnRootMismatch");
        rustix::process::geteuid().is_root().then_some(Owner { group, on_root_mismatch })
    }

    /// Gives `root` and all below to the group.
    pub fn take(self, root: &Path, read_only: bool) -> io::Result<()> {
        if self.on_root_mismatch && fs::metadata(root).is_ok_and(|metadata| self.has(&metadata)) {
            return Ok(());
        }
        let mut left = vec![root.canonicalize()?];
        let mut seen = 0;
        while let Some(path) = left.pop() {
            // Another pod may have the volume and change it meanwhile: what is held is what is changed.
            let held = match hold(&path) {
                Err(error) if gone(&error) => continue,
                held => held?,
            };
            if !self.take_one(&held, read_only)? {
                continue;
            }
            for entry in fs::read_dir(path_of(&held))? {
                seen += 1;
                if seen > ENTRIES_LIMIT {
                    return Ok(());
                }
                left.push(path.join(entry?.file_name()));
            }
        }
        Ok(())
    }

    /// Gives one file, directory or link to the group. True: a directory.
    fn take_one(self, held: &fs::File, read_only: bool) -> io::Result<bool> {
        let metadata = held.metadata()?;
        rustix::fs::chownat(held, "", None, Some(Gid::from_raw(self.group)), AtFlags::EMPTY_PATH)?;
        if metadata.is_symlink() {
            return Ok(false);
        }
        let mask = if read_only { Owner::READABLE } else { WRITABLE };
        let mask = if metadata.is_dir() { mask | DIRECTORY } else { mask };
        fs::set_permissions(path_of(held), fs::Permissions::from_mode((metadata.mode() & 0o7777) | mask))?;
        Ok(metadata.is_dir())
    }

    fn has(self, metadata: &fs::Metadata) -> bool {
        metadata.gid() == self.group && metadata.mode() & (WRITABLE | DIRECTORY) == WRITABLE | DIRECTORY
    }
}

/// What was listed is not there any more, or a link is on the way to it now.
fn gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_owns_the_volume_if_root_says_so() {
        let pod = serde_json::json!({"spec": {"containers": [], "securityContext": {"fsGroup": 1234}}});
        let owner = Owner::of(&serde_json::from_value(pod).unwrap());
        assert_eq!(owner.is_some(), rustix::process::geteuid().is_root());
        let Some(owner) = owner else { return };
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), b"").unwrap();
        fs::set_permissions(dir.path().join("f"), fs::Permissions::from_mode(0o400)).unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        owner.take(dir.path(), true).unwrap();
        let (root, file) = (fs::metadata(dir.path()).unwrap(), fs::metadata(dir.path().join("f")).unwrap());
        assert_eq!((root.gid(), file.gid(), file.mode() & 0o777), (1234, 1234, 0o440));
        assert_eq!(root.mode() & 0o2110, 0o2110);
        assert_eq!(fs::symlink_metadata(dir.path().join("link")).unwrap().gid(), 1234);
        let outside = outside.as_file().metadata().unwrap();
        assert_ne!(outside.gid(), 1234, "what a link leads to is nobody's business");
        assert_eq!(outside.mode() & 0o777, 0o600);
    }
}
