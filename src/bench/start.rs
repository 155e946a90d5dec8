//! How long `up` takes to take work, what it then weighs, and how long it takes to stop.
//!
//! Each cluster is a process of its own, started as a user starts it: what is measured includes loading the program
//! and leaves out whatever an earlier cluster left behind in this one.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::memory::{mib, resident_bytes_of};
use super::statistics::Sample;
use crate::pull::scratch;

/// Idle means: everything that start-up left behind has settled.
const SETTLE: Duration = Duration::from_secs(3);
/// A start or a stop that takes longer is broken rather than slow.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the last line begins with that `up` prints: from then on the cluster is the user's.
const LAST_LINE: &str = "export KUBECONFIG=";

/// Flags of `coracle bench start`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Starts on a data directory that exists already, after a first one on an empty directory.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    restarts: u32,
}

/// Measures and prints.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let directory = scratch()?;
    let (mut starts, mut stops) = (Sample::default(), Sample::default());
    let (cluster, first) = Up::start(directory.path()).await?;
    println!("first start: {:.1} ms", first.as_secs_f64() * 1000.0);
    tokio::time::sleep(SETTLE).await;
    println!("resident when idle: {}", mib(cluster.resident_bytes()?));
    stops.push(cluster.stop().await?);
    for _ in 0..args.restarts {
        let (cluster, duration) = Up::start(directory.path()).await?;
        starts.push(duration);
        stops.push(cluster.stop().await?);
    }
    println!("start again: {}", starts.summary());
    println!("stop: {}", stops.summary());
    Ok(())
}

/// A running `coracle up`. It is killed if it is dropped.
struct Up {
    process: Child,
    /// Kept open: whoever prints on a closed pipe fails.
    _output: BufReader<ChildStdout>,
}

impl Up {
    /// Starts a cluster in `directory`, and tells how long it took until it was the user's.
    async fn start(directory: &Path) -> anyhow::Result<(Up, Duration)> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command
            .args(["up", "--port", "0", "--registry-port", "0", "--cluster-cidr", "127.0.0.0/8", "--data-dir"])
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let begun = Instant::now();
        let mut process = command.spawn().context("cannot start `coracle up`")?;
        let output = process.stdout.take().context("`coracle up` has no output")?;
        let output = timeout(PATIENCE, until_last_line(BufReader::new(output))).await;
        let output = output.with_context(|| format!("`coracle up` is not done after {} s", PATIENCE.as_secs()))??;
        Ok((Up { process, _output: output }, begun.elapsed()))
    }

    fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes_of(self.process.id().context("`coracle up` has ended")?)
    }

    /// Interrupts it, as Ctrl-C does, and tells how long it took to end.
    async fn stop(mut self) -> anyhow::Result<Duration> {
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

/// Reads what `up` prints to its last line; the reader is given back.
async fn until_last_line(mut output: BufReader<ChildStdout>) -> anyhow::Result<BufReader<ChildStdout>> {
    let mut line = String::new();
    while output.read_line(&mut line).await.context("cannot read what `coracle up` prints")? > 0 {
        if line.starts_with(LAST_LINE) {
            return Ok(output);
        }
        line.clear();
    }
    bail!("`coracle up` ended before the cluster was ready; run it by itself to see why")
}
