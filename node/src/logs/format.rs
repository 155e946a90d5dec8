//! The CRI log format: `2026-01-01T00:00:00.000000000Z stdout F line`, one line each, `P` for a part of one.

use coracle_wasi_host::Stream;
use jiff::Timestamp;
use memchr::memchr;

/// The longest content of one line of the file; a longer line of the guest becomes several, tagged `P` but the last
/// (CRI runtimes split at 16 KiB).
pub const LINE_LIMIT_BYTES: usize = 16 * 1024;

/// Splits one stream into lines.
#[derive(Debug, Default)]
pub struct LineSplitter {
    pending: Vec<u8>,
}

impl LineSplitter {
    /// Appends the lines that `bytes` complete to `out`, stamped `now`.
    pub fn push(&mut self, stream: Stream, mut bytes: &[u8], now: Timestamp, out: &mut Vec<u8>) {
        // Made once for all lines of a write: making it costs more than copying a line.
        let mut head = None;
        while !bytes.is_empty() {
            let room = LINE_LIMIT_BYTES - self.pending.len();
            let (end, tag, taken) = match memchr(b'\n', &bytes[..bytes.len().min(room + 1)]) {
                Some(end) => (end, b'F', end + 1),
                None if bytes.len() >= room => (room, b'P', room),
                None => return self.pending.extend_from_slice(bytes),
            };
            let head = head.get_or_insert_with(|| line_head(stream, now));
            emit(head, tag, [&self.pending, &bytes[..end]], out);
            // The next part of a line is rare enough for a buffer of its own.
            self.pending = Vec::new();
            bytes = &bytes[taken..];
        }
    }

    /// What has no line end yet.
    pub fn unfinished(&self) -> &[u8] {
        &self.pending
    }

    /// Appends what has no line end yet, tagged as a part.
    pub fn finish(&mut self, stream: Stream, now: Timestamp, out: &mut Vec<u8>) {
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            emit(&line_head(stream, now), b'P', [&pending, &[]], out);
        }
    }
}

/// What a line begins with, up to its tag.
fn line_head(stream: Stream, now: Timestamp) -> String {
    let name = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    format!("{now:.9} {name} ")
}

fn emit(head: &str, tag: u8, content: [&[u8]; 2], out: &mut Vec<u8>) {
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(&[tag, b' ']);
    content.into_iter().for_each(|part| out.extend_from_slice(part));
    out.push(b'\n');
}

/// One line of a log file, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// When it was written.
    pub time: Timestamp,
    /// The timestamp as it stands in the file.
    pub stamp: &'a [u8],
    /// The stream that it came on.
    pub stream: Stream,
    /// Whether more of the same line follows.
    pub partial: bool,
    /// What the guest wrote.
    pub content: &'a [u8],
}

/// Takes a line apart (given without its line end). None if it isn't in the format: the end of a file that was cut
/// short by a crash.
pub fn parse(line: &[u8]) -> Option<LogLine<'_>> {
    let mut fields = line.splitn(4, |byte| *byte == b' ');
    let stamp = fields.next()?;
    let stream = match fields.next()? {
        b"stdout" => Stream::Stdout,
        b"stderr" => Stream::Stderr,
        _ => return None,
    };
    let partial = match fields.next()? {
        b"F" => false,
        b"P" => true,
        _ => return None,
    };
    let content = fields.next()?;
    let time = std::str::from_utf8(stamp).ok()?.parse().ok()?;
    Some(LogLine { time, stamp, stream, partial, content })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00.000000005Z".parse().unwrap()
    }

    fn split(chunks: &[&[u8]]) -> String {
        let (mut splitter, mut out) = (LineSplitter::default(), Vec::new());
        for chunk in chunks {
            splitter.push(Stream::Stdout, chunk, now(), &mut out);
        }
        splitter.finish(Stream::Stdout, now(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_put_together_from_any_chunks() {
        assert_eq!(
            split(&[b"hel", b"lo\nwor", b"ld\n\nend"]),
            "2026-01-01T00:00:00.000000005Z stdout F hello\n\
             2026-01-01T00:00:00.000000005Z stdout F world\n\
             2026-01-01T00:00:00.000000005Z stdout F \n\
             2026-01-01T00:00:00.000000005Z stdout P end\n"
        );
    }

    #[test]
    fn long_lines_become_parts() {
        let long = vec![b'x'; LINE_LIMIT_BYTES * 2 + 10];
        let file = split(&[&long, b"\n"]);
        let lines: Vec<_> = file.lines().map(|line| parse(line.as_bytes()).unwrap()).collect();
        let shape: Vec<_> = lines.iter().map(|line| (line.partial, line.content.len())).collect();
        assert_eq!(shape, [(true, LINE_LIMIT_BYTES), (true, LINE_LIMIT_BYTES), (false, 10)]);
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole() {
        let mut line = vec![b'x'; LINE_LIMIT_BYTES];
        line.push(b'\n');
        let file = split(&[&line]);
        assert_eq!(file.lines().filter(|line| !line.is_empty()).count(), 1);
        assert!(!parse(file.lines().next().unwrap().as_bytes()).unwrap().partial);
    }

    #[test]
    fn lines_are_taken_apart_and_rubbish_is_not() {
        let line = parse(b"2026-01-01T00:00:00.000000005Z stderr P a b  c").unwrap();
        assert_eq!((line.time, line.stream, line.partial), (now(), Stream::Stderr, true));
        assert_eq!(line.content, b"a b  c");
        for rubbish in [&b""[..], b"hello", b"2026-01-01T00:00:00Z stdout X a", b"yesterday stdout F a"] {
            assert_eq!(parse(rubbish), None);
        }
    }
}
