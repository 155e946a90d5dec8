//! A command that the node itself runs in a container, to its end: exec probes and exec hooks.

use std::{sync::Arc, time::Duration};

use coracle_wasi_host::{Container, Exec, ExecError, Output, Stream};
use parking_lot::Mutex;
use tokio::time::timeout;

/// What is kept of a command's output (kubelet's `maxReadLength`, 10 KiB); the rest is thrown away.
const OUTPUT_LIMIT_BYTES: usize = 10 * 1024;

/// How a command ended that could be run.
#[derive(Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code.
    pub code: i32,
    /// The beginning of what it wrote, both streams as they came.
    pub output: String,
}

/// Why there is no exit code.
#[derive(Debug, thiserror::Error)]
pub enum CommandFailure {
    /// it can't be run
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// it was too slow
    #[error("command timed out: {command:?} timed out after {}s", .limit.as_secs())]
    Timeout {
        /// The words of the command.
        command: String,
        /// How long it had.
        limit: Duration,
    },
}

/// Runs `words` in the container; after `limit` it is interrupted.
pub async fn run_command(container: &Container, words: &[String], limit: Duration) -> Result<Finished, CommandFailure> {
    let output = Arc::new(Beginning::default());
    let exec = Exec { args: words.to_vec(), stdin: None, terminal: false, output: output.clone() };
    let command = container.exec(exec)?;
    let exit = match timeout(limit, command.wait()).await {
        Ok(exit) => exit,
        Err(_) => {
            command.stop(Duration::ZERO).await;
            return Err(CommandFailure::Timeout { command: words.join(" "), limit });
        }
    };
    let output = String::from_utf8_lossy(&output.0.lock()).into_owned();
    Ok(Finished { code: exit.code, output })
}

/// Keeps the first bytes.
#[derive(Default)]
struct Beginning(Mutex<Vec<u8>>);

impl Output for Beginning {
    fn write(&self, _stream: Stream, bytes: &[u8]) {
        let mut kept = self.0.lock();
        let room = OUTPUT_LIMIT_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_is_kept() {
        let output = Beginning::default();
        for _ in 0..100 {
            output.write(Stream::Stdout, &[b'x'; 1000]);
        }
        assert_eq!(output.0.lock().len(), OUTPUT_LIMIT_BYTES);
    }
}
