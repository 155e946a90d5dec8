//! Running programs to their end.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Stdout and stderr of a finished program, and whether it succeeded.
pub struct Finished {
    /// Exit code, -1 after a signal.
    pub code: i32,
    /// What it printed to stdout.
    pub stdout: String,
    /// What it printed to stderr.
    pub stderr: String,
}

impl Finished {
    /// Stdout, when the program succeeded.
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }

    /// Stdout and stderr, when the program succeeded; otherwise both as a complaint.
    pub fn result(self) -> Result<String, String> {
        if self.code == 0 { Ok(self.stdout) } else { Err(format!("{}{}", self.stdout, self.stderr)) }
    }

    /// Stderr, when the program failed as it should.
    pub fn failed(self) -> String {
        assert_ne!(self.code, 0, "it should have failed; stdout: {}", self.stdout);
        self.stderr
    }
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a program without input.
pub fn run(command: &mut Command) -> Finished {
    command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}")).into()
}

/// A folder of samples/.
pub fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}
