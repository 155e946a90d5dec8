//! A control group for the process of a pod, where the kernel has the unified hierarchy (cgroup v2) and lets the node
//! divide its part of it. A sandbox keeps its limits by itself; these hold when it does not.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    PodLimits,
    limits::{ISOLATED_OVERHEAD_BYTES, ISOLATED_OVERHEAD_MILLIS, ISOLATED_TASKS},
};

/// What the kernel measures limits of CPU time over, in microseconds.
const CPU_PERIOD_MICROS: u64 = 100_000;

/// A group of one process. It is removed when this is dropped, if the process is gone.
pub(super) struct ControlGroup {
    dir: PathBuf,
}

/// A group below this process's own. None: there is none to be had, which the log says once.
pub(super) fn below_own(limits: PodLimits) -> Option<ControlGroup> {
    static OWN: OnceLock<Option<PathBuf>> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let prepare = || {
        let prepared = own_dir().and_then(|dir| divide(&dir).map(|()| dir));
        let say = |why: &io::Error| tracing::warn!("the processes of isolated pods have no control groups: {why}");
        prepared.inspect_err(say).ok()
    };
    let own = OWN.get_or_init(prepare).as_ref()?;
    let name = format!("pod-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let group = ControlGroup::make(own.join(name), limits);
    group.inspect_err(|error| tracing::warn!(%error, "an isolated pod has no control group")).ok()
}

impl ControlGroup {
    fn make(dir: PathBuf, limits: PodLimits) -> io::Result<ControlGroup> {
        fs::create_dir(&dir)?;
        let group = ControlGroup { dir };
        fs::write(group.dir.join("pids.max"), ISOLATED_TASKS.to_string())?;
        group.limit(limits)?;
        Ok(group)
    }

    /// Other limits from now on: what the pod may have, and what its process needs besides.
    pub(super) fn limit(&self, limits: PodLimits) -> io::Result<()> {
        let memory = limits.memory_bytes.map(|bytes| bytes.saturating_add(ISOLATED_OVERHEAD_BYTES));
        fs::write(self.dir.join("memory.max"), memory.map_or_else(|| "max".to_owned(), |limit| limit.to_string()))?;
        let cpu = self.dir.join("cpu.max");
        // Not every node is given this controller.
        if !cpu.exists() {
            return Ok(());
        }
        let micros =
            |millis: u32| u64::from(millis.saturating_add(ISOLATED_OVERHEAD_MILLIS)) * CPU_PERIOD_MICROS / 1000;
        let quota = limits.cpu_millis.map_or_else(|| "max".to_owned(), |millis| micros(millis).to_string());
        fs::write(cpu, format!("{quota} {CPU_PERIOD_MICROS}"))
    }

    /// Puts a process in.
    pub(super) fn add(&self, pid: u32) -> io::Result<()> {
        fs::write(self.dir.join("cgroup.procs"), pid.to_string())
    }

    /// Whether the kernel has killed for want of memory in it.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.dir.join("memory.events")).unwrap_or_default();
        events.lines().filter_map(|line| line.strip_prefix("oom_kill ")).any(|count| count.trim() != "0")
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.dir) {
            tracing::debug!(dir = %self.dir.display(), %error, "a control group stays");
        }
    }
}

/// Where this process's own group is mounted.
fn own_dir() -> io::Result<PathBuf> {
    let (groups, mounts) = (fs::read_to_string("/proc/self/cgroup")?, fs::read_to_string("/proc/self/mountinfo")?);
    find(&groups, &mounts).ok_or_else(|| io::Error::new(ErrorKind::NotFound, "there is no unified hierarchy (cgroup2)"))
}

/// See cgroups(7) and proc_pid_mountinfo(5).
fn find(groups: &str, mounts: &str) -> Option<PathBuf> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (fields, source) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        let below = Path::new(own).strip_prefix(root).ok()?;
        source.starts_with("cgroup2 ").then(|| Path::new(place).join(below))
    })
}

/// Has groups below `dir` limit memory and tasks, and CPU time if that is there.
fn divide(dir: &Path) -> io::Result<()> {
    const WANTED: [&str; 2] = ["memory", "pids"];
    let has_all = |file: &str| -> io::Result<bool> {
        let there = fs::read_to_string(dir.join(file))?;
        Ok(WANTED.iter().all(|wanted| there.split_whitespace().any(|found| found == *wanted)))
    };
    if !has_all("cgroup.controllers")? {
        let message = format!("{} has no controllers for memory and pids", dir.display());
        return Err(io::Error::new(ErrorKind::Unsupported, message));
    }
    if has_all("cgroup.subtree_control")? {
        return Ok(());
    }
    let cpu = fs::read_to_string(dir.join("cgroup.controllers"))?.split_whitespace().any(|found| found == "cpu");
    let wanted = if cpu { "+memory +pids +cpu" } else { "+memory +pids" };
    let enable = || fs::write(dir.join("cgroup.subtree_control"), wanted);
    match enable() {
        // A group that is divided has no processes of its own. Others than this one are not ours to move.
        Err(error) if error.kind() == ErrorKind::ResourceBusy && is_alone(dir)? => {
            step_aside(dir)?;
            enable()
        }
        done => done,
    }
}

fn is_alone(dir: &Path) -> io::Result<bool> {
    Ok(fs::read_to_string(dir.join("cgroup.procs"))?.trim() == std::process::id().to_string())
}

fn step_aside(dir: &Path) -> io::Result<()> {
    let own = dir.join("node");
    match fs::create_dir(&own) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::write(own.join("cgroup.procs"), std::process::id().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_its_mount() {
        let mounts = "30 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n24 1 8:1 / / rw - ext4 /dev/sda rw";
        let path = |groups, mounts| find(groups, mounts);
        assert_eq!(path("0::/a/b", mounts), Some("/sys/fs/cgroup/a/b".into()));
        assert_eq!(path("4:memory:/x\n0::/", mounts), Some("/sys/fs/cgroup".into()));
        assert_eq!(path("4:memory:/x", mounts), None);
        let part = mounts.replace("0:27 / ", "0:27 /pods ");
        assert_eq!(path("0::/pods/a", &part), Some("/sys/fs/cgroup/a".into()));
        assert_eq!(path("0::/other", &part), None);
    }

    #[test]
    fn a_group_is_divided_if_it_has_what_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        fs::write(file("cgroup.controllers"), "cpu pids").unwrap();
        assert_eq!(divide(dir.path()).unwrap_err().kind(), ErrorKind::Unsupported);
        fs::write(file("cgroup.controllers"), "cpu memory pids").unwrap();
        fs::write(file("cgroup.subtree_control"), "").unwrap();
        divide(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(file("cgroup.subtree_control")).unwrap(), "+memory +pids +cpu");
        fs::write(file("cgroup.controllers"), "memory pids").unwrap();
        fs::write(file("cgroup.subtree_control"), "").unwrap();
        divide(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(file("cgroup.subtree_control")).unwrap(), "+memory +pids");
    }

    #[test]
    fn limits_are_written_and_kills_are_read() {
        let outer = tempfile::tempdir().unwrap();
        let limits = PodLimits { memory_bytes: Some(1 << 20), cpu_millis: Some(500) };
        let group = ControlGroup::make(outer.path().join("pod"), limits).unwrap();
        let read = |name: &str| fs::read_to_string(group.dir.join(name)).unwrap();
        assert_eq!(read("memory.max"), ((1 << 20) + ISOLATED_OVERHEAD_BYTES).to_string());
        assert!(!group.dir.join("cpu.max").exists(), "the node has no part of this controller");
        fs::write(group.dir.join("cpu.max"), "max 100000").unwrap();
        group.limit(limits).unwrap();
        assert_eq!(read("cpu.max"), "60000 100000");
        group.limit(PodLimits::default()).unwrap();
        assert_eq!(read("cpu.max"), "max 100000");
        assert_eq!((read("memory.max"), read("pids.max")), ("max".into(), ISOLATED_TASKS.to_string()));
        assert!(!group.ran_out_of_memory());
        fs::write(group.dir.join("memory.events"), "oom 3\noom_kill 0\n").unwrap();
        assert!(!group.ran_out_of_memory());
        fs::write(group.dir.join("memory.events"), "oom 3\noom_kill 1\n").unwrap();
        assert!(group.ran_out_of_memory());
    }
}
