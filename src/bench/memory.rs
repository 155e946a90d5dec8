//! Resident memory and processor time of this process, and of others.

use std::time::Duration;

use anyhow::Context;

/// `VmRSS` of this process, in bytes.
pub fn resident_bytes() -> anyhow::Result<u64> {
    resident_bytes_of(std::process::id())
}

/// `VmRSS` of a process, in bytes.
pub fn resident_bytes_of(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).with_context(|| format!("{path} has no VmRSS"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().context("VmRSS is not a number")?;
    Ok(kib * 1024)
}

/// Clock ticks a second, in which Linux counts processor time for every program (`USER_HZ`).
const TICKS: u64 = 100;

/// User and system time of a process, to a hundredth of a second.
pub fn cpu_time_of(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The name of the program, in parentheses, may contain anything.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// `101.2 MiB`
pub fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_some_memory_and_nobody_has_none() {
        assert!(resident_bytes().unwrap() > 1 << 20);
        // Process 0 is the kernel's own and has no entry.
        assert_eq!(resident_bytes_of(0).unwrap_err().to_string(), "cannot read /proc/0/status");
    }
}
