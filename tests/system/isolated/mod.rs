//! Pods of the RuntimeClass `wasm-isolated`: what they do, and what stands around them.

mod behaviour;
mod files;
mod hostile;
mod loss;
mod sockets;
mod streams;
mod walls;
mod worlds;

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::boxes::{self, cluster, output, ready, shows};
use crate::harness::{Cluster, eventually};

/// The line of a pod that asks for a process of its own.
const ISOLATED: &str = "runtimeClassName: wasm-isolated";

/// An isolated pod, see [`boxes::pod`].
fn pod(name: &str, command: &str, more: &str, spec: &str) -> String {
    boxes::pod(name, command, more, &format!("{ISOLATED}\n{spec}"))
}

/// Makes a pod of [`crate::harness::guests::pod`] an isolated one.
pub fn isolated(manifest: &str) -> String {
    manifest.replace("spec:\n  restartPolicy", &format!("spec:\n  {ISOLATED}\n  restartPolicy"))
}

/// How the first container of a pod has ended, for [`shows`].
const END: &str =
    ".status.containerStatuses[0].state.terminated.exitCode}/{.status.containerStatuses[0].state.terminated.reason";

/// The directory in /proc of a pod's process.
fn process_of(cluster: &Cluster, pod: &str) -> Result<PathBuf, String> {
    process_below(cluster.pid(), pod)
}

/// The same, of a pod on the node that is this process.
pub fn process_below(node: u32, pod: &str) -> Result<PathBuf, String> {
    let parent = format!("PPid:\t{node}");
    let words = format!("sandbox\0default/{pod}\0");
    let is_it = |dir: &PathBuf| {
        let line = fs::read_to_string(dir.join("cmdline")).unwrap_or_default();
        let status = fs::read_to_string(dir.join("status")).unwrap_or_default();
        line.ends_with(&words) && status.lines().any(|line| line == parent)
    };
    let all = fs::read_dir("/proc").map_err(|error| error.to_string())?;
    all.filter_map(|entry| Some(entry.ok()?.path())).find(is_it).ok_or_else(|| format!("{pod} has no process"))
}

/// Waits until a pod has no process any more.
fn gone(cluster: &Cluster, pod: &str) {
    eventually("no process is left", || match process_of(cluster, pod) {
        Ok(dir) => Err(dir.display().to_string()),
        Err(_) => Ok(()),
    });
}

/// The number of a pod's process.
fn pid_of(cluster: &Cluster, pod: &str) -> u32 {
    number_of(&process_of(cluster, pod).unwrap())
}

/// The number of the process that a directory in /proc is of.
pub fn number_of(process: &Path) -> u32 {
    process.file_name().unwrap().to_str().unwrap().parse().unwrap()
}
