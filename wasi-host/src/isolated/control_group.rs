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
    limits::{CPU_SHARES_MAX, CPU_SHARES_MIN, ISOLATED_OVERHEAD_BYTES, ISOLATED_OVERHEAD_MILLIS, ISOLATED_TASKS},
};

/// What the kernel measures limits of CPU time over, in microseconds.
const CPU_PERIOD_MICROS: u64 = 100_000;

/// The most that a group weighs where CPUs are shared; the least is 1.
const CPU_WEIGHT_MAX: u32 = 10_000;

/// Names that are tried for a group: others may be taken by what has not ended yet.
const NAMES_TRIED: usize = 64;

/// What has to be limited in each group.
const NEEDED: [&str; 2] = ["memory", "pids"];

/// What is limited and shared too if the node has a part of it.
const CPU: &str = "cpu";

/// A group of one process. It is removed when this is dropped, if the process is gone.
pub(super) struct ControlGroup {
    dir: PathBuf,
}

/// A group below this process's own. None: there is none to be had, which the log says once.
pub(super) fn below_own(limits: PodLimits) -> Option<ControlGroup> {
    static OWN: OnceLock<Option<PathBuf>> = OnceLock::new();
    let prepare = || {
        let prepared = own_dir().and_then(|dir| divide(&dir).map(|()| dir));
        let say = |why: &io::Error| tracing::warn!("the processes of isolated pods have no control groups: {why}");
        prepared.inspect_err(say).ok()
    };
    let own = OWN.get_or_init(prepare).as_ref()?;
    let group = free_below(own).and_then(|dir| ControlGroup::make(dir, limits));
    group.inspect_err(|error| tracing::warn!(%error, "an isolated pod has no control group")).ok()
}

/// Makes the directory of a group. One that is left of an earlier node goes first, and what was counted in it.
fn free_below(own: &Path) -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut made = Err(io::Error::from(ErrorKind::AlreadyExists));
    for _ in 0..NAMES_TRIED {
        let dir = own.join(format!("pod-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        made = make_anew(&dir).map(|()| dir);
        if !matches!(&made, Err(error) if error.kind() == ErrorKind::ResourceBusy) {
            break;
        }
    }
    made
}

fn make_anew(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_dir(dir)?;
            fs::create_dir(dir)
        }
        made => made,
    }
}

/// The weight for shares, as kubelet converts them.
fn weight(shares: u32) -> u64 {
    let above_least = u64::from(shares.clamp(CPU_SHARES_MIN, CPU_SHARES_MAX) - CPU_SHARES_MIN);
    1 + above_least * u64::from(CPU_WEIGHT_MAX - 1) / u64::from(CPU_SHARES_MAX - CPU_SHARES_MIN)
}

impl ControlGroup {
    /// Takes a directory that has just been made.
    pub(super) fn make(dir: PathBuf, limits: PodLimits) -> io::Result<ControlGroup> {
        let group = ControlGroup { dir };
        fs::write(group.dir.join("pids.max"), ISOLATED_TASKS.to_string())?;
        group.limit(limits)?;
        Ok(group)
    }

    /// Other limits from now on: what the pod may have, and what its process needs besides.
    pub(super) fn limit(&self, limits: PodLimits) -> io::Result<()> {
        let memory = limits.memory_bytes.map(|bytes| bytes.saturating_add(ISOLATED_OVERHEAD_BYTES));
        // What a limit forbids is not to be swapped out instead; so before the limit.
        self.write_if_there("memory.swap.max", if memory.is_some() { "0" } else { "max" })?;
        fs::write(self.dir.join("memory.max"), memory.map_or_else(|| "max".to_owned(), |limit| limit.to_string()))?;
        let micros =
            |millis: u32| u64::from(millis.saturating_add(ISOLATED_OVERHEAD_MILLIS)) * CPU_PERIOD_MICROS / 1000;
        let quota = limits.cpu_millis.map_or_else(|| "max".to_owned(), |millis| micros(millis).to_string());
        self.write_if_there("cpu.max", &format!("{quota} {CPU_PERIOD_MICROS}"))
    }

    /// Its part of busy CPUs, among groups beside it.
    pub(super) fn share(&self, shares: u32) -> io::Result<()> {
        self.write_if_there("cpu.weight", &weight(shares).to_string())
    }

    /// Not every node is given CPU time to divide, and not every kernel swaps.
    fn write_if_there(&self, file: &str, text: &str) -> io::Result<()> {
        let file = self.dir.join(file);
        if file.exists() { fs::write(file, text) } else { Ok(()) }
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
    let words = |file: &str| -> io::Result<Vec<String>> {
        Ok(fs::read_to_string(dir.join(file))?.split_whitespace().map(str::to_owned).collect())
    };
    let there = words("cgroup.controllers")?;
    let is_in = |all: &[String], wanted: &str| all.iter().any(|found| found == wanted);
    if !NEEDED.iter().all(|wanted| is_in(&there, wanted)) {
        let message = format!("{} has no controllers for memory and pids", dir.display());
        return Err(io::Error::new(ErrorKind::Unsupported, message));
    }
    let divided = words("cgroup.subtree_control")?;
    let missing = |wanted: &&str| !is_in(&divided, wanted);
    let needed: Vec<&str> = NEEDED.into_iter().filter(missing).collect();
    let with_cpu = [CPU].into_iter().filter(missing).filter(|cpu| is_in(&there, cpu));
    let all: Vec<&str> = needed.iter().copied().chain(with_cpu).collect();
    match enable(dir, &all) {
        // One process of real time is enough for this. The rest is not to be missed for it.
        Err(error) if all.len() > needed.len() => {
            enable(dir, &needed)?;
            tracing::warn!(%error, "the processes of isolated pods have no CPU limits and shares of the kernel's");
            Ok(())
        }
        done => done,
    }
}

fn enable(dir: &Path, controllers: &[&str]) -> io::Result<()> {
    if controllers.is_empty() {
        return Ok(());
    }
    let wanted: Vec<String> = controllers.iter().map(|controller| format!("+{controller}")).collect();
    let write = || fs::write(dir.join("cgroup.subtree_control"), wanted.join(" "));
    match write() {
        // A group that is divided has no processes of its own. Others than this one are not ours to move.
        Err(error) if error.kind() == ErrorKind::ResourceBusy && is_alone(dir)? => {
            step_aside(dir)?;
            write()
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
    fn what_is_divided_already_is_not_asked_for_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        fs::write(file("cgroup.controllers"), "cpuset cpu memory pids").unwrap();
        for (divided, wanted) in [
            ("memory pids", "+cpu"),
            ("cpu memory", "+pids"),
            ("cpu memory pids", "cpu memory pids"),
            ("cpuset", "+memory +pids +cpu"),
        ] {
            fs::write(file("cgroup.subtree_control"), divided).unwrap();
            divide(dir.path()).unwrap();
            assert_eq!(fs::read_to_string(file("cgroup.subtree_control")).unwrap(), wanted, "{divided}");
        }
    }

    #[test]
    fn a_group_that_is_left_is_made_anew() {
        let own = tempfile::tempdir().unwrap();
        let first = free_below(own.path()).unwrap();
        let second = free_below(own.path()).unwrap();
        assert_ne!(first, second);
        // Here too a directory with anything in it can't be removed.
        make_anew(&first).unwrap();
        fs::write(first.join("memory.events"), "oom_kill 1").unwrap();
        make_anew(&first).unwrap_err();
        make_anew(&second).unwrap();
        assert!(second.exists());
    }

    #[test]
    fn shares_become_the_weight_that_kubelet_gives() {
        for (shares, wanted) in
            [(0, 1), (2, 1), (102, 4), (1024, 39), (2048, 79), (262_144, 10_000), (u32::MAX, 10_000)]
        {
            assert_eq!(weight(shares), wanted, "{shares}");
        }
    }

    #[test]
    fn limits_are_written_and_kills_are_read() {
        let outer = tempfile::tempdir().unwrap();
        let limits = PodLimits { memory_bytes: Some(1 << 20), cpu_millis: Some(500) };
        let dir = outer.path().join("pod");
        fs::create_dir(&dir).unwrap();
        let group = ControlGroup::make(dir, limits).unwrap();
        let read = |name: &str| fs::read_to_string(group.dir.join(name)).unwrap();
        assert_eq!(read("memory.max"), ((1 << 20) + ISOLATED_OVERHEAD_BYTES).to_string());
        group.share(1024).unwrap();
        for file in ["cpu.max", "cpu.weight", "memory.swap.max"] {
            assert!(!group.dir.join(file).exists(), "the node has no part of this controller");
            fs::write(group.dir.join(file), "as it was").unwrap();
        }
        group.limit(limits).unwrap();
        group.share(1024).unwrap();
        let all = [read("cpu.max"), read("cpu.weight"), read("memory.swap.max")];
        assert_eq!(all, ["60000 100000", "39", "0"]);
        group.limit(PodLimits::default()).unwrap();
        let all = [read("cpu.max"), read("cpu.weight"), read("memory.swap.max")];
        assert_eq!(all, ["max 100000", "39", "max"]);
        assert_eq!((read("memory.max"), read("pids.max")), ("max".into(), ISOLATED_TASKS.to_string()));
        assert!(!group.ran_out_of_memory());
        fs::write(group.dir.join("memory.events"), "oom 3\noom_kill 0\n").unwrap();
        assert!(!group.ran_out_of_memory());
        fs::write(group.dir.join("memory.events"), "oom 3\noom_kill 1\n").unwrap();
        assert!(group.ran_out_of_memory());
    }
}
