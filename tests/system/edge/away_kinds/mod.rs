//! What a node does with pods of all kinds while its API server is away: probes of each kind, init containers and sidecars, pods
//! that run to an end, isolated and static pods.

mod lives;
mod manifests;
mod meanwhile;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::{EdgeNode, field};
use crate::harness::{Cluster, eventually};
use crate::isolated::process_below;

/// The node `edge` with its pods, as its disk and its processes show them: that needs no server.
struct Site {
    node: EdgeNode,
}

impl Site {
    /// What the node has for a pod.
    fn dir(&self, pod: &str) -> Result<PathBuf, String> {
        let prefix = format!("default_{pod}_");
        let all = fs::read_dir(self.node.data_dir().join("node/pods")).map_err(|error| error.to_string())?;
        let mut all = all.flatten().map(|entry| entry.path());
        let is_its = |dir: &PathBuf| dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
        all.find(is_its).ok_or_else(|| format!("{pod} has no directory"))
    }

    /// A file of the volume that all pods have at /d.
    fn file(&self, pod: &str, name: &str) -> PathBuf {
        self.dir(pod).unwrap().join("volumes/d").join(name)
    }

    /// The texts that a run of a container has printed, without the times and streams before them.
    fn printed(&self, pod: &str, container: &str, run: usize) -> Result<String, String> {
        let file = self.dir(pod)?.join(container).join(format!("{run}.log"));
        let log = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(log.lines().filter_map(|line| line.splitn(4, ' ').nth(3)).map(|text| format!("{text}\n")).collect())
    }

    /// Waits until a run of a container has printed this, and no more.
    fn prints(&self, pod: &str, container: &str, run: usize, wanted: &str) {
        eventually(&format!("run {run} of {pod}/{container} prints"), || match self.printed(pod, container, run)? {
            found if found == wanted => Ok(()),
            found => Err(format!("{found:?} is not {wanted:?}")),
        });
    }

    /// The directory in /proc of an isolated pod's process, other than `former`.
    fn process(&self, pod: &str, former: Option<&PathBuf>) -> PathBuf {
        eventually(&format!("{pod} has a process"), || match process_below(self.node.pid(), pod)? {
            found if former == Some(&found) => Err("it is the former".to_owned()),
            found => Ok(found),
        })
    }
}

/// Waits until fields of the pod's status are this; `paths` are JSONPaths below the status without their braces.
fn told(cluster: &Cluster, pod: &str, paths: &str, wanted: &str) {
    let query = paths.split(' ').map(|path| format!("{{.status{path}}}")).collect::<Vec<_>>().join("/");
    let query = format!("get pod {pod} -o jsonpath={query}");
    super::expect(cluster, &query, wanted);
}

/// How often a container has been started again, by its name.
fn restarts(cluster: &Cluster, pod: &str, list: &str, container: &str) -> String {
    field(cluster, &format!("pod {pod}"), &format!(".status.{list}[?(@.name==\"{container}\")].restartCount"))
}

fn apply(cluster: &Cluster, pod: &Value) {
    cluster.apply(&pod.to_string());
}
