//! What a process holds: memory, mappings, threads, mounts, descriptors by kind.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

/// What it holds at one moment.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    /// Resident memory.
    pub rss_bytes: u64,
    /// The same, of what is shared with other processes only its part.
    pub pss_bytes: u64,
    /// Memory mappings, of which Linux allows `vm.max_map_count`.
    pub mappings: usize,
    /// Threads.
    pub threads: usize,
    /// Mounted file systems that it sees.
    pub mounts: usize,
    /// Descriptors by kind: `socket`, `file`, `anon_inode` …
    pub descriptors: BTreeMap<String, usize>,
}

impl Holdings {
    /// Looks at a process.
    pub fn of(pid: u32) -> anyhow::Result<Holdings> {
        let proc = Path::new("/proc").join(pid.to_string());
        let read = |name: &str| {
            let path = proc.join(name);
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let rollup = read("smaps_rollup")?;
        let status = read("status")?;
        let threads = field(&status, "Threads:").context("no number of threads")?;
        Ok(Holdings {
            rss_bytes: field(&rollup, "Rss:").context("no resident memory")? * 1024,
            pss_bytes: field(&rollup, "Pss:").context("no proportional memory")? * 1024,
            mappings: read("maps")?.lines().count(),
            threads: usize::try_from(threads)?,
            mounts: read("mountinfo")?.lines().count(),
            descriptors: descriptors(&proc.join("fd"))?,
        })
    }

    /// All descriptors.
    pub fn descriptor_count(&self) -> usize {
        self.descriptors.values().sum()
    }

    /// Those that are sockets.
    pub fn sockets(&self) -> usize {
        self.descriptors.get("socket").copied().unwrap_or(0)
    }
}

/// The number behind a name, as /proc writes them.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn descriptors(directory: &Path) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut kinds = BTreeMap::new();
    let entries = std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        // One may be closed between the list and the look.
        let Ok(target) = std::fs::read_link(entry?.path()) else { continue };
        let target = target.to_string_lossy();
        let kind = if target.starts_with('/') { "file" } else { target.split(':').next().unwrap_or("other") };
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_something() {
        let _socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let holdings = Holdings::of(std::process::id()).unwrap();
        assert!(holdings.rss_bytes >= holdings.pss_bytes && holdings.pss_bytes > 0, "{holdings:?}");
        assert!(holdings.mappings > 10 && holdings.threads > 0 && holdings.sockets() > 0, "{holdings:?}");
        assert!(holdings.mounts > 0, "{holdings:?}");
        assert!(holdings.descriptor_count() > holdings.sockets());
        // Process 0 is the kernel's own and has no entry.
        assert_eq!(Holdings::of(0).unwrap_err().to_string(), "cannot read /proc/0/smaps_rollup");
    }
}
