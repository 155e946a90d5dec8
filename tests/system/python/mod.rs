//! The Python client runs the flows of its own examples: tests/system/python/flows, in the client's words.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::harness::{Cluster, Finished, guests, skip};
use crate::streams::STREAMS;

/// Names the interpreter that has the client of requirements.txt.
const PYTHON: &str = "CORACLE_PYTHON";

/// The interpreter: where the variable says, or where `.ci/run` puts it.
fn python() -> Option<PathBuf> {
    let cache = || {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
        Some(cache?.join("coracle/kubernetes-python/bin/python"))
    };
    std::env::var_os(PYTHON).map(PathBuf::from).or_else(cache).filter(|python| python.exists())
}

fn run_flows(python: &PathBuf, cluster: &Cluster, module: &str) -> Command {
    let mut command = Command::new(python);
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/system/python");
    command.current_dir(&directory).args(["run.py", module]);
    command.args(["ticker", "quick", "streams", "toolbox"].map(guests::image));
    command.env("KUBECONFIG", cluster.kubeconfig()).env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Among them, in `flows/streams.py`: `[k8s.io] Pods should support retrieving logs from the container over websockets
/// [NodeConformance] [Conformance]`
#[test]
fn the_python_client_runs_its_examples() {
    let Some(python) = python() else {
        return skip("no Python with the kubernetes client: `.ci/run` makes one, or CORACLE_PYTHON names it");
    };
    let cluster = Cluster::start();
    guests::push(&cluster, "ticker", guests::TICKER);
    guests::push(&cluster, "quick", guests::QUICK);
    guests::push(&cluster, "streams", STREAMS);
    guests::push_toolbox(&cluster);
    // Side by side on one cluster: they use different names.
    let modules = ["workloads", "reading", "custom", "programs", "streams", "pods"];
    let running = modules.map(|module| run_flows(&python, &cluster, module).spawn().expect("Python starts"));
    for (module, child) in modules.into_iter().zip(running) {
        let finished = Finished::from(child.wait_with_output().expect("Python ends"));
        assert_eq!(finished.code, 0, "{module}: done: {}failed: {}", finished.stdout, finished.stderr);
        assert!(finished.stdout.lines().count() > 2, "{module}: {}", finished.stdout);
    }
}
