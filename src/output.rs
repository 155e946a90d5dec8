//! Lines for the user. Unlike `println!` these do not panic when the reader has gone away (`coracle status | head`):
//! that is the reader's decision, and a cluster does not stop for it.

/// A line on stdout.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::line(&mut std::io::stdout().lock(), format_args!($($text)*))
    };
}

/// A line on stderr.
macro_rules! note {
    ($($text:tt)*) => {
        $crate::output::line(&mut std::io::stderr().lock(), format_args!($($text)*))
    };
}

/// Writes the line, if somebody still reads.
pub fn line(to: &mut impl std::io::Write, text: std::fmt::Arguments<'_>) {
    let _ = writeln!(to, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;

    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_reader_may_go_away() {
        let mut written = Vec::new();
        line(&mut written, format_args!("{} pods", 3));
        assert_eq!(written, b"3 pods\n");
        line(&mut Closed, format_args!("nobody reads this"));
    }
}
