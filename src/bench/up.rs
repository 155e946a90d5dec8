//! `coracle up` as a process of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::memory::{cpu_time_of, resident_bytes_of};

/// A start or a stop that takes longer is broken rather than slow.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the last line begins with that `up` prints: from then on the cluster is the user's.
const LAST_LINE: &str = "export KUBECONFIG=";

/// What the line begins with that names the registry.
const REGISTRY_LINE: &str = "registry: ";

/// A running `coracle up`. It is killed if it is dropped.
pub struct Up {
    process: Child,
    /// How it is reached.
    pub kubeconfig: PathBuf,
    registry: Option<String>,
    /// Kept open: whoever prints on a closed pipe fails.
    _output: BufReader<ChildStdout>,
}

impl Up {
    /// Starts a cluster in `directory`, and tells how long it took until it was the user's.
    pub async fn start(directory: &Path) -> anyhow::Result<(Up, Duration)> {
        Self::start_with(directory, &[]).await
    }

    /// The same with further flags.
    pub async fn start_with(directory: &Path, flags: &[String]) -> anyhow::Result<(Up, Duration)> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command
            .args(["up", "--port", "0", "--registry-port", "0", "--cluster-cidr", "127.0.0.0/8", "--data-dir"])
            .arg(directory)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let begun = Instant::now();
        let mut process = command.spawn().context("cannot start `coracle up`")?;
        let output = process.stdout.take().context("`coracle up` has no output")?;
        let output = timeout(PATIENCE, until_last_line(BufReader::new(output))).await;
        let (output, registry) =
            output.with_context(|| format!("`coracle up` is not done after {} s", PATIENCE.as_secs()))??;
        let kubeconfig = directory.join("kubeconfig");
        Ok((Up { process, kubeconfig, registry, _output: output }, begun.elapsed()))
    }

    /// The address of its registry.
    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }

    /// What it weighs.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes_of(self.pid()?)
    }

    /// The processor time that it has used.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        cpu_time_of(self.pid()?)
    }

    /// Its process.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.process.id().context("`coracle up` has ended")
    }

    /// Interrupts it, as Ctrl-C does, and tells how long it took to end.
    pub async fn stop(mut self) -> anyhow::Result<Duration> {
        let pid = self.process.id().context("`coracle up` ended before it was stopped")?.to_string();
        let begun = Instant::now();
        let told = Command::new("kill").args(["-INT", &pid]).status().await.context("cannot run `kill`")?;
        anyhow::ensure!(told.success(), "cannot interrupt `coracle up`");
        let ended = timeout(PATIENCE, self.process.wait()).await;
        let status = ended.with_context(|| format!("`coracle up` did not stop in {} s", PATIENCE.as_secs()))??;
        anyhow::ensure!(status.success(), "`coracle up` failed: {status}");
        Ok(begun.elapsed())
    }
}

/// Reads what `up` prints to its last line; the reader is given back, and the registry's address if it was told.
async fn until_last_line(
    mut output: BufReader<ChildStdout>,
) -> anyhow::Result<(BufReader<ChildStdout>, Option<String>)> {
    let (mut line, mut registry) = (String::new(), None);
    while output.read_line(&mut line).await.context("cannot read what `coracle up` prints")? > 0 {
        if line.starts_with(LAST_LINE) {
            return Ok((output, registry));
        }
        if let Some(address) = line.strip_prefix(REGISTRY_LINE) {
            registry = Some(address.trim().to_owned());
        }
        line.clear();
    }
    bail!("`coracle up` ended before the cluster was ready; run it by itself to see why")
}
