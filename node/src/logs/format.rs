//! The CRI log format: `2026-01-01T00:00:00.000000000Z stdout F line`, one line each, `P` for a part of one.

use coracle_wasi_host::Stream;
use jiff::Timestamp;

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
        while !bytes.is_empty() {
            let room = LINE_LIMIT_BYTES - self.pending.len();
            let newline = bytes.iter().take(room + 1).position(|byte| *byte == b'\n');
            match newline {
                Some(end) => {
                    self.pending.extend_from_slice(&bytes[..end]);
                    self.emit(stream, b'F', now, out);
                    bytes = &bytes[end + 1..];
                }
                None if bytes.len() >= room => {
                    self.pending.extend_from_slice(&bytes[..room]);
                    self.emit(stream, b'P', now, out);
                    bytes = &bytes[room..];
                }
                None => {
                    self.pending.extend_from_slice(bytes);
                    bytes = &[];
                }
            }
        }
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }

    /// Appends what has no line end yet, tagged as a part.
    pub fn finish(&mut self, stream: Stream, now: Timestamp, out: &mut Vec<u8>) {
        if !self.pending.is_empty() {
            self.emit(stream, b'P', now, out);
        }
        self.pending = Vec::new();
    }

    fn emit(&mut self, stream: Stream, tag: u8, now: Timestamp, out: &mut Vec<u8>) {
        let name = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        out.extend_from_slice(format!("{now:.9} {name} ").as_bytes());
        out.push(tag);
        out.push(b' ');
        out.extend_from_slice(&self.pending);
        out.push(b'\n');
        self.pending.clear();
    }
}

/// One line of a log file, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// When it was written.
    pub time: Timestamp,
    /// The timestamp as it stands in the file.
    pub stamp: &'a [u8],
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
    let _stream = fields.next()?;
    let partial = match fields.next()? {
        b"F" => false,
        b"P" => true,
        _ => return None,
    };
    let content = fields.next()?;
    let time = std::str::from_utf8(stamp).ok()?.parse().ok()?;
    Some(LogLine { time, stamp, partial, content })
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
        assert_eq!((line.time, line.partial, line.content), (now(), true, &b"a b  c"[..]));
        for rubbish in [&b""[..], b"hello", b"2026-01-01T00:00:00Z stdout X a", b"yesterday stdout F a"] {
            assert_eq!(parse(rubbish), None);
        }
    }
}
