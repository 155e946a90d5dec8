//! Tenants that mean harm, against the real binary: what they do to themselves, and what goes on beside them. The attacks
//! that need no node are in `wasi-host/tests/hostile` and `oci/src/unpack/tests`.

mod files;
mod floods;
mod loops;
mod programs;

use std::fs;
use std::path::PathBuf;

use crate::harness::guests::{self, pod};
use crate::harness::{Cluster, eventually};

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
