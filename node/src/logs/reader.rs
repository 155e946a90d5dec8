//! Reads a log back: the last lines, from a time on, following as it grows. Memory is bounded by one chunk and one
//! line, whatever the size of the file.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, future::BoxFuture, stream};
use tokio::io::{AsyncBufReadExt, AsyncReadExt as _, BufReader, Take};

use super::{
    format::{LINE_LIMIT_BYTES, parse},
    open::open_to_read,
    query::LogQuery,
    sink::LogSink,
    writer::piece,
};

/// What is sent to the reader in one piece.
const CHUNK_BYTES: usize = 32 * 1024;
/// What is read of a file at a time: each time a thread that may block is asked.
const READ_BYTES: usize = 64 * 1024;
/// A block of the search for the last lines.
const BLOCK_BYTES: u64 = 64 * 1024;
/// The longest line a file can have: its content, time, stream and tag.
const FILE_LINE_LIMIT_BYTES: usize = LINE_LIMIT_BYTES + 128;
/// Pieces of one log that are looked for, whatever the node's configuration was when they were written.
const PIECES_LIMIT: u32 = 64;
/// How long a follower waits without word from the writer before it looks by itself.
const FOLLOW_CHECK: Duration = Duration::from_secs(5);

/// Where the log of one run of a container is.
pub struct LogPlace {
    /// The file. A log without one is empty.
    pub path: PathBuf,
    /// The number of the run.
    pub run: i32,
    /// The writing side, if the run belongs to this life of the node.
    pub sink: Option<Arc<LogSink>>,
}

/// Finds the log of the run after the one of this number, when there is one; None when there will be no more.
pub type NextLog = Box<dyn Fn(i32) -> BoxFuture<'static, Option<LogPlace>> + Send>;

/// What `query` asks for of the log at `place`. A follower goes on with the logs that `next` finds, and ends with them.
pub async fn stream_log(
    place: LogPlace,
    query: LogQuery,
    next: NextLog,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
    if let Some(sink) = &place.sink {
        // What still waits in memory has been written by the guest, and is expected to be seen.
        let sink = Arc::clone(sink);
        tokio::task::spawn_blocking(move || sink.flush_or_warn()).await.map_err(io::Error::other)?;
    }
    let tail = query.tail_lines;
    let opened = tokio::task::spawn_blocking({
        let path = place.path.clone();
        move || open_pieces(&path, tail)
    });
    let mut files = opened.await.map_err(io::Error::other)??;
    files.reverse();
    let (line, current) = (Vec::new(), None);
    let reader = Reader { place, query, next, files, current, line, sent: 0, inside: false, last: false };
    Ok(stream::try_unfold(
        reader,
        |mut reader| async move { Ok(reader.next_chunk().await?.map(|chunk| (chunk, reader))) },
    ))
}

/// An opened piece, placed where reading begins.
struct Piece {
    file: fs::File,
    /// What was there when it was opened: a reader who does not follow sees no more, or the last lines would be more
    /// than were asked for.
    length: u64,
}

struct Reader {
    place: LogPlace,
    query: LogQuery,
    next: NextLog,
    /// Pieces still to read, the youngest first.
    files: Vec<Piece>,
    current: Option<BufReader<Take<tokio::fs::File>>>,
    line: Vec<u8>,
    sent: u64,
    /// In the middle of a line that came in parts.
    inside: bool,
    /// The run is over; what is read now is all there will be of it.
    last: bool,
}

impl Reader {
    async fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK_BYTES && !self.is_exhausted() {
            if self.read_line().await? {
                self.take_line(&mut chunk);
                continue;
            }
            if self.open_next().await? {
                continue;
            }
            if !chunk.is_empty() || !self.wait().await {
                break;
            }
        }
        Ok((!chunk.is_empty()).then(|| chunk.into()))
    }

    fn is_exhausted(&self) -> bool {
        self.query.limit_bytes.is_some_and(|limit| self.sent >= limit)
    }

    /// Reads up to the end of a line; false at the end of the file, where the part of a line that is there is kept.
    async fn read_line(&mut self) -> io::Result<bool> {
        let Some(file) = &mut self.current else { return Ok(false) };
        loop {
            let available = file.fill_buf().await?;
            if available.is_empty() {
                return Ok(false);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            let room = FILE_LINE_LIMIT_BYTES.saturating_sub(self.line.len());
            self.line.extend_from_slice(&available[..taken.min(room)]);
            file.consume(taken);
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    fn take_line(&mut self, chunk: &mut Vec<u8>) {
        let raw = std::mem::take(&mut self.line);
        let line = raw.strip_suffix(b"\n").unwrap_or(&raw);
        // A line that isn't in the format was cut short when the machine stopped.
        let Some(line) = parse(line) else { return };
        let unwanted = self.query.stream.is_some_and(|stream| line.stream != stream);
        if unwanted || self.query.since.is_some_and(|since| line.time < since) {
            return;
        }
        let before = chunk.len();
        if self.query.timestamps && !self.inside {
            chunk.extend_from_slice(line.stamp);
            chunk.push(b' ');
        }
        chunk.extend_from_slice(line.content);
        if !line.partial {
            chunk.push(b'\n');
        }
        self.inside = line.partial;
        if let Some(limit) = self.query.limit_bytes {
            let left = usize::try_from(limit - self.sent).unwrap_or(usize::MAX);
            chunk.truncate(chunk.len().min(before.saturating_add(left)));
        }
        self.sent += (chunk.len() - before) as u64;
    }

    /// Goes on to the next piece, or to the file that has taken this one's place.
    async fn open_next(&mut self) -> io::Result<bool> {
        if let Some(piece) = self.files.pop() {
            let length = if self.query.follow { u64::MAX } else { piece.length };
            self.begin(piece.file, length);
            return Ok(true);
        }
        if !self.query.follow {
            return Ok(false);
        }
        let inode = match &self.current {
            Some(file) => Some(file.get_ref().get_ref().metadata().await?.ino()),
            None => None,
        };
        let path = self.place.path.clone();
        let next =
            tokio::task::spawn_blocking(move || open_successor(&path, inode)).await.map_err(io::Error::other)??;
        let Some(next) = next else { return Ok(false) };
        self.begin(next, u64::MAX);
        Ok(true)
    }

    fn begin(&mut self, file: fs::File, length: u64) {
        self.current = Some(BufReader::with_capacity(READ_BYTES, tokio::fs::File::from_std(file).take(length)));
        self.line.clear();
    }

    /// Waits for more; false if there will be none.
    async fn wait(&mut self) -> bool {
        if !self.query.follow {
            return false;
        }
        let Some(sink) = self.place.sink.as_ref().filter(|_| !self.last) else { return self.go_on().await };
        let progress = sink.progress().notified();
        tokio::pin!(progress);
        progress.as_mut().enable();
        if sink.is_finished() {
            // Once more to the end of the file: it may have grown after it was last read.
            self.last = true;
        } else {
            let _ = tokio::time::timeout(FOLLOW_CHECK, progress).await;
        }
        true
    }

    /// Goes on with the container's next run; false if there will be none, or none was asked for.
    async fn go_on(&mut self) -> bool {
        if self.query.previous {
            return false;
        }
        let Some(next) = (self.next)(self.place.run).await else { return false };
        self.place = next;
        (self.current, self.inside, self.last) = (None, false, false);
        self.line.clear();
        true
    }
}

/// Opens all pieces, the oldest first. With `tail`, only those that hold the last so many lines, each placed where
/// they begin.
fn open_pieces(path: &Path, tail: Option<u64>) -> io::Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut left = tail;
    for age in 0..PIECES_LIMIT {
        if left == Some(0) {
            // What is written from now on belongs to a follower, so the youngest piece is opened at its end.
            if let Some(mut file) = open_if_there(path)?.filter(|_| age == 0) {
                file.seek(SeekFrom::End(0))?;
                pieces.push(Piece { file, length: 0 });
            }
            break;
        }
        let Some(mut file) = open_if_there(&piece(path, age))? else { break };
        let mut length = file.metadata()?.len();
        if let Some(lines) = left {
            let (found, start) = find_last_lines(&mut file, lines, length)?;
            file.seek(SeekFrom::Start(start))?;
            (left, length) = (Some(lines - found), length - start);
        }
        pieces.push(Piece { file, length });
    }
    pieces.reverse();
    Ok(pieces)
}

fn open_if_there(path: &Path) -> io::Result<Option<fs::File>> {
    match open_to_read(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// How many of the last `lines` lines before `end` a file has, and where they begin.
fn find_last_lines(file: &mut fs::File, lines: u64, mut end: u64) -> io::Result<(u64, u64)> {
    let mut found = 0;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK_BYTES);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        Read::by_ref(file).take(end - start).read_to_end(&mut block)?;
        for at in (0..block.len()).rev().filter(|at| block[*at] == b'\n') {
            if found == lines {
                return Ok((found, start + at as u64 + 1));
            }
            found += 1;
        }
        end = start;
    }
    Ok((found, 0))
}

/// The piece that follows the one with this inode: None if that is the youngest. The oldest of all, if nothing has
/// been read yet.
fn open_successor(path: &Path, inode: Option<u64>) -> io::Result<Option<fs::File>> {
    let mut younger = None;
    for age in 0..PIECES_LIMIT {
        let Some(file) = open_if_there(&piece(path, age))? else { break };
        if Some(file.metadata()?.ino()) == inode {
            return Ok(younger);
        }
        younger = Some(file);
    }
    // The piece being read has been rotated away altogether: go on with the oldest that is left.
    Ok(younger)
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
