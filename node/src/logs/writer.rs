//! The thread that writes logs, and the files it writes: opened to append, rotated by size.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
};

use super::{
    format,
    open::{open_to_append, open_to_read},
    sink::LogSink,
};
use crate::config::LogLimits;

/// The thread all containers' logs are written by, so that a slow disk doesn't hold up guests that print little.
///
/// Its queue holds a sink at most once, so it is bounded by the number of containers.
pub struct LogWriter {
    queue: mpsc::Sender<Arc<LogSink>>,
}

impl LogWriter {
    /// Starts the thread. It ends when the writer and all its sinks are gone.
    pub fn start() -> io::Result<Arc<LogWriter>> {
        let (queue, sinks) = mpsc::channel::<Arc<LogSink>>();
        std::thread::Builder::new().name("container-logs".to_owned()).spawn(move || {
            while let Ok(sink) = sinks.recv() {
                sink.flush_or_warn();
            }
        })?;
        Ok(Arc::new(LogWriter { queue }))
    }

    pub(super) fn schedule(&self, sink: &Arc<LogSink>) {
        if self.queue.send(Arc::clone(sink)).is_err() {
            sink.flush_or_warn();
        }
    }
}

/// One log file and its older pieces: `0.log`, then `0.log.1` (the youngest) and so on.
pub struct LogFile {
    path: PathBuf,
    limits: LogLimits,
    size: Option<u64>,
}

impl LogFile {
    pub(super) fn new(path: PathBuf, limits: LogLimits) -> LogFile {
        LogFile { path, limits, size: None }
    }

    /// Appends whole lines. The file is not kept open: ten thousand quiet containers hold no descriptor.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.open()?;
        let mut size = match self.size {
            Some(size) => size,
            None => file.metadata()?.len(),
        };
        if size > 0 && size + bytes.len() as u64 > self.limits.file_bytes {
            drop(file);
            self.rotate()?;
            file = self.open()?;
            size = 0;
        }
        file.write_all(bytes)?;
        self.size = Some(size + bytes.len() as u64);
        Ok(())
    }

    fn open(&self) -> io::Result<fs::File> {
        match open_to_append(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(self.path.parent().unwrap_or(Path::new(".")))?;
                open_to_append(&self.path)
            }
            opened => opened,
        }
    }

    fn rotate(&self) -> io::Result<()> {
        for age in (0..self.limits.files.max(2) - 1).rev() {
            match fs::rename(piece(&self.path, age), piece(&self.path, age + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The content of the last lines, at most so many, without their stamps, at most `limit` bytes of it.
    pub(super) fn last_content(&self, lines: usize, limit: usize) -> io::Result<String> {
        let mut file = open_to_read(&self.path)?;
        let length = file.metadata()?.len();
        // Stamps and names take about 40 bytes a line.
        let window = (limit + lines * 64) as u64;
        file.seek(SeekFrom::Start(length.saturating_sub(window)))?;
        let mut bytes = Vec::new();
        file.take(window).read_to_end(&mut bytes)?;
        let found: Vec<_> = bytes.split(|byte| *byte == b'\n').filter_map(format::parse).collect();
        let mut content = Vec::new();
        for line in &found[found.len().saturating_sub(lines)..] {
            content.extend_from_slice(line.content);
            if !line.partial {
                content.push(b'\n');
            }
        }
        let start = content.len().saturating_sub(limit);
        Ok(String::from_utf8_lossy(&content[start..]).into_owned())
    }
}

/// The file's name after `age` rotations.
pub(super) fn piece(path: &Path, age: u32) -> PathBuf {
    if age == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{age}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use coracle_wasi_host::{Stream, limits::OUTPUT_CHUNK_LIMIT_BYTES};

    use super::*;
    use crate::logs::{Tap, pace::BYTES_PER_SECOND};

    fn sink(dir: &Path, limits: LogLimits) -> Arc<LogSink> {
        LogSink::new(dir.join("c/0.log"), limits, LogWriter::start().unwrap())
    }

    #[test]
    fn output_of_both_streams_reaches_the_file_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let sink = sink(dir.path(), LogLimits::default());
        let output = sink.output();
        for n in 0..1000 {
            output.write(Stream::Stdout, format!("out {n}\n").as_bytes());
            output.write(Stream::Stderr, format!("err {n}\n").as_bytes());
        }
        output.write(Stream::Stdout, b"the end");
        sink.close();
        assert!(sink.is_finished());
        let file = fs::read(sink.path()).unwrap();
        let lines: Vec<_> = file.split(|b| *b == b'\n').filter_map(format::parse).map(|line| line.content).collect();
        assert_eq!(lines.len(), 2001);
        for n in 0..1000 {
            assert_eq!(lines[2 * n], format!("out {n}").as_bytes());
            assert_eq!(lines[2 * n + 1], format!("err {n}").as_bytes());
        }
        // 80 lines, the last of which has no end.
        let last = sink.last_output();
        assert!(last.starts_with("err 960\nout 961\n") && last.ends_with("err 999\nthe end"), "{last}");
    }

    /// Remembers what it hears.
    #[derive(Default)]
    struct Listener(parking_lot::Mutex<(Vec<u8>, bool)>);

    impl Tap for Listener {
        fn offer(&self, _stream: Stream, bytes: &[u8]) {
            self.0.lock().0.extend_from_slice(bytes);
        }

        fn end(&self) {
            self.0.lock().1 = true;
        }
    }

    #[test]
    fn a_listener_hears_what_is_printed_from_then_on_and_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let sink = sink(dir.path(), LogLimits::default());
        let output = sink.output();
        output.write(Stream::Stdout, b"before\n");
        let (listener, left) = (Arc::new(Listener::default()), Arc::new(Listener::default()));
        sink.tap(Arc::downgrade(&listener) as _);
        sink.tap(Arc::downgrade(&left) as _);
        drop(left);
        output.write(Stream::Stderr, b"now");
        assert_eq!(*listener.0.lock(), (b"now".to_vec(), false));
        sink.close();
        assert!(listener.0.lock().1);
        let late = Arc::new(Listener::default());
        sink.tap(Arc::downgrade(&late) as _);
        assert!(late.0.lock().1);
    }

    #[test]
    fn a_listener_begins_with_the_line_that_has_no_end_yet() {
        let dir = tempfile::tempdir().unwrap();
        let sink = sink(dir.path(), LogLimits::default());
        let output = sink.output();
        output.write(Stream::Stdout, b"a whole line\nname? ");
        let listener = Arc::new(Listener::default());
        sink.tap(Arc::downgrade(&listener) as _);
        output.write(Stream::Stdout, b"hello\n");
        assert_eq!(listener.0.lock().0, b"name? hello\n");
    }

    #[tokio::test]
    async fn who_prints_more_than_the_log_takes_waits_and_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let sink = sink(dir.path(), LogLimits { file_bytes: 1 << 30, files: 2 });
        let output = sink.output();
        let mut lines = 0;
        // Each takes far more in the file than what was printed: what is counted is the file.
        while output.room() > 0 {
            output.write(Stream::Stdout, &b"\n".repeat(1000));
            lines += 1000;
        }
        output.wait_for_room().await;
        assert_eq!(output.room(), OUTPUT_CHUNK_LIMIT_BYTES);
        sink.close();
        let file = fs::read(sink.path()).unwrap();
        assert!(file.len() >= BYTES_PER_SECOND as usize / 10, "{} bytes", file.len());
        assert_eq!(file.split(|b| *b == b'\n').filter_map(format::parse).count(), lines);
    }

    #[test]
    fn files_are_rotated_by_size_and_their_number_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = LogFile::new(dir.path().join("0.log"), LogLimits { file_bytes: 100, files: 3 });
        for n in 0..10 {
            file.append(format!("{n}{}\n", "x".repeat(58)).as_bytes()).unwrap();
        }
        let first = |age| fs::read(piece(&dir.path().join("0.log"), age)).unwrap()[0];
        assert_eq!([first(0), first(1), first(2)], *b"987");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}
