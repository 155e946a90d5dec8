//! What `kubectl cp` runs in a container, done by the node: `tar` to pack and unpack, `test -d PATH` to look.
//!
//! The rule: an exec whose `argv[0]` is `tar`, or whose whole command line is `test -d PATH`, is the node's; anything
//! else is the container's program. No image for Wasm has a tar, and programs would take the words for their own.
//!
//! Invariant: nothing is seen but the container's own directories, and nothing is written in those that it may only
//! read. The kernel resolves each path beneath its directory, so no link and no `..` leads out.

mod create;
mod extract;
mod options;
mod place;
mod seats;

use std::{
    io::{self, Read, Write},
    sync::Arc,
    time::Duration,
};

use bytes::{Buf, Bytes};
use coracle_wasi_host::{Container, Output, Stream, limits::OUTPUT_CHUNK_LIMIT_BYTES};
use tokio::{runtime::Handle, sync::mpsc, time::timeout};

use super::{
    input::Input,
    pipe::{OutputPipe, Shape},
    remote::Job,
    status::Outcome,
};
use options::{Action, Plan};
use place::Places;
use seats::Seats;

/// So many run on a node at once: each has a thread.
const RUNNING_LIMIT: usize = 64;
/// So many of one pod: whoever may copy in one is not to keep the others from it.
const POD_LIMIT: usize = RUNNING_LIMIT / 8;
/// A command ends when its client has sent nothing that it waits for, or taken nothing that it prints, for so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pieces of an archive that wait to be unpacked.
const QUEUE: usize = 8;
/// Exit codes of tar and test.
const FAILURE: i32 = 1;
const FATAL: i32 = 2;

static RUNNING: Seats = Seats::new(RUNNING_LIMIT, POD_LIMIT);

/// A command of the node's own.
pub struct OwnCommand {
    words: Vec<String>,
    task: Task,
}

enum Task {
    Tar(Result<Plan, String>),
    IsDirectory(String),
}

impl OwnCommand {
    /// The command, if it is one.
    pub fn of(words: &[String]) -> Option<OwnCommand> {
        let task = match words {
            [tar, arguments @ ..] if tar == "tar" => Task::Tar(options::parse(arguments)),
            [test, flag, path] if test == "test" && flag == "-d" => Task::IsDirectory(path.clone()),
            _ => return None,
        };
        Some(OwnCommand { words: words.to_vec(), task })
    }

    /// Starts it on a thread of its own. `pod` is the UID of the container's.
    pub fn start(self, container: &Container, pod: &Arc<str>, stdin: bool) -> Result<Job, String> {
        let seat = RUNNING.take(pod).map_err(|why| why.to_string())?;
        let output = OutputPipe::new(Shape::Two);
        let (sender, pieces) = mpsc::channel(QUEUE);
        let places = Places::new(container.preopens());
        let runtime = Handle::current();
        let pieces = Pieces::new(pieces, runtime.clone(), PATIENCE);
        let printer = Printer { pipe: Arc::clone(&output), stream: Stream::Stdout, runtime, patience: PATIENCE };
        let OwnCommand { words, task } = self;
        let running = tokio::task::spawn_blocking(move || {
            let code = run(task, &places, pieces, printer);
            drop(seat);
            code
        });
        let abandoned = Abandoned(Arc::clone(&output));
        let end = async move {
            let code = running.await.unwrap_or(FATAL);
            abandoned.0.close();
            match code {
                0 => Outcome::Success,
                code => Outcome::ExitCode { code, command: words },
            }
        };
        Ok(Job { input: Input::Own(stdin.then_some(sender)), output, end: Box::pin(end) })
    }
}

/// Tells the thread, when it prints next, that nobody listens any more.
struct Abandoned(Arc<OutputPipe>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Does the work; the result is the exit code.
fn run(task: Task, places: &Places, pieces: Pieces, printer: Printer) -> i32 {
    let mut errors = Printer { stream: Stream::Stderr, ..printer.clone() };
    let plan = match task {
        Task::IsDirectory(path) => return if places.is_directory(&path) { 0 } else { FAILURE },
        Task::Tar(Ok(plan)) => plan,
        Task::Tar(Err(why)) => {
            let _ = writeln!(errors, "tar: {why}");
            return FATAL;
        }
    };
    let failures = match plan.action {
        Action::Create(paths) => create::create(places, &plan.directory, &paths, printer, &mut errors),
        Action::Extract => extract::extract(places, &plan.directory, pieces, &mut errors),
    };
    match failures {
        Ok(0) => 0,
        Ok(_) => {
            let _ = writeln!(errors, "tar: Exiting with failure status due to previous errors");
            FATAL
        }
        Err(error) => {
            let _ = writeln!(errors, "tar: {}", os_text(&error));
            let _ = writeln!(errors, "tar: Error is not recoverable: exiting now");
            FATAL
        }
    }
}

/// An error as C programs print it.
fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Prints to the client; waits while it is behind, but not for ever.
#[derive(Clone)]
struct Printer {
    pipe: Arc<OutputPipe>,
    stream: Stream,
    runtime: Handle,
    patience: Duration,
}

impl Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pipe.room() == 0 {
            let waiting = async { timeout(self.patience, self.pipe.wait_for_room()).await };
            if self.runtime.block_on(waiting).is_err() {
                // A client that does not read can't be told either.
                self.pipe.give_up();
            }
        }
        if self.pipe.is_closed() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = bytes.len().min(OUTPUT_CHUNK_LIMIT_BYTES);
        self.pipe.write(self.stream, &bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what the client sends; waits for it, but not for ever.
struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    current: Bytes,
    runtime: Handle,
    patience: Duration,
}

impl Pieces {
    fn new(pieces: mpsc::Receiver<Bytes>, runtime: Handle, patience: Duration) -> Pieces {
        Pieces { pieces, current: Bytes::new(), runtime, patience }
    }

    /// The next piece; None at the end.
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let waiting = async { timeout(self.patience, self.pieces.recv()).await };
        self.runtime.block_on(waiting).map_err(|_| {
            let text = format!("The client has sent nothing for {} seconds", self.patience.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, text)
        })
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.next()? {
                Some(piece) => self.current = piece,
                None => return Ok(0),
            }
        }
        let taken = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..taken]);
        Ok(taken)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
