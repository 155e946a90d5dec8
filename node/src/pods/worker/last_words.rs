//! The end of a run: its log is complete, and its last words are read.

use std::{path::PathBuf, sync::Arc};

use coracle_wasi_host::{Exit, ExitReason};

use crate::logs::LogSink;

/// The longest termination message of one container (kubelet's `MaxContainerTerminationMessageLength`).
const TERMINATION_MESSAGE_BYTES: usize = 4096;
/// Waits for the end of a run; its log is complete then, and its last words are read.
pub(super) async fn wait(
    handle: coracle_wasi_host::Container,
    sink: Arc<LogSink>,
    file: Option<PathBuf>,
    policy: Option<String>,
) -> (Exit, Option<String>) {
    let exit = handle.wait().await;
    let of = exit.clone();
    let message = tokio::task::spawn_blocking(move || {
        sink.close();
        last_words(&of, &sink, file, policy.as_deref())
    });
    let message = message.await.unwrap_or_else(|_| exit.message.clone());
    (exit, message)
}

/// The termination message: what the program left in its file; what it printed last, if its policy says so and it
/// failed; otherwise what the sandbox says, such as a trap's backtrace.
fn last_words(exit: &Exit, sink: &LogSink, file: Option<PathBuf>, policy: Option<&str>) -> Option<String> {
    let left = file.and_then(|file| read_bounded(&file)).filter(|text| !text.is_empty());
    let printed = || {
        let wanted = policy == Some("FallbackToLogsOnError") && exit.reason != ExitReason::Completed;
        wanted.then(|| sink.last_output()).filter(|text| !text.is_empty())
    };
    let mut message = left.or_else(printed).or_else(|| exit.message.clone())?;
    if message.len() > TERMINATION_MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(TERMINATION_MESSAGE_BYTES));
    }
    Some(message)
}

fn read_bounded(path: &std::path::Path) -> Option<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(TERMINATION_MESSAGE_BYTES as u64).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use coracle_wasi_host::Stream;

    use super::*;
    use crate::{config::LogLimits, logs::LogWriter};

    #[test]
    fn last_words_come_from_the_file_then_the_log_then_the_sandbox() {
        let dir = tempfile::tempdir().unwrap();
        let sink = LogSink::new(dir.path().join("0.log"), LogLimits::default(), LogWriter::start().unwrap());
        sink.output().write(Stream::Stderr, b"printed\n");
        sink.close();
        let file = dir.path().join("message");
        std::fs::write(&file, b"").unwrap();
        let trap = crate::pods::testing::trap("unreachable");
        let words = |exit: &Exit, policy| last_words(exit, &sink, Some(file.clone()), policy);
        assert_eq!(words(&trap, None).as_deref(), Some("unreachable"));
        assert_eq!(words(&trap, Some("FallbackToLogsOnError")).as_deref(), Some("printed\n"));
        assert_eq!(words(&crate::pods::testing::exit(0), Some("FallbackToLogsOnError")), None);
        std::fs::write(&file, "x".repeat(5000)).unwrap();
        assert_eq!(words(&trap, Some("FallbackToLogsOnError")).map(|text| text.len()), Some(4096));
    }
}
