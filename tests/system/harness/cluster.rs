//! A cluster of the real binary.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::DEADLINE;

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
    child: Option<Child>,
    directory: TempDir,
    /// What it was started with; changes count from the next [`Self::boot`] on.
    pub options: Options,
    /// Everything that `up` printed before it was ready.
    pub printed: String,
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
        Self { child: None, directory, options, printed: String::new() }
    }

    /// Starts the process again after [`Self::stop`] or [`Self::kill`].
    pub fn boot(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let mut child = self.up().stdout(Stdio::piped()).spawn().expect("the binary starts");
        self.printed = wait_until_printed(&mut child);
        self.child = Some(child);
    }

    /// The command line of `up` for this cluster's directory.
    pub fn up(&self) -> Command {
        let mut command = coracle();
        command.arg("up").args(&self.options.deploy);
        command.arg("--data-dir").arg(self.data_dir());
        command.args(["--cluster-cidr", "127.0.0.0/8", "--node-name", "node"]);
        // How full the disk of the machine is that runs the tests is not what they are about.
        command.args(["--eviction-hard", "memory.available<100Mi"]);
        let first = !self.data_dir().join("settings.json").exists();
        if first {
            command.args(["--port", "0", "--registry-port", "0"]);
        }
        command.args(&self.options.flags).stdin(Stdio::null());
        command
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
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

    /// A line that `up` printed after `label: `.
    pub fn line(&self, label: &str) -> String {
        let prefix = format!("{label}: ");
        let found = self.printed.lines().find_map(|l| l.strip_prefix(&prefix));
        found.unwrap_or_else(|| panic!("`up` printed no {label:?}: {}", self.printed)).to_string()
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }

    /// Ctrl-C; returns how long it took, and fails when it takes too long to be bearable.
    pub fn stop(&mut self) -> Duration {
        let mut child = self.child.take().expect("it runs");
        let begun = Instant::now();
        signal(child.id(), "INT");
        while child.try_wait().expect("it can be waited for").is_none() {
            if begun.elapsed() > DEADLINE {
                child.kill().expect("it can be killed");
                panic!("`up` did not stop on SIGINT");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        begun.elapsed()
    }
}

impl Drop for Cluster {
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

/// `up` has done its work when it prints the line for kubectl.
fn wait_until_printed(child: &mut Child) -> String {
    let stdout = child.stdout.take().expect("stdout is piped");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // The test may be over: then nobody listens, and the pipe is still drained.
            let _ = sender.send(line);
        }
    });
    let mut printed = String::new();
    loop {
        match receiver.recv_timeout(DEADLINE * 3) {
            Ok(line) => {
                printed.push_str(&line);
                printed.push('\n');
                if line.starts_with("export KUBECONFIG=") {
                    return printed;
                }
            }
            Err(error) => {
                let _ = child.kill();
                let status = child.wait();
                panic!("`up` did not get ready ({error}, {status:?}); it printed:\n{printed}");
            }
        }
    }
}
