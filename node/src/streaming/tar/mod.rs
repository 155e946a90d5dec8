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

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use bytes::{Buf, Bytes};
use coracle_wasi_host::{Container, Output, Stream, limits::OUTPUT_CHUNK_LIMIT_BYTES};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
};

use super::{
    input::Input,
    pipe::{OutputPipe, Shape},
    remote::Job,
    status::Outcome,
};
use options::{Action, Plan};
use place::Places;

/// So many run on a node at once: each has a thread.
const RUNNING_LIMIT: usize = 64;
/// Pieces of an archive that wait to be unpacked.
const QUEUE: usize = 8;
/// Exit codes of tar and test.
const FAILURE: i32 = 1;
const FATAL: i32 = 2;

static RUNNING: Semaphore = Semaphore::const_new(RUNNING_LIMIT);

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

    /// Starts it on a thread of its own.
    pub fn start(self, container: &Container, stdin: bool) -> Result<Job, String> {
        let place = RUNNING.try_acquire();
        let place = place.map_err(|_| format!("{RUNNING_LIMIT} copies are under way on this node already"))?;
        let output = OutputPipe::new(Shape::Two);
        let (sender, pieces) = mpsc::channel(QUEUE);
        let places = Places::new(container.preopens());
        let printer = Printer { pipe: Arc::clone(&output), stream: Stream::Stdout, runtime: Handle::current() };
        let OwnCommand { words, task } = self;
        let running = tokio::task::spawn_blocking(move || {
            let code = run(task, &places, pieces, printer);
            drop(place);
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
fn run(task: Task, places: &Places, pieces: mpsc::Receiver<Bytes>, printer: Printer) -> i32 {
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
        Action::Extract => extract::extract(places, &plan.directory, Pieces::new(pieces), &mut errors),
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

/// Prints to the client; waits while it is behind.
#[derive(Clone)]
struct Printer {
    pipe: Arc<OutputPipe>,
    stream: Stream,
    runtime: Handle,
}

impl Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pipe.room() == 0 {
            self.runtime.block_on(self.pipe.wait_for_room());
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

/// Reads what the client sends.
struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Pieces {
    fn new(pieces: mpsc::Receiver<Bytes>) -> Pieces {
        Pieces { pieces, current: Bytes::new() }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
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
