//! A `coracle node` beside a cluster, joined by nothing but a kubeconfig.

use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::harness::{Cluster, Daemon, coracle};

/// A running `coracle node`. Dropping it stops the process; its directory goes with the cluster's.
pub struct EdgeNode {
    daemon: Daemon,
    /// Its name.
    pub name: String,
    /// Further flags; changes count from the next [`Self::boot`] on.
    pub flags: Vec<String>,
    /// By which it finds the cluster.
    pub kubeconfig: PathBuf,
    directory: PathBuf,
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
        let daemon = Daemon::unstarted("node", "pods: ");
        Self { daemon, name: name.to_owned(), flags: Vec::new(), kubeconfig: cluster.kubeconfig(), directory }
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
        let mut command = self.command();
        self.daemon.boot(&mut command);
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// Where it keeps what it has.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// A line that it printed after `label: `.
    pub fn line(&self, label: &str) -> String {
        self.daemon.line(label)
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// SIGTERM; returns how it ended and how long that took.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        self.daemon.end("TERM")
    }
}
