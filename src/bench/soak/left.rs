//! What pods may leave behind beside the node's process: child processes, control groups, directories.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::load::Counts;

/// Where volumes in memory are.
const SHARED_MEMORY: &str = "/dev/shm";

/// What there is of pods at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Processes of isolated pods.
    pub children: usize,
    /// Their control groups.
    pub groups: usize,
    /// Directories of pods, on disk and in memory.
    pub directories: usize,
}

impl Left {
    /// Looks at what the node has whose process this is, and whose cluster is in `data`.
    pub fn of(pid: u32, data: &Path, counts: &Counts) -> anyhow::Result<Left> {
        let pods = data.join("node/pods");
        let on_disk = fs::read_dir(&pods).with_context(|| format!("cannot read {}", pods.display()))?.count();
        Ok(Left {
            children: children(pid)?,
            groups: own_groups(pid)?.iter().map(|dir| groups_in(dir, pid)).sum(),
            directories: on_disk + counts.left_in(Path::new(SHARED_MEMORY)),
        })
    }

    /// What should not be there once all pods are gone.
    pub fn complaints(&self) -> Vec<String> {
        let all = [
            ("child processes", self.children),
            ("control groups", self.groups),
            ("directories of pods", self.directories),
        ];
        all.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}: {count}")).collect()
    }
}

/// Processes whose parent this is, also dead ones that it has not looked after.
fn children(pid: u32) -> anyhow::Result<usize> {
    let parent = format!("PPid:\t{pid}");
    let is_child = |dir: PathBuf| {
        let status = fs::read_to_string(dir.join("status")).unwrap_or_default();
        status.lines().any(|line| line == parent)
    };
    Ok(fs::read_dir("/proc").context("cannot read /proc")?.flatten().filter(|entry| is_child(entry.path())).count())
}

/// The groups of cgroup v2 that those of the node's pods may be in: its own, and the one above, if it has stepped aside.
fn own_groups(pid: u32) -> anyhow::Result<Vec<PathBuf>> {
    let read = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    };
    Ok(unified(&read("cgroup")?, &read("mountinfo")?)
        .map(|(mount, own)| own_and_above(&mount, &own))
        .unwrap_or_default())
}

/// Where the unified hierarchy is mounted, and a process's place in it.
fn unified(groups: &str, mounts: &str) -> Option<(PathBuf, PathBuf)> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?.split(' ').nth(4)?;
    Some((mount.into(), own.into()))
}

fn own_and_above(mount: &Path, own: &Path) -> Vec<PathBuf> {
    own.ancestors().take(2).map(|group| mount.join(group)).collect()
}

/// Groups of pods of this node, by the names that it gives them.
fn groups_in(dir: &Path, pid: u32) -> usize {
    let prefix = format!("pod-{pid}-");
    let names = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter(|name| name.to_string_lossy().starts_with(&prefix)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_counted_until_it_is_waited_for() {
        let mut command = std::process::Command::new("cat");
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        // Tests beside this one may have children too: those of the child are nobody else's.
        assert!(children(std::process::id()).unwrap() >= 1);
        assert_eq!(children(child.id()).unwrap(), 0);
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn groups_are_found_by_their_names() {
        let mounts = "24 1 8:1 / / rw - ext4 /dev/sda rw\n30 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
        let (mount, own) = unified("4:memory:/x\n0::/a/node", mounts).unwrap();
        let paths = own_and_above(&mount, &own);
        assert_eq!(paths, ["/sys/fs/cgroup/a/node", "/sys/fs/cgroup/a"].map(PathBuf::from));
        assert!(unified("4:memory:/x", mounts).is_none());
        let dir = tempfile::tempdir().unwrap();
        for name in ["pod-7-0", "pod-7-12", "pod-77-0", "other"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        assert_eq!(groups_in(dir.path(), 7), 2);
    }

    #[test]
    fn only_what_is_left_is_complained_of() {
        assert!(Left::default().complaints().is_empty());
        let left = Left { children: 2, groups: 0, directories: 1 };
        assert_eq!(left.complaints(), ["child processes: 2", "directories of pods: 1"]);
    }
}
