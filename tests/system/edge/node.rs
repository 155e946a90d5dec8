//! A `coracle node` beside a cluster, joined by nothing but a kubeconfig.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Cluster, DEADLINE, coracle, signal};

/// A running `coracle node`. Dropping it stops the process; its directory goes with the cluster's.
pub struct EdgeNode {
    child: Option<Child>,
    /// Its name.
    pub name: String,
    /// Further flags; changes count from the next [`Self::boot`] on.
    pub flags: Vec<String>,
    /// By which it finds the cluster.
    pub kubeconfig: PathBuf,
    directory: PathBuf,
    /// What it printed once it had joined.
    pub printed: String,
}

impl EdgeNode {
    /// Joins `cluster` with the administrator's kubeconfig.
    pub fn join(cluster: &Cluster, name: &str) -> Self {
        let mut node = Self::unstarted(cluster, name);
        node.boot();
        node
    }

    /// An empty directory, for [`Self::boot`].
    pub fn unstarted(cluster: &Cluster, name: &str) -> Self {
        let directory = cluster.scratch().join(format!("node-{name}"));
        // Where the cluster's registry is, in containerd's words.
        let registry = directory.join("registries/registry.coracle.internal");
        std::fs::create_dir_all(&registry).expect("the scratch directory can be written");
        let hosts = format!("[host.\"http://{}\"]\n", cluster.line("registry"));
        std::fs::write(registry.join("hosts.toml"), hosts).expect("the scratch directory can be written");
        let (child, kubeconfig) = (None, cluster.kubeconfig());
        Self { child, name: name.to_owned(), flags: Vec::new(), kubeconfig, directory, printed: String::new() }
    }

    /// Its command line.
    pub fn command(&self) -> Command {
        let mut command = coracle();
        command.arg("node").arg("--kubeconfig").arg(&self.kubeconfig);
        command.arg("--data-dir").arg(self.data_dir());
        command.args(["--hostname-override", &self.name]);
        command.arg("--registry-config-dir").arg(self.directory.join("registries"));
        // How full the disk of the machine is that runs the tests is not what they are about.
        command.args(["--eviction-hard", "memory.available<100Mi"]);
        command.args(&self.flags).stdin(Stdio::null());
        command
    }

    /// Starts the process, and returns when it has joined.
    pub fn boot(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let mut child = self.command().stdout(Stdio::piped()).spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped"));
        self.printed.clear();
        while !self.printed.contains("\npods: ") {
            let read = lines.read_line(&mut self.printed).expect("it prints text");
            assert!(read > 0, "`coracle node` did not join: {:?}", child.wait());
        }
        // Drained, so that the process never waits for a reader.
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        self.child = Some(child);
    }

    /// Where it keeps what it has.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// A line that it printed after `label: `.
    pub fn line(&self, label: &str) -> String {
        let prefix = format!("{label}: ");
        let found = self.printed.lines().find_map(|line| line.strip_prefix(&prefix));
        found.unwrap_or_else(|| panic!("the node printed no {label:?}: {}", self.printed)).to_string()
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }

    /// SIGTERM; returns how it ended and how long that took.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        let mut child = self.child.take().expect("it runs");
        let begun = Instant::now();
        signal(child.id(), "TERM");
        loop {
            if let Some(status) = child.try_wait().expect("it can be waited for") {
                return (status, begun.elapsed());
            }
            if begun.elapsed() > DEADLINE {
                child.kill().expect("it can be killed");
                panic!("`coracle node` did not stop on SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for EdgeNode {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        signal(child.id(), "TERM");
        let begun = Instant::now();
        while matches!(child.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}
