//! A cluster of the real binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::daemon::Daemon;

/// What a cluster is started with.
#[derive(Default)]
pub struct Options {
    /// Samples or manifests for `up`.
    pub deploy: Vec<PathBuf>,
    /// Further flags for `up`.
    pub flags: Vec<String>,
}

/// A running `coracle up`. Dropping it stops the process and removes its directory.
pub struct Cluster {
    // Before the directory: what comes first is dropped first.
    daemon: Daemon,
    directory: TempDir,
    /// What it was started with; changes count from the next [`Self::boot`] on.
    pub options: Options,
}

impl Cluster {
    /// An empty cluster.
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// A cluster with a sample deployed.
    pub fn with_sample(name: &str) -> Self {
        Self::start_with(Options { deploy: vec![super::sample(name)], ..Options::default() })
    }

    /// A cluster started in a particular way.
    pub fn start_with(options: Options) -> Self {
        let mut cluster = Self::unstarted(options);
        cluster.boot();
        cluster
    }

    /// An empty directory, for [`Self::boot`].
    pub fn unstarted(options: Options) -> Self {
        let directory = tempfile::Builder::new().prefix("coracle-test-").tempdir().expect("a temporary directory");
        // `up` has done its work when it prints the line for kubectl.
        Self { daemon: Daemon::unstarted("up", "export KUBECONFIG="), directory, options }
    }

    /// Starts the process again after [`Self::stop`] or [`Self::kill`].
    pub fn boot(&mut self) {
        let mut command = self.up();
        self.daemon.boot(&mut command);
    }

    /// The command line of `up` for this cluster's directory.
    pub fn up(&self) -> Command {
        let mut command = coracle();
        command.arg("up").args(&self.options.deploy);
        command.arg("--data-dir").arg(self.data_dir());
        command.args(["--cluster-cidr", "127.0.0.0/8", "--node-name", "node"]);
        // How full the disk of the machine is that runs the tests is not what they are about: no pod and no image goes for it.
        for (flag, value) in [("--eviction-hard", "memory.available<100Mi"), ("--image-gc-high-threshold", "100")] {
            if !self.options.flags.iter().any(|own| own.starts_with(flag)) {
                command.args([flag, value]);
            }
        }
        let first = !self.data_dir().join("settings.json").exists();
        if first {
            command.args(["--port", "0", "--registry-port", "0"]);
        }
        command.args(&self.options.flags).stdin(Stdio::null());
        command
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// The directory of the cluster.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A place for a test's own files.
    pub fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// The kubeconfig that `up` wrote.
    pub fn kubeconfig(&self) -> PathBuf {
        self.data_dir().join("kubeconfig")
    }

    /// Everything that `up` printed before it was ready.
    pub fn printed(&self) -> &str {
        &self.daemon.printed
    }

    /// A line that `up` printed after `label: `.
    pub fn line(&self, label: &str) -> String {
        self.daemon.line(label)
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Ctrl-C; returns how long it took, and fails when it takes too long to be bearable.
    pub fn stop(&mut self) -> Duration {
        self.daemon.end("INT").1
    }
}

/// The binary under test.
pub fn coracle() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coracle"));
    command.env_remove("KUBECONFIG").env("CORACLE_LOG", std::env::var("CORACLE_LOG").unwrap_or_else(|_| "warn".into()));
    command
}

/// Sends a signal, named as `kill` names it.
pub fn signal(pid: u32, name: &str) {
    let done = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(done.expect("kill exists").success(), "cannot send SIG{name} to {pid}");
}
