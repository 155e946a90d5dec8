//! Tenants that mean harm, against the real binary: what they do to themselves, and what goes on beside them. The attacks
//! that need no node are in `wasi-host/tests/hostile` and `oci/src/unpack/tests`.

mod files;
mod floods;
mod loops;
mod programs;

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::harness::guests::{self, pod};
use crate::harness::{Cluster, eventually, skip};
use crate::isolated::isolated;

/// Where a pod runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// In the node's process.
    Usual,
    /// In a process of its own.
    Isolated,
}

impl Class {
    /// Has the pod of a manifest run there; it is one as [`pod`] makes them.
    pub fn of(self, manifest: &str) -> String {
        match self {
            Self::Usual => manifest.to_owned(),
            Self::Isolated => isolated(manifest),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usual => "usual",
            Self::Isolated => "isolated",
        })
    }
}

/// The classes that can be tried here.
pub fn classes() -> &'static [Class] {
    if isolation_is_possible() { &[Class::Usual, Class::Isolated] } else { &[Class::Usual] }
}

/// Whether pods with a process of their own can have directories here; says so if they can't.
pub fn isolation_is_possible() -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0);
    if !is_root {
        skip("giving directories to the process of a pod needs root");
    }
    is_root
}

/// A pod beside the hostile one, and proof that the node still starts pods, runs them and reads their logs.
fn is_well(cluster: &Cluster, name: &str) {
    guests::push(cluster, name, guests::FAILING);
    cluster.apply(&pod(name, "Never", ""));
    eventually("a pod beside it runs", || {
        let logs = cluster.kubectl(&format!("logs {name}")).result()?;
        if logs == "failing\n" { Ok(()) } else { Err(logs) }
    });
}

/// Waits until the pod's container runs.
fn runs(cluster: &Cluster, name: &str) {
    eventually("it runs", || {
        let phase = cluster.kubectl(&format!("get pod {name} -o jsonpath={{.status.phase}}")).result()?;
        if phase == "Running" { Ok(()) } else { Err(phase) }
    });
}

/// The pod's directory on the node.
fn pod_dir(cluster: &Cluster, name: &str) -> PathBuf {
    let uid = cluster.kubectl(&format!("get pod {name} -o jsonpath={{.metadata.uid}}")).ok();
    let mut left = vec![cluster.data_dir()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().filter_map(Result::ok) {
            let (path, parent) = (entry.path(), dir.file_name().unwrap_or_default());
            if parent == "pods" && path.to_string_lossy().contains(&uid) {
                return path;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && parent != "pods" {
                left.push(path);
            }
        }
    }
    panic!("pod {name} has no directory");
}
