//! What this machine is: processors, memory, disk, system. Read from the kernel's own files.

use std::{fs, path::Path, time::Duration};

/// Length of the kernel's ticks (`USER_HZ` is 100 on every architecture we run on).
const TICK_MILLIS: u64 = 10;

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Thousandths of a CPU.
    pub cpu_millis: u64,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Size of the file system under the node's directory.
    pub storage_bytes: u64,
    /// Processes that can run at a time.
    pub processes: u64,
    /// `6.12.0-…`
    pub kernel: String,
    /// `Debian GNU/Linux 13 (trixie)`
    pub os_image: String,
    /// `/etc/machine-id`
    pub machine_id: String,
    /// Changes with each boot.
    pub boot_id: String,
    /// The machine's own number, where it has one.
    pub system_uuid: String,
}

/// What a machine has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headroom {
    /// Memory that can be had without swapping.
    pub memory_bytes: u64,
    /// Processes that can still be started.
    pub processes: u64,
}

/// The file system under a directory; by default one without a size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disk {
    /// Its size.
    pub capacity_bytes: u64,
    /// What of it is free.
    pub available_bytes: u64,
    /// Files and directories it can hold; 0 if it has no such limit.
    pub inodes: u64,
    /// How many more.
    pub inodes_free: u64,
}

impl Disk {
    /// Looks at the file system that `path` is on; one that can't be looked at has no size.
    pub fn of(path: &Path) -> Disk {
        rustix::fs::statvfs(path).map_or_else(
            |_| Disk::default(),
            |stat| Disk {
                capacity_bytes: stat.f_blocks * stat.f_frsize,
                available_bytes: stat.f_bavail * stat.f_frsize,
                inodes: stat.f_files,
                inodes_free: stat.f_favail,
            },
        )
    }
}

impl Machine {
    /// Looks at the machine; `data_dir` says which file system counts.
    pub fn read(data_dir: &Path) -> Machine {
        let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64);
        let machine_id = line("/etc/machine-id");
        let system_uuid = line("/sys/class/dmi/id/product_uuid");
        Machine {
            cpu_millis: cpus * 1000,
            memory_bytes: meminfo("MemTotal"),
            storage_bytes: Disk::of(data_dir).capacity_bytes,
            processes: most_processes(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            os_image: os_image(&fs::read_to_string("/etc/os-release").unwrap_or_default()),
            boot_id: line("/proc/sys/kernel/random/boot_id"),
            system_uuid: if system_uuid.is_empty() { machine_id.clone() } else { system_uuid },
            machine_id,
        }
    }
}

impl Headroom {
    /// Looks at what is left.
    pub fn read() -> Headroom {
        Headroom { memory_bytes: meminfo("MemAvailable"), processes: most_processes().saturating_sub(tasks()) }
    }
}

/// Kubernetes' name of this processor architecture (Go's `GOARCH`).
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

/// The process's own resident memory in bytes.
pub fn resident_bytes() -> u64 {
    let statm = line("/proc/self/statm");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

fn line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn meminfo(field: &str) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// The highest number a process can have.
pub fn most_processes() -> u64 {
    line("/proc/sys/kernel/pid_max").parse().unwrap_or(u64::MAX)
}

/// Processes and threads that there are.
pub fn tasks() -> u64 {
    // "0.20 0.18 0.12 1/80 11206": the number after the slash counts tasks.
    let load = line("/proc/loadavg");
    load.split_whitespace().nth(3).and_then(|field| field.split('/').nth(1)?.parse().ok()).unwrap_or(0)
}

/// Time that the machine's processors have worked, all together, since it started.
pub fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<u64> = stat.lines().next().unwrap_or_default().split_whitespace().flat_map(str::parse).collect();
    // user nice system idle iowait irq softirq steal
    let worked = fields.iter().take(8).enumerate().filter(|(place, _)| !matches!(place, 3 | 4));
    Duration::from_millis(worked.map(|(_, ticks)| ticks * TICK_MILLIS).sum())
}

/// Time that this process has spent on processors.
pub fn own_cpu_time() -> Duration {
    let stat = line("/proc/self/stat");
    // The name of the program, in parentheses, may have spaces in it.
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = fields.split_whitespace().skip(11).take(2).flat_map(str::parse::<u64>);
    Duration::from_millis(ticks.map(|ticks| ticks * TICK_MILLIS).sum())
}

/// Memory in use by the machine's processes, and with what the kernel keeps of files.
pub fn memory_in_use() -> (u64, u64) {
    let (all, free, available) = (meminfo("MemTotal"), meminfo("MemFree"), meminfo("MemAvailable"));
    (all.saturating_sub(available), all.saturating_sub(free))
}

fn os_image(os_release: &str) -> String {
    let name = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_something_of_everything() {
        let machine = Machine::read(Path::new("/"));
        assert!(
            machine.cpu_millis >= 1000 && machine.memory_bytes > 1 << 20 && machine.storage_bytes > 0,
            "{machine:?}"
        );
        assert!(!machine.kernel.is_empty() && !machine.os_image.is_empty());
        let left = Headroom::read();
        assert!(left.memory_bytes <= machine.memory_bytes && left.processes > 0, "{left:?}");
        assert!(resident_bytes() > 0 && tasks() > 0);
        assert!(cpu_time() >= own_cpu_time());
        let (working, used) = memory_in_use();
        assert!(working <= machine.memory_bytes && used <= machine.memory_bytes);
    }

    #[test]
    fn the_systems_name_is_found() {
        assert_eq!(
            os_image("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n"),
            "Debian GNU/Linux 13 (trixie)"
        );
        assert_eq!(os_image(""), "Linux");
    }
}
