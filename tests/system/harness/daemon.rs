//! The binary under test as a process that stays until it is told to end.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{DEADLINE, signal};

/// How long a process has to end when its test is over.
const PATIENCE: Duration = Duration::from_secs(5);

/// A verb that stays. Dropping it stops the process.
pub struct Daemon {
    /// What it is called in complaints.
    verb: &'static str,
    /// The last line that it prints before it is ready begins so.
    last_line: &'static str,
    child: Option<Child>,
    /// Everything that it printed before it was ready.
    pub printed: String,
}

impl Daemon {
    /// One that is ready once it has printed a line that begins so.
    pub fn unstarted(verb: &'static str, last_line: &'static str) -> Self {
        Self { verb, last_line, child: None, printed: String::new() }
    }

    /// Starts the process, also after [`Self::end`] or [`Self::kill`], and returns when it is ready.
    pub fn boot(&mut self, command: &mut Command) {
        assert!(self.child.is_none(), "it runs already");
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        self.printed = self.wait_until_printed(&mut child);
        self.child = Some(child);
    }

    fn wait_until_printed(&self, child: &mut Child) -> String {
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
                    if line.starts_with(self.last_line) {
                        return printed;
                    }
                }
                Err(error) => {
                    let _ = child.kill();
                    let status = child.wait();
                    panic!("`{}` did not get ready ({error}, {status:?}); it printed:\n{printed}", self.verb);
                }
            }
        }
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// A line that it printed after `label: `.
    pub fn line(&self, label: &str) -> String {
        let prefix = format!("{label}: ");
        let found = self.printed.lines().find_map(|line| line.strip_prefix(&prefix));
        found.unwrap_or_else(|| panic!("`{}` printed no {label:?}: {}", self.verb, self.printed)).to_string()
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }

    /// Sends it a signal; returns how it ended and how long that took, and fails when that is too long to be bearable.
    pub fn end(&mut self, name: &str) -> (ExitStatus, Duration) {
        let mut child = self.child.take().expect("it runs");
        let begun = Instant::now();
        signal(child.id(), name);
        loop {
            if let Some(status) = child.try_wait().expect("it can be waited for") {
                return (status, begun.elapsed());
            }
            if begun.elapsed() > DEADLINE {
                child.kill().expect("it can be killed");
                panic!("`{}` did not stop on SIG{name}", self.verb);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        signal(child.id(), "TERM");
        let begun = Instant::now();
        while matches!(child.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}
