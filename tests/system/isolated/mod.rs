//! Pods of the RuntimeClass `wasm-isolated`: what they do, and what stands around them.

mod behaviour;
mod loss;
mod streams;
mod walls;

use std::fs;
use std::path::PathBuf;

use crate::harness::guests::{TOOLBOX, push_toolbox};
use crate::harness::{Cluster, eventually};

/// A cluster that has the toolbox in its registry.
fn cluster() -> Cluster {
    let cluster = Cluster::start();
    push_toolbox(&cluster);
    cluster
}

/// An isolated pod of one container that runs `command` (a YAML list); `more` are further lines of the container, `spec`
/// of the pod.
fn pod(name: &str, command: &str, more: &str, spec: &str) -> String {
    let indented =
        |text: &str, by: usize| -> String { text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect() };
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels: {{ app: {name} }}\n\
         spec:\n  runtimeClassName: wasm-isolated\n  restartPolicy: Never\n  terminationGracePeriodSeconds: 1\n{}  containers:\n  \
         - name: main\n    image: {TOOLBOX}\n    command: {command}\n{}",
        indented(spec, 2),
        indented(more, 4)
    )
}

/// Makes a pod of [`crate::harness::guests::pod`] an isolated one.
fn isolated(manifest: &str) -> String {
    manifest.replace("spec:\n  restartPolicy", "spec:\n  runtimeClassName: wasm-isolated\n  restartPolicy")
}

/// Waits until the pod is Ready.
fn ready(cluster: &Cluster, name: &str) {
    cluster.kubectl(&format!("wait --for=condition=Ready pod/{name} --timeout=60s")).ok();
}

/// Waits until a field of the pod's status is this.
fn shows(cluster: &Cluster, name: &str, path: &str, wanted: &str) {
    eventually(&format!("{name}: {path} is {wanted}"), || {
        let found = cluster.kubectl(&format!("get pod {name} -o jsonpath={path}")).result()?;
        if found == wanted { Ok(()) } else { Err(found) }
    });
}

/// How the first container of a pod has ended.
const END: &str =
    "{.status.containerStatuses[0].state.terminated.exitCode}/{.status.containerStatuses[0].state.terminated.reason}";

/// Applies a pod, waits until it has succeeded and gives its log.
fn output(cluster: &Cluster, manifest: &str, name: &str) -> String {
    cluster.apply(manifest);
    shows(cluster, name, "{.status.phase}", "Succeeded");
    cluster.kubectl(&format!("logs {name}")).ok()
}

/// The directory in /proc of a pod's process.
fn process_of(cluster: &Cluster, pod: &str) -> Result<PathBuf, String> {
    let parent = format!("PPid:\t{}", cluster.pid());
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
    let dir = process_of(cluster, pod).unwrap();
    dir.file_name().unwrap().to_str().unwrap().parse().unwrap()
}
