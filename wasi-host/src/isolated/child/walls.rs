//! The walls around a child. They are raised while it has one thread, and none can be taken down again.

use std::{fs, io};

use nix::sched::{CloneFlags, unshare};
use rustix::{
    io::Errno,
    mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, mount_remount, unmount},
    process::{
        DumpableBehavior, Resource, Rlimit, Signal, chdir, chroot, getegid, geteuid, getrlimit, pivot_root,
        set_dumpable_behavior, set_parent_process_death_signal, setrlimit,
    },
    thread::{
        CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set,
        set_capabilities, set_no_new_privs,
    },
};

use super::filter;
use crate::limits::ISOLATED_OPEN_FILES;

/// A wall that is not there. Without any one of them there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub(super) enum WallError {
    /// no namespaces of its own
    #[error("the kernel gives the process no namespaces of its own (user namespaces may be switched off): {0}")]
    Namespaces(#[source] io::Error),
    /// no empty root
    #[error("the process can't get an empty root directory: {0}")]
    Root(#[source] io::Error),
    /// capabilities are left
    #[error("the process can't give up its capabilities: {0}")]
    Capabilities(#[source] io::Error),
    /// limits can't be set
    #[error("the process can't limit itself: {0}")]
    Limits(#[source] io::Error),
    /// no filter of system calls
    #[error("the kernel takes no filter of system calls: {0}")]
    Filter(#[source] io::Error),
}

/// Raises all of them. How many files the process may have open afterwards.
pub(super) fn raise() -> Result<usize, WallError> {
    let files = limit_resources().map_err(WallError::Limits)?;
    own_namespaces().map_err(WallError::Namespaces)?;
    empty_root().map_err(WallError::Root)?;
    drop_capabilities().map_err(WallError::Capabilities)?;
    // Later than what changes the process's credentials, which undoes both.
    bind_to_parent().map_err(WallError::Limits)?;
    set_no_new_privs(true).map_err(|error| WallError::Filter(error.into()))?;
    filter::install().map_err(WallError::Filter)?;
    Ok(files)
}

/// No core dumps, which would write a guest's memory to the host's disk, and only so many files.
fn limit_resources() -> io::Result<usize> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)?;
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX).min(ISOLATED_OPEN_FILES);
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: Some(most) })?;
    Ok(usize::try_from(most).unwrap_or(usize::MAX))
}

/// Mounts, names and queues of its own. The network stays the host's: the pod's address is there.
fn own_namespaces() -> io::Result<()> {
    let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    match unshare(own) {
        Err(nix::errno::Errno::EPERM) => {}
        done => return Ok(done?),
    }
    // Who may not do that on the host may in a user namespace, in which one is who one was.
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    unshare(own | CloneFlags::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

/// Makes an empty directory that can't be written the root of all paths.
fn empty_root() -> io::Result<()> {
    // Any directory will do to mount on, and this one is there.
    const PLACE: &str = "/proc";
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    mount("none", PLACE, "tmpfs", flags, c"size=4k,nr_inodes=2,mode=555")?;
    chdir(PLACE)?;
    match pivot_root(".", ".") {
        Ok(()) => unmount(".", UnmountFlags::DETACH)?,
        // The first root of a machine can't be put away; what lies below another one can't be reached either.
        Err(Errno::INVAL) => chroot(".")?,
        Err(error) => return Err(error.into()),
    }
    chdir("/")?;
    Ok(mount_remount("/", MountFlags::RDONLY | flags, "")?)
}

fn drop_capabilities() -> io::Result<()> {
    for capability in CapabilitySet::all().iter() {
        match remove_capability_from_bounding_set(capability) {
            // The kernel does not know all that we do.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}

/// Ends with its parent, and is looked into by nobody.
fn bind_to_parent() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

#[cfg(test)]
mod tests;
