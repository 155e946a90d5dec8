//! Where one run of a container writes: a bounded buffer that a thread of the node empties into the log file.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use coracle_wasi_host::{Output, Stream, limits::OUTPUT_CHUNK_LIMIT_BYTES};
use futures::future::BoxFuture;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use super::{
    format::LineSplitter,
    pace::Pace,
    writer::{LogFile, LogWriter},
};
use crate::{config::LogLimits, streaming::Screen};

/// What may wait in memory for one container. A guest that is faster than the disk waits for the disk.
const BUFFER_LIMIT_BYTES: usize = 256 * 1024;
/// The last output that is remembered for `terminationMessagePolicy: FallbackToLogsOnError` (kubelet: 2048 bytes).
const LAST_OUTPUT_BYTES: usize = 2048;
/// The lines that are at most remembered of it (kubelet's `MaxContainerTerminationMessageLogLines`).
const LAST_OUTPUT_LINES: usize = 80;

/// Clients attached to one container; a further one takes the place of the first.
const TAPS_LIMIT: usize = 64;

/// Somebody who listens while a container prints. Neither call may wait.
pub trait Tap: Send + Sync {
    /// The container printed this; a listener that has no room for it is over.
    fn offer(&self, stream: Stream, bytes: &[u8]);

    /// The container is over.
    fn end(&self);
}

/// The log of one run of a container.
///
/// Invariant: lines reach the file in the order the guest wrote them. Whoever empties the buffer holds the file's
/// lock before taking the buffer, so two who do it can't overtake each other.
pub struct LogSink {
    path: PathBuf,
    writer: Arc<LogWriter>,
    pending: Mutex<Pending>,
    file: Mutex<LogFile>,
    progress: Notify,
    /// The last flush failed.
    losing: AtomicBool,
}

#[derive(Default)]
struct Pending {
    stdout: LineSplitter,
    stderr: LineSplitter,
    buffer: Vec<u8>,
    pace: Pace,
    queued: bool,
    closed: bool,
    /// Listeners, which leave by being dropped.
    taps: Vec<Weak<dyn Tap>>,
}

impl LogSink {
    /// The log at `path`. The file is made when there is something to write.
    pub fn new(path: PathBuf, limits: LogLimits, writer: Arc<LogWriter>) -> Arc<LogSink> {
        let file = Mutex::new(LogFile::new(path.clone(), limits));
        let (pending, progress) = (Mutex::default(), Notify::new());
        Arc::new(LogSink { path, writer, pending, file, progress, losing: AtomicBool::new(false) })
    }

    /// Makes the file now, for who counts runs by their logs.
    pub fn make_file(&self) -> io::Result<()> {
        self.file.lock().append(&[])
    }

    /// The file.
    #[cfg(test)]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The sink as a container's output.
    pub fn output(self: &Arc<Self>) -> Arc<dyn Output> {
        Arc::new(SinkOutput(Arc::clone(self)))
    }

    /// The container is over: what it left without a line end is written, and readers who follow come to an end.
    pub fn close(&self) {
        let mut pending = self.pending.lock();
        let now = Timestamp::now();
        let Pending { stdout, stderr, buffer, closed, .. } = &mut *pending;
        stdout.finish(Stream::Stdout, now, buffer);
        stderr.finish(Stream::Stderr, now, buffer);
        *closed = true;
        let taps = std::mem::take(&mut pending.taps);
        drop(pending);
        taps.iter().filter_map(Weak::upgrade).for_each(|tap| tap.end());
        self.flush_or_warn();
    }

    /// From now on `tap` hears what the container prints, for as long as somebody holds it. It begins with lines that have
    /// no end yet, such as a prompt: they are in no log where it could find them.
    pub fn tap(&self, tap: Weak<dyn Tap>) {
        let mut pending = self.pending.lock();
        if pending.closed {
            drop(pending);
            return tap.upgrade().into_iter().for_each(|tap| tap.end());
        }
        pending.taps.retain(|tap| tap.strong_count() > 0);
        let evicted = (pending.taps.len() >= TAPS_LIMIT).then(|| pending.taps.remove(0));
        if let Some(tap) = tap.upgrade() {
            let unfinished = [(Stream::Stdout, &pending.stdout), (Stream::Stderr, &pending.stderr)];
            let begun = unfinished.into_iter().map(|(stream, lines)| (stream, lines.unfinished()));
            begun.filter(|(_, bytes)| !bytes.is_empty()).for_each(|(stream, bytes)| tap.offer(stream, bytes));
        }
        pending.taps.push(tap);
        drop(pending);
        evicted.and_then(|tap| tap.upgrade()).into_iter().for_each(|tap| tap.end());
    }

    /// Whether the container is over and everything is in the file.
    pub fn is_finished(&self) -> bool {
        let pending = self.pending.lock();
        pending.closed && pending.buffer.is_empty()
    }

    /// Told whenever the file has grown or the log is closed.
    pub fn progress(&self) -> &Notify {
        &self.progress
    }

    /// The end of what the container wrote, for its termination message.
    pub fn last_output(&self) -> String {
        self.file.lock().last_content(LAST_OUTPUT_LINES, LAST_OUTPUT_BYTES).unwrap_or_default()
    }

    /// Empties the buffer into the file.
    pub fn flush(&self) -> io::Result<()> {
        let mut file = self.file.lock();
        let bytes = {
            let mut pending = self.pending.lock();
            pending.queued = false;
            std::mem::take(&mut pending.buffer)
        };
        let written = if bytes.is_empty() { Ok(()) } else { file.append(&bytes) };
        drop(file);
        self.progress.notify_waiters();
        written
    }

    /// The first loss is a warning; a guest that goes on printing is not to fill the node's own log.
    pub(super) fn flush_or_warn(&self) {
        match self.flush() {
            Err(error) if self.losing.swap(true, Ordering::Relaxed) => {
                tracing::debug!(file = %self.path.display(), %error, "output of a container is lost");
            }
            Err(error) => tracing::warn!(file = %self.path.display(), %error, "output of a container is lost"),
            Ok(()) => self.losing.store(false, Ordering::Relaxed),
        }
    }

    /// Until when who prints has to wait, having printed more than the log takes.
    fn pause(&self) -> Option<Instant> {
        self.pending.lock().pace.pause(Instant::now())
    }

    fn write(self: &Arc<Self>, stream: Stream, bytes: &[u8]) {
        let mut pending = self.pending.lock();
        let Pending { stdout, stderr, buffer, pace, queued, taps, .. } = &mut *pending;
        let before = buffer.len();
        let splitter = match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        };
        splitter.push(stream, bytes, Timestamp::now(), buffer);
        // A line of one byte takes forty in the file.
        pace.spend(bytes.len().max(buffer.len() - before), Instant::now());
        taps.iter().filter_map(Weak::upgrade).for_each(|tap| tap.offer(stream, bytes));
        let (full, idle) = (buffer.len() >= BUFFER_LIMIT_BYTES, !*queued && !buffer.is_empty());
        *queued = *queued || idle;
        drop(pending);
        if full {
            self.flush_or_warn();
        } else if idle {
            self.writer.schedule(self);
        }
    }
}

/// What is typed at a container's terminal is seen by all who are attached, and by nobody later: no guest can switch
/// echo off for a password.
impl Screen for LogSink {
    fn show(&self, bytes: &[u8]) {
        let pending = self.pending.lock();
        pending.taps.iter().filter_map(Weak::upgrade).for_each(|tap| tap.offer(Stream::Stdout, bytes));
    }
}

struct SinkOutput(Arc<LogSink>);

impl Output for SinkOutput {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        self.0.write(stream, bytes);
    }

    fn room(&self) -> usize {
        if self.0.pause().is_none() { OUTPUT_CHUNK_LIMIT_BYTES } else { 0 }
    }

    fn wait_for_room(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Both streams are one log: what the other one wrote meanwhile is waited for too.
            while let Some(later) = self.0.pause() {
                tokio::time::sleep_until(later).await;
            }
        })
    }
}
